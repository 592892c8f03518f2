"""Model cards and checklists: answers are from the run folder, all else is not stated."""

from __future__ import annotations

import dataclasses

import pytest

from skinbench.errors import UsageError
from skinbench.report.card_facts import CardFacts
from skinbench.report.card_page import find_place, read_card, to_markdown
from skinbench.report.cell_pages import places
from skinbench.report.checklists import NOT_STATED, fill
from skinbench.report.clear_derm import CLEAR_DERM
from skinbench.report.content import read_content
from skinbench.report.stard_ai import STARD_AI
from skinbench.report.tables import Scores
from skinbench.store import RunFolder
from tests.report.fixture import Wish, make_run
from tests.report.test_render import HOSTILE, check_golden


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("card") / "run", Wish(rows=6))


def facts_of(folder: RunFolder, row: str) -> CardFacts:
    content = read_content(folder)
    scores = Scores(content.scorecard)
    return CardFacts(content, scores, find_place(content, scores, row, None))


def test_golden_card(folder):
    check_golden("model_card.md", to_markdown(read_card(folder, "baseline_cnn")))


@pytest.mark.parametrize(("checklist", "rows"), [(STARD_AI, 48), (CLEAR_DERM, 25)])
def test_every_item_is_there_once_and_in_order(checklist, rows):
    numbers = [item.number for item in checklist.items]
    assert len(set(numbers)) == rows
    whole = [int(number.rstrip("abcd")) for number in numbers]
    assert whole == sorted(whole)
    assert set(whole) == set(range(1, whole[-1] + 1))


@pytest.mark.parametrize("checklist", [STARD_AI, CLEAR_DERM])
def test_what_the_run_does_not_say_is_not_stated(folder, checklist):
    """A folder with nothing but a scorecard answers less, and never with an empty field."""
    found = facts_of(folder, "baseline_cnn")
    bare = dataclasses.replace(found.content, datasets={}, splits={}, fits={}, suite_text="")
    poor = fill(checklist, CardFacts(bare, found.scores, found.place))
    rich = fill(checklist, found)
    for filled in (poor, rich):
        assert all(row[2].text for row in filled.table.rows)
        assert "claims no compliance" in filled.summary
    count = [sum(row[2].text == NOT_STATED for row in f.table.rows) for f in (poor, rich)]
    assert count[0] > count[1] > 0


def test_what_only_people_know_is_never_answered(folder):
    filled = fill(STARD_AI, facts_of(folder, "baseline_cnn"))
    said = {row[0].text: row[2].text for row in filled.table.rows}
    for item in ("6", "9", "12", "17b", "27", "28", "36", "38", "39"):
        assert said[item] == NOT_STATED
    for item in ("15b", "18", "31"):
        assert said[item] != NOT_STATED


def test_recall_in_an_answer_stands_beside_specificity(folder):
    said = facts_of(folder, "baseline_cnn").headline()
    assert said.startswith("mel recall 0.")
    assert "mel specificity" in said


def test_limits_name_the_leak_and_what_was_not_measured(folder):
    rows = read_content(folder).rows
    leaky = next(row.name for row in rows if row.split == "by_image")
    card = read_card(folder, leaky).card
    assert card.limits[0].startswith("Leak: leaky split")
    assert any("drawn by a program" in line for line in card.limits)
    assert any(line.startswith("Skin tones") for line in card.unmeasured)
    assert not any(
        line.startswith("Leak") for line in read_card(folder, "baseline_cnn").card.limits
    )


def test_a_cell_is_named_by_its_row_its_address_or_its_test_set(folder):
    content = read_content(folder)
    scores = Scores(content.scorecard)
    place = next(p for p in places(content, scores) if p.row.name == "baseline_cnn")
    for named, on in (("baseline_cnn", None), ("baseline_cnn", "lesions"),
                      (place.slug, None), (f"#cell-{place.slug}", None)):  # fmt: skip
        assert find_place(content, scores, named, on) == place
    with pytest.raises(UsageError, match="did you mean 'baseline_cnn'"):
        find_place(content, scores, "baseline_cn", None)
    with pytest.raises(UsageError, match="was judged on lesions; name one"):
        find_place(content, scores, "baseline_cnn", "isic")


def test_a_smoke_test_is_told_why_it_has_no_card(folder):
    content = read_content(folder)
    scores = Scores(content.scorecard)
    card = dataclasses.replace(content.scorecard, smoke={"baseline_cnn": "under 1,000 images"})
    with pytest.raises(UsageError, match=r"baseline_cnn is a smoke test.*under 1,000 images"):
        find_place(dataclasses.replace(content, scorecard=card), scores, "baseline_cnn", None)


def test_names_from_data_mean_nothing_in_a_card(tmp_path):
    hostile = make_run(tmp_path / "run", Wish(rows=4, hostile=HOSTILE))
    content = read_content(hostile)
    name = places(content, Scores(content.scorecard))[0].row.name
    text = to_markdown(read_card(hostile, name))
    assert "<script" not in text
    assert "[a](" not in text
