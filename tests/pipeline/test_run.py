"""The whole line on a tiny suite, in this process, on the shared Ray cluster."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from skinbench.data.manifest import import_manifest
from skinbench.errors import DataError, StoreError
from skinbench.pipeline import Options, RunResult, run_suite
from skinbench.pipeline.scoring import score_folder
from skinbench.records import Event, FitRecord
from skinbench.score.predictions import read_predictions
from skinbench.store import RunFolder, Store, alone_in, read_json
from skinbench.suite import load_suite
from tests.pipeline.tiny import ROWS, write_suite
from tests.reports import whole_markdown

pytestmark = [pytest.mark.ray, pytest.mark.torch]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


def go(
    tmp_path: Path, store: Store, address: str, text: str = ROWS, **options: object
) -> tuple[RunResult, list[Event]]:
    events: list[Event] = []
    suite = load_suite(write_suite(tmp_path, text))
    settings = {"folder": tmp_path / "run", "store": store, "address": address, **options}
    return run_suite(suite, Options(**settings), events.append), events  # type: ignore[arg-type]


def fitted(events: list[Event]) -> list[str]:
    return sorted(event.name for event in events if event.kind == "fit")


def test_a_folder_in_which_another_run_is_at_work_is_refused(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skinbench.pipeline.run.PATIENCE", 0.0)
    with alone_in(tmp_path / "run"), pytest.raises(StoreError) as caught:
        go(tmp_path, store, "local")
    assert str(caught.value) == (
        f"another run is at work in {tmp_path / 'run'}; wait for its end, or name another folder "
        "with --out (both then share what they train)"
    )
    assert not list((tmp_path / "run").iterdir())


def test_a_run_that_writes_nothing_leaves_no_folder(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        assert (tmp_path / "run").is_dir(), "it is held meanwhile"
        raise DataError("no image")

    monkeypatch.setattr("skinbench.pipeline.run.prepare", refuse)
    with pytest.raises(DataError):
        go(tmp_path, store, "local")
    assert not (tmp_path / "run").exists()


def test_a_run_leaves_everything_and_a_second_one_trains_nothing(
    tmp_path: Path, ray_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-1b7f00")
    store = Store(tmp_path / "store")
    result, events = go(tmp_path, store, ray_address)
    for path in result.folder.root.rglob("*"):
        assert path.is_dir() or b"hush-1b7f00" not in path.read_bytes(), path
    assert not result.failed
    assert fitted(events) == ["a", "b"]
    folder = result.folder
    for path in (folder.suite, folder.plan, folder.run, folder.markdown, folder.html):
        assert path.is_file()
    assert {item.cell for item in result.outcomes} == {"a@0.0", "b@0.0", "both@0.0"}
    a, b, both = (read_predictions(folder.prediction(f"{name}@0.0")) for name in ("a", "b", "both"))
    assert set(a.frame["split"]) == {"val", "test"}
    mean = (a.probabilities() + b.probabilities()) / 2
    np.testing.assert_allclose(both.probabilities(), mean, atol=1e-6)
    before = folder.scorecard.read_bytes()

    again, events = go(tmp_path, store, ray_address)
    assert fitted(events) == []
    assert again.folder.scorecard.read_bytes() == before
    assert not list(folder.history.glob("*"))


def test_an_added_row_costs_that_row(tmp_path: Path, store: Store, ray_address: str) -> None:
    go(tmp_path, store, ray_address)
    more = ROWS.replace("derived:", "  c: {model: baseline_cnn, technique: focal}\nderived:")
    result, events = go(tmp_path, store, ray_address, more)
    assert fitted(events) == ["c"]
    assert len(result.scorecard.rows) == 4
    assert len(list(result.folder.history.glob("*.json"))) == 1, "the earlier scorecard is kept"


def test_a_row_that_is_gone_leaves_no_file_behind(
    tmp_path: Path, store: Store, ray_address: str
) -> None:
    whole, _ = go(tmp_path, store, ray_address)
    folder = whole.folder
    before = folder.scorecard.read_bytes()
    kept = {path.name: path.read_bytes() for path in folder.predictions.iterdir()}
    fits = {path.name for path in folder.fits.iterdir()}
    go(tmp_path, store, ray_address, "\nrows:\n  a: {model: baseline_cnn}\n")
    assert [path.name for path in folder.predictions.iterdir()] == ["a@0.0.parquet"]
    assert len(list(folder.fits.iterdir())) == 1
    (earlier,) = folder.history.glob("*.json")
    assert earlier.read_bytes() == before
    moved = folder.history / earlier.stem
    for name in ("b@0.0.parquet", "both@0.0.parquet"):
        assert (moved / "predictions" / name).read_bytes() == kept[name]
    assert {path.name for path in (moved / "fits").iterdir()} < fits
    one = folder.scorecard.read_bytes()
    score_folder(RunFolder(tmp_path / "run"))
    assert folder.scorecard.read_bytes() == one
    assert " WARNING " not in (folder.log.read_text() if folder.log.exists() else "")


def test_scoring_again_from_the_folder_alone_gives_the_same_bytes(
    tmp_path: Path, store: Store, ray_address: str
) -> None:
    result, _ = go(tmp_path, store, ray_address)
    before = result.folder.scorecard.read_bytes()
    result.folder.scorecard.unlink()
    score_folder(RunFolder(tmp_path / "run"))
    assert result.folder.scorecard.read_bytes() == before


def test_a_failed_need_fails_its_dependants_by_name_and_nothing_else(
    tmp_path: Path, store: Store, ray_address: str
) -> None:
    rows = """
