"""Which rows moved from run to run, and since when."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from skinbench.errors import StoreError
from skinbench.pipeline import run_history as module
from skinbench.pipeline.run_history import run_history
from skinbench.records import Scorecard
from skinbench.records.run_difference import ScoreChange
from skinbench.report import leaderboard as boards
from skinbench.report.history import history_table
from skinbench.store import RunFolder, read_json, read_record, write_json
from tests.report.fixture import Wish, make_run

ROW = "p1/multimodal"


@pytest.fixture
def runs(tmp_path) -> list[RunFolder]:
    """Three runs of one suite; the folders' names are not in the order of their starts."""
    found = []
    for name, day, commit in (("b", 3, "cafe" * 10), ("a", 1, ""), ("c", 2, "")):
        folder = make_run(tmp_path / name, Wish(rows=5, cases=2))
        facts = read_json(folder.run)
        write_json(folder.run, {**facts, "started": f"2026-11-0{day}T10:00:00Z", "commit": commit})
        found.append(folder)
    return found


def change(row, metric, class_, difference, p):
    return ScoreChange(
        row=row, old_row=row, metric=metric, class_=class_, old=0.5, new=0.5 + difference,
        difference=difference, low=difference - 0.01, high=difference + 0.01, paired=True,
        n=120, n_groups=90, p_holm=p,
    )  # fmt: skip


@pytest.fixture
def compared(monkeypatch):
    """What was asked of `compare_runs`; between the last two runs, recall fell."""
    asked = []

    def compare(old, new, *, pairs, metrics):
        asked.append((old.root.name, new.root.name, tuple(pairs), tuple(metrics)))
        fell = new.root.name == "b"
        changes = [
            change(row, "recall", "mel", -0.2 if fell else 0.0, 0.001 if fell else 0.9)
            for row, _ in pairs
        ]
        changes += [change(row, "balanced_accuracy", None, 0.02, 0.3) for row, _ in pairs]
        return SimpleNamespace(scores=tuple(changes))

    monkeypatch.setattr(module, "compare_runs", compare)
    return asked


def test_runs_follow_each_other_by_start_and_a_fall_says_since_when(runs, compared):
    board = boards.leaderboard(runs)
    found = {(item.row, item.metric): item for item in run_history(runs, board)}
    recall = found[ROW, "recall"]
    assert [point.run for point in recall.points] == ["a", "c", "b"]
    assert [move.verdict for move in recall.moves] == ["not separable", "lower"]
    assert found[ROW, "balanced_accuracy"].moves[1].verdict == "not separable"
    assert {(old, new) for old, new, _, _ in compared} == {("a", "c"), ("c", "b")}
    assert all("plain/" not in row for _, _, pairs, _ in compared for row, _ in pairs)

    board = replace(board, history=tuple(found.values()))
    text = boards.to_markdown(board)
    line = next(line for line in text.splitlines() if ROW in line and "| lower |" in line)
    assert "2026-11-03 10:00 UTC (run b, skinbench 0.1.0, commit cafecafeca)" in line
    first = history_table(board.history, 0.95).rows[0]
    assert first[7].text == "lower"  # what moved stands first
    shown = io.StringIO()
    boards.to_terminal(board, Console(file=shown, width=80))
    assert "lower by -0.200 [-0.210, -0.190] since" in " ".join(shown.getvalue().split())
    page = boards.to_html(board, runs)
    assert "Which row moved, and since when" in page
    assert 'data-run="c"' in page


def test_rows_of_different_test_sets_never_follow_each_other(runs, compared):
    card = read_record(runs[2].scorecard, Scorecard)
    write_json(
        runs[2].scorecard, replace(card, splits={"by_lesion": "9" * 32, "by_image": "8" * 32})
    )
    board = boards.leaderboard(runs)
    assert {row.run for row in board.tables[0].rows} == {"b", "a"}
    found = run_history(runs, board)
    assert found
    assert all([point.run for point in item.points] == ["a", "b"] for item in found)


def test_without_predictions_the_scores_stand_beside_each_other(runs, monkeypatch):
    def gone(*_, **__):
        raise StoreError("no predictions")

    monkeypatch.setattr(module, "compare_runs", gone)
    board = boards.leaderboard(runs)
    found = run_history(runs, board)
    assert found
    assert {move.verdict for item in found for move in item.moves} == {"not compared"}
    assert "not compared" in boards.to_markdown(replace(board, history=found))
