"""The leaderboard over runs: tables by test set, order, the four forms."""

from __future__ import annotations

import dataclasses
import io
import json
import re

import pytest
from rich.console import Console

from skinbench.errors import StoreError, UsageError
from skinbench.records import Pace, Score, Scorecard
from skinbench.report import leaderboard as boards
from skinbench.report.render import render_run
from skinbench.store import RunFolder, read_record, write_json
from tests.report.fixture import Wish, make_run
from tests.report.test_render import HOSTILE, Page, check_golden


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("a") / "first", Wish(rows=13))


def change(folder: RunFolder, **changes: object) -> None:
    scorecard = dataclasses.replace(read_record(folder.scorecard, Scorecard), **changes)
    write_json(folder.scorecard, scorecard)


def terminal(board: boards.Leaderboard, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None, legacy_windows=False)
    boards.to_terminal(board, console)
    return console.file.getvalue()


def test_rows_keep_the_order_of_the_suite(run):
    board = boards.leaderboard([run])
    scorecard = read_record(run.scorecard, Scorecard)
    wanted = [
        row["name"]
        for row in scorecard.rows
        if row["split"] == "by_lesion" and row["name"] not in scorecard.smoke
    ]
    assert [row.row for row in board.tables[0].rows] == wanted
    assert board.sort is None


def test_splits_have_tables_of_their_own(run):
    board = boards.leaderboard([run])
    assert [table.split for table in board.tables] == ["by_lesion", "by_image"]
    assert any("separate tables" in note for note in board.notes)


def test_runs_share_a_table_only_on_the_same_images(run, tmp_path):
    same = make_run(tmp_path / "same", Wish(rows=4))
    other = make_run(tmp_path / "other", Wish(rows=4))
    change(other, datasets={"lesions": "e" * 32})
    board = boards.leaderboard([run, same, other])
    runs = [{row.run for row in table.rows} for table in board.tables]
    assert runs == [{"first", "same"}, {"first"}, {"other"}]


def test_same_data_and_split_under_other_names_share_a_table(run, tmp_path):
    other = make_run(tmp_path / "other", Wish(rows=4))
    before = read_record(other.scorecard, Scorecard)
    renamed = [dataclasses.replace(score, dataset="mine") for score in before.scores]
    change(other, datasets={"mine": "d" * 32}, scores=tuple(renamed))
    board = boards.leaderboard([run, other])
    assert {row.run for row in board.tables[0].rows} == {"first", "other"}


def test_intervals_of_another_level_do_not_mix(run, tmp_path):
    other = make_run(tmp_path / "other", Wish(rows=4))
    change(other, level=0.9)
    board = boards.leaderboard([run, other])
    assert [table.level for table in board.tables] == [0.95, 0.95, 0.9]


def test_failed_blocked_and_missing_rows_are_there(run):
    rows = {row.row: row for row in boards.leaderboard([run]).tables[0].rows}
    states = {name.split(",", 1)[1]: row.status for name, row in rows.items() if "," in name}
    assert states["focal,image"] == "failed"
    assert states["focal,fusion_concat"] == "blocked"
    assert states["oversampling,fusion_concat"] == "missing"
    failed = rows["techniques/mobilenetv2_100,focal,image"]
    assert failed.n is None
    assert failed.n_positive is None
    assert "OutOfMemoryError" in failed.reason


def test_a_row_with_some_failed_cells_is_partial(run, tmp_path):
    folder = make_run(tmp_path / "run", Wish(rows=4))
    before = read_record(folder.scorecard, Scorecard)
    last = dataclasses.replace(before.cells[-1], status="failed", reason="killed")
    change(folder, cells=(*before.cells[:-1], last))
    row = boards.leaderboard([folder]).tables[0].rows[-1]
    assert (row.status, row.reason) == (
        "partial", "1 of 2 cells without predictions: killed",
    )  # fmt: skip


