"""What is left to do, in seconds: from measured fits where there are any."""

from __future__ import annotations

from pathlib import Path

import pytest

from skinbench.pipeline import Options, prepare
from skinbench.pipeline.estimating import Nodes, estimate
from skinbench.records import EpochRecord, Estimate, FitRecord
from skinbench.store import Store, write_json
from skinbench.suite import load_suite
from tests.pipeline.tiny import write_suite

ROWS = """
rows:
  a: {model: baseline_cnn, seeds: [0, 1, 2]}
  b: {model: {name: baseline_cnn, weights: {row: a}}}
"""


def look(tmp_path: Path, text: str, nodes: Nodes | None = None) -> tuple[Estimate, Store]:
    store = Store(tmp_path / "store")
    options = Options(folder=tmp_path / "run", store=store)
    prepared = prepare(load_suite(write_suite(tmp_path, text)), options)
    return estimate(prepared, store, options.folder, nodes), store


def test_without_a_measured_fit_it_says_so(tmp_path: Path) -> None:
    found, _ = look(tmp_path, ROWS, Nodes(count=2, cpus=2, gpus=0, price=3.0))
    assert (found.fits, found.measured, found.unit) == (4, 0, "core")
    assert "no fit is measured here yet" in found.basis
    assert [line.workers for line in found.lines] == [1, 8, 64, 512]
    times = [line.seconds for line in found.lines]
    assert times == sorted(times, reverse=True)
    assert found.nodes is not None
    assert found.nodes.workers == 4
    assert found.cost == pytest.approx(found.nodes.seconds / 3600 * 3 * 2)


def test_measured_fits_say_how_long_the_others_take(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    options = Options(folder=tmp_path / "run", store=store)
    prepared = prepare(load_suite(write_suite(tmp_path, ROWS)), options)
    plan = prepared.plan
    first = next(str(cell.fit) for cell in plan.cells if cell.name == "a@0.1")
    (split,) = prepared.splits.values()
    # Half of its epochs at 8 s each, over as many images as the whole split has.
    epoch = EpochRecord(
        epoch=1,
        train_loss=1.0,
        val_log_loss=None,
        val_accuracy=None,
        val_balanced_accuracy=None,
        learning_rate=0.1,
        seconds=8.0,
        images=len(split.table),
    )
    record = FitRecord(fit_id=first, status="done", history=(epoch, epoch), seconds=16.0)

    def write(folder: Path) -> None:
        write_json(folder / "spec.json", plan.fits[first])
        write_json(folder / "record.json", record)

    store.publish("fits", first, write)
    found = estimate(prepared, store, options.folder, None)
    assert (found.fits, found.measured) == (3, 3)
    assert found.fit_seconds == pytest.approx(3 * 4 * 8.0)
    assert "from 1 fit that this store has measured" in found.basis
    # Two of row a beside each other, then b, which starts from a.
    assert found.lines[1].seconds - found.serial_seconds == pytest.approx(64.6)
    assert found.lines[1].limit.startswith("fits that wait: a@")


def test_a_device_of_which_nothing_is_known(tmp_path: Path) -> None:
    found, _ = look(tmp_path, "\nrows:\n  a: {model: baseline_cnn, resources: {gpu: 0.5}}\n")
    assert found.fit_seconds is None
    assert found.gpu_hours is None
    assert found.lines == ()
