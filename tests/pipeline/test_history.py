"""What moves under history/: files of rows, data and pictures that the run no longer has."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from skinbench.pipeline.history import UNFINISHED, put_away, scorecard_name
from skinbench.store import RunFolder, write_json, write_text


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run folder of rows a and b, on data d and e; its texts are its own names."""
    folder = RunFolder(tmp_path / "run")
    for place, names in {
        "predictions": ("a@0.0.parquet", "b@0.0.parquet"),
        "fits": ("f1.json", "f2.json"),
        "manifests": ("d.parquet", "d.json", "e.parquet", "e.json"),
        "splits": ("s.parquet", "t.parquet"),
        "thumbnails": ("one.jpg", "two.jpg"),
        "heatmaps": ("one.png", "two.png"),
    }.items():
        for name in names:
            write_text(folder.root / place / name, name)
    write_text(folder.scorecard, "{}")
    write_json(
        folder.cases,
        {"sets": [{"cases": [{"thumbnail": "one.jpg", "answers": [{"heat": "one.png"}]}]}]},
    )
    write_text(folder.verdict, "{}")
    return folder


def outcome(name: str, status: str = "done") -> Any:
    return SimpleNamespace(cell=name, status=status)


def prepared(*, explained: bool = True) -> Any:
    explain = SimpleNamespace(cases=4) if explained else None
    return SimpleNamespace(
        plan=SimpleNamespace(fits={"f1": None}),
        manifests={"d": None},
        splits={"s": None},
        suite=SimpleNamespace(file=SimpleNamespace(explain=explain)),
    )


def names(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


STRANGERS = {
    "predictions/b@0.0.parquet",
    "fits/f2.json",
    "manifests/e.parquet",
    "manifests/e.json",
    "splits/t.parquet",
    "thumbnails/two.jpg",
    "heatmaps/two.png",
}


def test_only_what_is_no_longer_in_the_run_moves(folder: RunFolder) -> None:
    card: Any = SimpleNamespace(
        cells=[outcome("a@0.0"), outcome("b@0.0", "failed")], segmentation_cells=[]
    )
    earlier, before = scorecard_name(folder), names(folder.root)
    moved = put_away(prepared(), card, folder, earlier, judged=False)
    assert names(folder.history / earlier) == STRANGERS, "the scorecard did not change"
    assert len(moved) == len(STRANGERS)
    assert (folder.history / earlier / "fits/f2.json").read_text() == "f2.json"
    assert names(folder.root) - names(folder.root / "history") >= before - STRANGERS
    assert put_away(prepared(), card, folder, earlier, judged=False) == []


def test_a_verdict_and_cases_of_another_scorecard_move(folder: RunFolder) -> None:
    card: Any = SimpleNamespace(cells=[outcome("a@0.0"), outcome("b@0.0")], segmentation_cells=[])
    put_away(prepared(explained=False), card, folder, "", judged=True)
    assert folder.verdict.exists()
    put_away(prepared(explained=False), card, folder, "", judged=False)
    found = names(folder.history / UNFINISHED)
    assert {"verdict.json", "cases.json", "thumbnails/one.jpg", "heatmaps/one.png"} <= found
    assert "predictions/b@0.0.parquet" not in found


def test_nothing_under_history_is_overwritten(folder: RunFolder) -> None:
    card: Any = SimpleNamespace(cells=[outcome("a@0.0")], segmentation_cells=[])
    for text in ("first", "second", "second"):
        write_text(folder.prediction("b@0.0"), text)
        put_away(prepared(), card, folder, "x", judged=True)
    kept = folder.history / "x" / "predictions"
    assert {path.name: path.read_text() for path in kept.iterdir()} == {
        "b@0.0.parquet": "first",
        "b@0.0-2.parquet": "second",
    }
