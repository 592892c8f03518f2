"""Where rows fail, on the page: what is laid out, marked, left out and escaped."""

from __future__ import annotations

import dataclasses

import pytest

from skinbench.records import (
    AgainstPlain,
    Agreement,
    Bounded,
    ConditionDrop,
    ConditionFlips,
    Consistency,
    GroupScore,
    HardImage,
    OutOfDistribution,
    Scorecard,
    SharedError,
    WeakSpots,
    WorstGroup,
)
from skinbench.report import weak_spots
from skinbench.report.board import board_table, footnotes
from skinbench.report.leaderboard import leaderboard
from skinbench.report.render import render_run
from skinbench.store import read_record, write_json
from tests.report.fixture import Wish, make_run
from tests.reports import whole_markdown

PLACE = {"dataset": "ham", "split": "s"}


def group(name, value, **more):
    fields = {"row": "a", "dataset": "ham", "slice": "sex", "metric": "recall", "class_": "mel"}
    return GroupScore(**{**fields, "group": name, "value": value, "n": 40, "n_groups": 33, **more})


def drop(condition, value, change, **more):
    fields = {"row": "a", "dataset": "ham", "metric": "recall", "class_": "mel"}
    numbers = {"value": value, "change": change, "n": 90, "n_groups": 80}
    return ConditionDrop(**{**fields, "condition": condition, **numbers, **more})


def pair(row, other):
    return Agreement(**PLACE, row=row, other=other, value=0.8, kappa=0.5, n=90, n_groups=80)


SPOTS = WeakSpots(
    floor=30,
    groups=(
        group("female", 0.5, low=0.4, high=0.6, gap=-0.1, gap_low=-0.2, gap_high=0.05),
        group("male", None, reason="3 lesion groups, fewer than the floor of 30"),
        group("histo", 0.7, slice="dx_type", class_="nv"),
    ),
    worst=(
        WorstGroup(
            row="a", dataset="ham", slice="sex", metric="recall", class_="mel", group="female",
            compared=2, below_floor=1, value=0.5, low=0.4, high=0.6, gap=-0.1, gap_low=-0.2,
            gap_high=-0.01, n=40, n_groups=33,
        ),
    ),
    shared_errors=(
        SharedError(
            **PLACE, row="a", class_="mel", others=2, n=90, missed=30, missed_by_all=12,
            caught_by_one=8, caught_by_more=10, value=0.4, low=0.2, high=0.6, n_groups=28,
        ),
    ),
    agreements=(pair("a", "b"), pair("a", "c"), pair("b", "c")),
    hardest=(
        HardImage(
            **PLACE, image_id="<i>x</i>", group_id="g", label="mel", models=3, wrong=3,
            decided="nv", votes=2, probability_of_label=0.01,
        ),
    ),
    against_plain=(
        AgainstPlain(
            row="a", baseline="baseline/s/metadata_only", dataset="ham",
            metric="balanced_accuracy", difference=0.01, low=-0.02, high=0.04, beats=False,
            n=90, n_groups=80,
        ),
    ),
    consistency=(
        Consistency(
            row="a", dataset="ham", value=0.3, low=0.2, high=0.4, lesions=30, images=70,
            n_groups=30, all_right=Bounded(value=0.5), some_right=Bounded(value=0.3),
            none_right=Bounded(value=0.2),
        ),
    ),
    drops=(
        drop("blur@1", 0.7, -0.1, before=0.8, change_low=-0.15, change_high=-0.05),
        drop("blur@5", 0.5, -0.3, before=0.8, change_low=-0.4, change_high=-0.2),
        drop("metadata_missing", 0.8, 0.0, before=0.8),
    ),
    flips=(
        ConditionFlips(row="a", dataset="ham", condition="blur@5", value=0.4, n=90, n_groups=80),
    ),
    out_of_distribution=(
        OutOfDistribution(
            row="a", inside="ham", outside="pad", score="entropy", value=0.7, low=0.6, high=0.8,
            n_inside=90, n_outside=50, n_groups=40,
        ),
    ),
    notes=("Fitzpatrick skin type: no dataset of this run says it of any image",),
)  # fmt: skip


def card(**changes):
    rows = tuple({"name": name, "split": "s"} for name in "abc")
    fields = {"suite": "t", "level": 0.95, "replicates": 100, "datasets": {}, "splits": {}}
    empty = {"cells": (), "scores": (), "confusions": ()}
    return Scorecard(**{**fields, **empty, "rows": rows, "weak_spots": SPOTS, **changes})


