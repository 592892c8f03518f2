"""A suite prepared and trained in this process: the stages of a run without Ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from skinbench.cluster import schedule as module
from skinbench.cluster.schedule import Schedule
from skinbench.data.manifest import publish_manifest
from skinbench.data.splits import publish_split
from skinbench.learn.fit import train_fits
from skinbench.pipeline import Options, prepare
from skinbench.pipeline.prepared import Prepared
from skinbench.store import Store
from skinbench.suite import load_suite
from tests.pipeline.tiny import write_suite


class Waves(list[list[str]]):
    """Titles of the fits that ran together, wave by wave."""


def train_here(monkeypatch: pytest.MonkeyPatch) -> Waves:
    """Let trials run in this process; gives what will have run."""
    waves = Waves()

    def in_process(request, _counts, store, _session, _listener):
        waves.append(sorted(request.titles[name] for name in request.specs))
        return train_fits(request.specs, store, weights=request.weights, on_epoch=lambda *_: None)

    monkeypatch.setattr(module, "run_trials", in_process)
    return waves


def scheduled(folder: Path, rows: str, sets: Sequence[str] = ()) -> tuple[Prepared, Schedule]:
    """A suite of tiny rows, its pixels made; what is trained next is up to the test."""
    store = Store(folder / "store")
    suite = load_suite(write_suite(folder, rows), sets=sets)
    prepared = prepare(suite, Options(folder=folder / "run", store=store))
    for manifest in prepared.manifests.values():
        publish_manifest(manifest, store)
    for split in prepared.splits.values():
        publish_split(split, store)
    made = Schedule(
        plan=prepared.plan,
        weights={},
        manifests=prepared.manifests,
        splits=prepared.splits,
        store=store,
        session=None,
        listener=lambda _: None,
        workers=1,
    )
    made.make_pixels()
    made.make_features()
    return prepared, made
