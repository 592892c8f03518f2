"""A suite prepared and trained in this process: the stages of a run without Ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from skinbench.cluster import schedule as module
from skinbench.cluster.schedule import Schedule
from skinbench.cluster.session import Session
from skinbench.data.manifest import publish_manifest
from skinbench.data.splits import publish_split
from skinbench.learn.fit import train_fits
from skinbench.pipeline import Options, prepare
from skinbench.pipeline.predicting import predict
from skinbench.pipeline.prepared import Prepared, write_preparation
from skinbench.store import RunFolder, Store, to_plain, write_json
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
    return made(write_suite(folder, rows), sets)


def predicted(path: Path, sets: Sequence[str] = ()) -> tuple[Prepared, Schedule, RunFolder]:
    """A suite file trained and predicted, with its store and its run folder beside it."""
    with pytest.MonkeyPatch.context() as patch:
        train_here(patch)
        prepared, schedule = made(path, sets)
        schedule.train(max_concurrent=None, fail_fast=False)
    folder = RunFolder(path.parent / "run")
    write_preparation(prepared, folder)
    with Session() as session:
        predict(prepared, folder, session, schedule)
    for fit, record in schedule.records.items():
        spec = to_plain(prepared.plan.fits[fit])
        write_json(folder.fit(fit), {"spec": spec, "record": to_plain(record)})
    return prepared, schedule, folder


def made(path: Path, sets: Sequence[str] = ()) -> tuple[Prepared, Schedule]:
    """A suite file prepared, its pixels and features made."""
    store, suite = Store(path.parent / "store"), load_suite(path, sets=sets)
    prepared = prepare(suite, Options(folder=path.parent / "run", store=store))
    for manifest in prepared.manifests.values():
        publish_manifest(manifest, store)
    for split in prepared.splits.values():
        publish_split(split, store)
    schedule = Schedule(
        plan=prepared.plan,
        weights={},
        manifests=prepared.manifests,
        splits=prepared.splits,
        store=store,
        session=None,
        listener=lambda _: None,
        workers=1,
    )
    schedule.make_pixels()
    schedule.make_features()
    return prepared, schedule