def test_sorting_says_so_and_puts_undefined_last(run):
    board = boards.leaderboard([run], sort="balanced_accuracy")
    rows = board.tables[0].rows
    values = [row.scores["balanced_accuracy"] for row in rows]
    defined = [score.value for score in values if score is not None and score.value is not None]
    assert defined == sorted(defined, reverse=True)
    assert all(s is None or s.value is None for s in values[len(defined) :])
    assert any("at the reader's request" in note for note in board.notes)


def test_sorting_by_a_loss_puts_the_smallest_first_and_shows_it(run):
    board = boards.leaderboard([run], sort="log_loss")
    values = [row.scores["log_loss"] for row in board.tables[0].rows]
    defined = [score.value for score in values if score is not None and score.value is not None]
    assert defined == sorted(defined)
    assert board.tables[0].columns[0].key == "log_loss"


def test_sorting_by_nothing_known_suggests(run):
    with pytest.raises(UsageError, match="did you mean 'balanced_accuracy'"):
        boards.leaderboard([run], sort="balanced_acuracy")
    with pytest.raises(UsageError, match="did you mean 'recall:mel'"):
        boards.leaderboard([run], sort="recall:nel")


def test_no_scorecard_and_a_folder_twice_are_clear(run, tmp_path):
    with pytest.raises(StoreError, match=r"has no scorecard\.json"):
        boards.leaderboard([RunFolder(tmp_path)])
    with pytest.raises(UsageError, match="named twice"):
        boards.leaderboard([run, RunFolder(run.root / ".")])


def test_runs_of_the_same_name_are_told_apart(tmp_path):
    folders = [make_run(tmp_path / name / "run", Wish(rows=1)) for name in "ab"]
    assert boards.leaderboard(folders).runs == ("a/run", "b/run")


@pytest.mark.parametrize(
    ("classes", "malignant", "focus"),
    [
        (("nv", "mel"), (), "mel"),
        (("nv", "bcc", "scc"), ("scc", "bcc"), "bcc"),
        (("cat", "dog"), (), None),
    ],
)
def test_focus_class(classes, malignant, focus):
    assert boards.focus_class(classes, malignant) == focus


def test_no_focus_class_leaves_its_columns_out(tmp_path):
    folder = make_run(tmp_path / "run", Wish(focus=False, rows=4))
    for path in folder.manifests.glob("*.json"):
        path.unlink()
    table = boards.leaderboard([folder]).tables[0]
    assert table.focus is None
    assert [c.key for c in table.columns] == [
        "balanced_accuracy", "accuracy", "macro_f1", "macro_auroc",
    ]  # fmt: skip
    assert "recall" not in boards.to_markdown(boards.leaderboard([folder])).split("Research")[0]
    assert terminal(boards.leaderboard([folder]), 80)


def test_json_has_every_interval_and_is_finite(run):
    plain = boards.to_plain(boards.leaderboard([run]))
    json.dumps(plain, allow_nan=False)
    assert plain["schema"] == 1
    first = plain["tables"][0]["rows"][0]["scores"]["recall:mel"]
    assert {"value", "low", "high", "n", "n_positive", "reason"} <= set(first)


@pytest.mark.parametrize("width", [80, 120])
def test_terminal_snapshot(run, width):
    text = terminal(boards.leaderboard([run]), width)
    assert max(map(len, text.splitlines())) <= width
    check_golden(f"leaderboard-{width}.txt", text)


@pytest.mark.parametrize("width", [40, 80, 100, 137, 200])
@pytest.mark.parametrize("sort", [None, "accuracy", "log_loss"])
def test_terminal_shows_recall_only_with_specificity(run, width, sort):
    text = terminal(boards.leaderboard([run], sort=sort), width)
    assert ("recall" in text.split("─")[0]) == ("specificity" in text.split("─")[0])
    if width >= 80:
        assert max(map(len, text.splitlines())) <= width
        assert "recall" in text