rows:
  sound: {model: baseline_cnn}
  broken: {model: baseline_cnn, optimizer: {name: sgd, lr: 1e9}, technique: focal}
  second: {model: {name: baseline_cnn, weights: {row: broken}}}
  third: {model: {name: baseline_cnn, weights: {row: second}}, seeds: [0]}
derived:
  mixed: {kind: mean_probability, of: [sound, third]}
"""
    result, _ = go(tmp_path, store, ray_address, rows)
    status = {item.row: item.status for item in result.outcomes}
    assert status == {
        "sound": "done",
        "broken": "failed",
        "second": "blocked",
        "third": "blocked",
        "mixed": "blocked",
    }
    reasons = {item.row: item.reason for item in result.outcomes}
    assert "broken" in reasons["second"]
    assert "second" in reasons["third"]
    assert "third@0.0" in reasons["mixed"]
    assert reasons["broken"]
    text = whole_markdown(result.folder)
    assert reasons["second"] in text.replace("\\", "")
    scored = {score.row for score in result.scorecard.scores if score.value is not None}
    assert scored == {"sound"}


def test_a_chain_of_three_trains_in_order(tmp_path: Path, store: Store, ray_address: str) -> None:
    rows = """
rows:
  first: {model: baseline_cnn}
  warm:
    model: {name: baseline_cnn, weights: {row: first}}
    technique: class_weights
    seeds: [0, 1]
derived:
  mean: {kind: mean_probability, of: [first, warm]}
"""
    result, events = go(tmp_path, store, ray_address, rows)
    assert not result.failed
    ended = {event.name for event in events if event.kind == "fit"}
    # Seed 1 of `first` is no cell: it is trained because `warm` starts from it.
    assert {"warm@0.1", "start of warm@0.1"} <= ended
    spec = read_json(next(p for p in result.folder.fits.glob("*.json") if _warm(p)))["spec"]
    assert spec["model"]["weights"]["digest"] in {p.stem for p in result.folder.fits.glob("*")}
    epochs = [event.name for event in events if event.kind == "epoch" and event.name == "warm"]
    assert epochs, "the warm start was trained"


def _warm(path: Path) -> bool:
    return bool(read_json(path)["spec"]["model"]["weights"]["kind"] == "fit")


def test_both_engines_give_the_same_decisions(
    tmp_path: Path, store: Store, ray_address: str
) -> None:
    one, _ = go(tmp_path / "one", store, ray_address)
    text = ROWS + "inference: {engine: ray, batch_size: 16}\n"
    two, _ = go(tmp_path / "two", store, ray_address, text)
    for cell in ("a@0.0", "b@0.0"):
        left = read_predictions(one.folder.prediction(cell))
        right = read_predictions(two.folder.prediction(cell))
        assert left.metadata["engine"] == "process"
        assert right.metadata["engine"] == "ray"
        assert left.frame["image_id"].tolist() == right.frame["image_id"].tolist()
        p, q = left.probabilities(), right.probabilities()
        np.testing.assert_allclose(p, q, atol=1e-5)
        assert (p.argmax(1) == q.argmax(1)).all()
    rule = json.loads(two.folder.run.read_text())["engine"]["rule"]
    assert "inference.engine: ray" in rule


def test_folds_and_seeds_and_further_test_sets(
    tmp_path: Path, store: Store, ray_address: str
) -> None:
    text = """
data:
  drawn: {adapter: synthetic, options: {lesions: 60, size: 32, seed: 3}}
  other: {adapter: synthetic, options: {lesions: 40, size: 32, seed: 9}}
splits:
  folded: {data: drawn, group: lesion, folds: 2, val: 0.2, seed: 0, leakage: keep}
rows:
  a: {model: baseline_cnn, split: folded, seeds: [0, 1], epochs: 2}
evaluate:
  - {rows: a, on: other, conditions: [none, "blur@3"]}
  - {rows: a, conditions: ["brightness@2"]}
"""
    head = write_suite(tmp_path, "").read_text().split("data:")[0]
    tail = "defaults: {image_size: 24, batch_size: 16}\nbaselines: false\nexplain: null\n"
    path = tmp_path / "folded.yaml"
    path.write_text(head + tail + "bootstrap: {replicates: 200}\n" + text)
    options = Options(folder=tmp_path / "run", store=store, address=ray_address)
    result = run_suite(load_suite(path), options)
    assert not result.failed
    assert len(result.outcomes) == 4
    accuracy = [s for s in result.scorecard.scores if s.metric == "accuracy" and s.slice is None]
    keys = {(s.dataset, s.condition, s.seed) for s in accuracy}
    assert ("drawn", "none", None) in keys
    assert ("drawn", "none", 1) in keys
    assert ("drawn", "brightness@2", 0) in keys
    assert ("other", "blur@3", 0) in keys
    mean = next(s for s in accuracy if (s.dataset, s.condition, s.seed) == ("drawn", "none", None))
    images = import_manifest(result.folder.manifest("drawn")).table
    assert mean.n == len(images), "folds are pooled: every image is tested once"
    assert mean.sd_seeds is not None


def test_records_of_fits_are_kept_with_their_specs(
    tmp_path: Path, store: Store, ray_address: str
) -> None:
    result, _ = go(tmp_path, store, ray_address)
    kept = [read_json(path) for path in result.folder.fits.glob("*.json")]
    assert {item["record"]["status"] for item in kept} == {"done"}
    assert all(item["record"]["fit_id"] for item in kept)
    assert FitRecord(**{**kept[0]["record"], "history": ()}).best_epoch