def texts(table):
    return [[entry.text for entry in row] for row in table.rows]


def test_each_table_says_what_was_found():
    part = weak_spots.weak_part(card())
    assert part.floor == "30 lesion groups"
    assert texts(part.worst) == [
        ["a", "ham", "sex", "mel recall", "female", "0.500", "-0.100", "40", "33",
         "2, 1 below the floor"]
    ]  # fmt: skip
    assert part.worst.rows[0][6].why == "separable"
    assert texts(part.groups)[1][:4] == ["a", "ham", "sex: male", "\u2013"]
    assert part.groups.rows[1][3].why == "below the floor"
    assert texts(part.by_class) == [["a", "ham", "nv", "histo", "0.700", "\u2013", "40", "33"]]
    assert texts(part.errors)[0][2:] == ["mel", "90", "30", "12", "8", "10", "0.400", "2"]
    assert texts(part.plain)[0] == ["a", "ham", "+0.010", "no: metadata_only", "90"]
    assert texts(part.consistency)[0][5:] == ["0.300", "0.500", "0.300", "0.200"]
    assert texts(part.elsewhere)[0][2:] == ["pad", "0.700", "90", "50"]


def test_strengths_stand_side_by_side_with_what_they_cost():
    (table,) = weak_spots.weak_part(card()).robustness
    assert [column.title for column in table.columns][3:] == ["none", "altered", "@1", "@5", "n"]
    assert texts(table) == [
        ["a", "ham", "blur", "0.800", "", "0.700", "0.500", "90"],
        ["a", "ham", "metadata_missing", "0.800", "0.800", "", "", "90"],
    ]
    assert (table.rows[0][6].detail, table.rows[0][6].why) == ("-0.300", "[-0.400, -0.200]")


def test_the_matrix_is_drawn_for_three_models():
    (drawing,) = weak_spots.weak_part(card()).matrices
    assert "ham, split s: 3 rows, from 0.80 to 0.80" in drawing.alt
    two = dataclasses.replace(SPOTS, agreements=SPOTS.agreements[:1])
    assert weak_spots.weak_part(card(weak_spots=two)).matrices == ()


def test_leaky_splits_are_marked_in_every_table():
    part = weak_spots.weak_part(card(stamps={"s": "leaky split: half of it"}))
    assert part.worst.rows[0][0].text == "a \u2020"
    assert part.errors.rows[0][1].text == "ham, split s \u2020"
    for table in (part.plain, part.worst, part.errors, *part.robustness, part.elsewhere):
        assert table.notes[-1] == "\u2020 leaky split: half of it"
    assert "\u2020" not in str(weak_spots.weak_part(card()))


def test_smoke_rows_and_what_nobody_asked_for_are_left_out():
    part = weak_spots.weak_part(card(smoke={"a": "ten images"}))
    assert part.worst is part.plain is part.elsewhere is None
    assert len(part.agreement.rows) == 1
    assert weak_spots.weak_part(card(weak_spots=None)) is None


@pytest.fixture
def run(tmp_path):
    folder = make_run(tmp_path / "run", Wish(rows=4, cases=1, images=200))
    made = read_record(folder.scorecard, Scorecard)
    first = next(str(row["name"]) for row in made.rows if row["kind"] == "fit")
    data = next(iter(made.datasets))
    lost = dataclasses.replace(SPOTS.against_plain[0], row=first, dataset=data)
    spots = dataclasses.replace(SPOTS, against_plain=(lost,))
    write_json(folder.scorecard, dataclasses.replace(made, weak_spots=spots))
    return folder, first


def test_both_pages_have_the_section_and_escape_what_data_says(run):
    folder, _ = run
    render_run(folder)
    page, text = folder.html.read_text("utf-8"), whole_markdown(folder)
    assert 'id="weak"' in page
    assert '<a href="#weak">Where it fails</a>' in page
    assert "<i>x</i>" not in page
    assert "<i>x</i>" not in text
    assert (folder.figures / "agreement-1.svg").exists()


def test_a_network_that_does_not_beat_a_baseline_is_marked_on_the_leaderboard(run):
    folder, row = run
    table = leaderboard([folder]).tables[0]
    lines = board_table(table, 1, runs=False).rows
    assert [line[0].text for line in lines if "does not beat" in line[0].why] == [row]
    assert any(
        note.startswith(f"{row}: does not beat metadata_only (balanced accuracy")
        for note in footnotes(table)
    )
