"""Searches of settings, run whole on a tiny suite."""

from __future__ import annotations

from pathlib import Path

import pytest

from skinbench.plan import read_search
from skinbench.records import FitRecord, SearchResult
from skinbench.store import RunFolder, Store, read_json, read_record
from tests.pipeline.test_run import fitted, go
from tests.reports import whole_markdown

pytestmark = [pytest.mark.ray, pytest.mark.torch]

ROW = """
rows:
  a:
    model: baseline_cnn
    seeds: [0, 1]
    search: {space: {optimizer.lr: {log: [1e-4, 1e-1]}, technique: [none, focal]}, SEARCH}
  plain: {model: baseline_cnn}
"""


def searched(folder: RunFolder) -> dict:
    (path,) = folder.searches.glob("*.json")
    return read_json(path)


def test_a_search_is_one_fit_chosen_on_val_and_is_not_run_again(
    tmp_path: Path, ray_address: str
) -> None:
    store = Store(tmp_path / "store")
    text = ROW.replace("SEARCH", "trials: 4, seed: 3")
    result, events = go(tmp_path, store, ray_address, text)
    assert not result.failed
    found = searched(result.folder)
    trials = found["trials"]
    assert [trial["status"] for trial in trials] == ["done"] * 4
    assert len({trial["values"]["optimizer.lr"] for trial in trials}) == 4
    best = trials[found["chosen"]]
    assert best["value"] == min(trial["value"] for trial in trials)
    cells = {cell.cell: cell.fit for cell in result.scorecard.cells}
    assert cells["a@0.0"] == best["fit"], "the chosen trial is the fit; it is not trained again"
    assert fitted(events) == ["a@0.1", "plain"]
    other = read_json(result.folder.fit(cells["a@0.1"]))["spec"]["train"]
    assert other["optimizer"]["options"]["lr"] == best["values"]["optimizer.lr"]
    for trial in trials:
        record = read_record(store.open("fits", trial["fit"]) / "record.json", FitRecord)
        losses = [epoch.val_log_loss for epoch in record.history]
        assert trial["value"] == min(losses)
    assert f"optimizer.lr {best['values']['optimizer.lr']}" in whole_markdown(result.folder)
    before = result.folder.scorecard.read_bytes()

    again, events = go(tmp_path, store, ray_address, text)
    assert fitted(events) == []
    assert not [event for event in events if event.name.startswith("search")]
    assert again.folder.scorecard.read_bytes() == before

    # A search that was cut off starts again, draws the same and trains nothing anew.
    digest = next(path.stem for path in result.folder.searches.glob("*.json"))
    first = read_search(store, digest)
    store.clear(("searches",))
    again, events = go(tmp_path, store, ray_address, text)
    assert isinstance(first, SearchResult)
    assert read_search(store, digest) == first
    assert fitted(events) == []
    assert again.folder.scorecard.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "search",
    [
        "trials: 3, sampler: optuna, monitor: val_accuracy",
        "trials: 4, asha: {grace: 1, factor: 2}",
    ],
    ids=["optuna", "asha"],
)
def test_samplers_and_schedulers_repeat_themselves(
    tmp_path: Path, ray_address: str, search: str
) -> None:
    if "optuna" in search:
        pytest.importorskip("optuna")
    text = ROW.replace("SEARCH", search).replace("seeds: [0, 1]", "seeds: [0]")
    found = []
    for name in ("one", "two"):
        store = Store(tmp_path / name / "store")
        result, _ = go(tmp_path / name, store, ray_address, text)
        assert not result.failed
        found.append(searched(result.folder))
    assert found[0] == found[1]
    statuses = {trial["status"] for trial in found[0]["trials"]}
    assert "done" in statuses
    assert ("stopped" in statuses) == ("asha" in search)


def test_a_search_without_a_finished_trial_fails_its_row_alone(
    tmp_path: Path, ray_address: str
) -> None:
    text = """
rows:
  a:
    model: baseline_cnn
    batch_size: 8
    search: {space: {optimizer.lr: [1e30, 1e31]}, sampler: grid}
  plain: {model: baseline_cnn}
"""
    result, _ = go(tmp_path, Store(tmp_path / "store"), ray_address, text)
    status = {item.row: item.status for item in result.outcomes}
    assert status == {"a": "failed", "plain": "done"}
    (failed,) = result.failed
    assert "no trial of the search can be chosen" in failed.reason
    assert "not finite" in failed.reason


DIES = """
import os

from skinbench.records import TechniqueEntry

KIND = "techniques"


def _draw(labels, n_classes, options, generator):
    os._exit(1)


ENTRY = TechniqueEntry(version=1, draw=_draw)
"""


def test_a_trial_that_is_lost_before_it_says_anything_fails_its_row_alone(
    tmp_path: Path, ray_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skinbench.cluster.trials.MAX_FAILURES", 0)
    monkeypatch.setattr("skinbench.cluster.search.MAX_FAILURES", 0)
    (tmp_path / "dies.py").write_text(DIES, encoding="utf-8")
    text = """
plugins: [dies.py]
rows:
  lost: {model: baseline_cnn, technique: dies, epochs: 1}
  a: {model: baseline_cnn, technique: dies, search: {space: {batch_size: [8, 16]}, sampler: grid}}
  plain: {model: baseline_cnn}
"""
    result, _ = go(tmp_path, Store(tmp_path / "store"), ray_address, text)
    status = {item.row: item.status for item in result.outcomes}
    assert status == {"lost": "failed", "a": "failed", "plain": "done"}
    reasons = {item.row: item.reason for item in result.failed}
    assert "no trial of the search can be chosen" in reasons["a"]
    assert "its worker process has died" in reasons["lost"]