@pytest.mark.parametrize(
    "sort",
    ["macro_auroc", "macro_f1", "log_loss", "recall:bcc", "specificity:mel"],
)
@pytest.mark.parametrize("width", [80, 120])
def test_terminal_shows_what_was_sorted_by_first_and_whole(run, width, sort):
    board = boards.leaderboard([run], sort=sort)
    text = terminal(board, width)
    assert max(map(len, text.splitlines())) <= width
    metric, _, class_ = sort.partition(":")
    head = " ".join(" ".join(text.split("──")[0].splitlines()[2:]).split())
    for word in [*metric.split("_"), *([class_] if class_ else [])]:
        assert word.lower() in head.lower()
    assert board.tables[0].columns[0].key == sort
    best = board.tables[0].rows[0].scores[sort]
    line = text[text.index("──") :].splitlines()[1]
    assert f"{best.value:.3f}" in line
    assert "…" not in text
    if metric in ("recall", "specificity"):
        other = {"recall": "specificity", "specificity": "recall"}[metric]
        assert board.tables[0].columns[1].key == f"{other}:{class_}"
        assert other in head


def test_hostile_names_do_nothing_in_the_four_forms(tmp_path):
    hostile = HOSTILE + "[bold red]x[/]\x1b[31m"
    folder = make_run(tmp_path / "run", Wish(hostile=hostile, rows=5))
    board = boards.leaderboard([folder])
    text = terminal(board, 80)
    assert "\x1b" not in text
    assert "[bold" in text.replace("\n", "")
    html = boards.to_html(board, [folder])
    assert "<script>alert" not in html
    assert Page(html).open == []
    assert "<script" not in boards.to_markdown(board)


def test_markdown_and_html_of_several_runs_name_the_run(run, tmp_path):
    other = make_run(tmp_path / "other", Wish(rows=4))
    board = boards.leaderboard([run, other])
    assert "| row | run |" in boards.to_markdown(board)
    html = boards.to_html(board, [run, other])
    assert "other" in html
    assert html == boards.to_html(boards.leaderboard([run, other]), [run, other])


def test_seeds_apart_do_not_hide_the_mean(tmp_path):
    folder = make_run(tmp_path / "run", Wish(rows=4))
    score = boards.leaderboard([folder]).tables[0].rows[-1].scores["accuracy"]
    assert isinstance(score, Score)
    assert score.seed is None
    assert score.sd_seeds == pytest.approx(0.0125)


def test_terminal_leaves_many_tables_of_altered_images_to_the_report(run):
    plain = boards.leaderboard([run])
    first = plain.tables[0]
    altered = [dataclasses.replace(first, condition=f"blur@{strength}") for strength in range(1, 6)]
    few = terminal(dataclasses.replace(plain, tables=(first, *altered[:3])), 100)
    assert "condition blur@3" in few
    many = terminal(dataclasses.replace(plain, tables=(first, *altered)), 100)
    assert "condition blur" not in many
    assert "5 more tables of altered images (conditions) are in the report" in many


def test_page_of_several_runs_leads_to_their_reports(run, tmp_path):
    other = make_run(tmp_path / "a run", Wish(rows=4))
    board = boards.leaderboard([run, other])
    html = boards.to_html(board, [run, other], tmp_path / "board.html")
    assert '<a href="a%20run/report.html">a run</a>' in html
    render_run(other)
    addresses = set(re.findall(r'href="a%20run/report.html#(cell-[^"]*)"', html))
    assert addresses
    assert all(f'id="{address}"' in other.html.read_text("utf-8") for address in addresses)


def test_images_a_second_where_a_run_measured_them(tmp_path):
    folder = make_run(tmp_path / "run", Wish(rows=4))
    board = boards.leaderboard([folder])
    assert 'data-key="pace"' not in boards.to_html(board, [folder])
    fit = next(iter(sorted(folder.fits.glob("*.json")))).stem
    pace = Pace(fit=fit, images=300, seconds=2.5, device="cpu", threads=1)
    write_json(folder.paces, {"paces": [pace]})
    html = boards.to_html(board, [folder])
    assert 'data-key="pace"' in html
    assert 'data-sort="120.0">120</td>' in html
