"""The order of fits that need each other, without Ray: trials run in this process."""

from __future__ import annotations

import pytest

from skinbench.cluster import schedule as module
from skinbench.cluster.schedule import Schedule
from skinbench.data.manifest import publish_manifest
from skinbench.data.splits import publish_split
from skinbench.learn.fit import train_fits
from skinbench.pipeline import Options, prepare
from skinbench.store import Store
from skinbench.suite import load_suite
from tests.pipeline.tiny import write_suite

pytestmark = pytest.mark.torch
ROWS = """
rows:
  seen: {model: baseline_cnn, pixels: {name: cam_overlay, row: maker}, epochs: 1}
  frozen:
    model: {name: test_resnet, frozen: true}
    pixels: {name: cam_overlay, row: maker}
    epochs: 1
  maker: {model: baseline_cnn, epochs: 1, augment: [AUGMENT]}
  apart: {model: baseline_cnn, epochs: 2}
"""


@pytest.fixture
def scheduled(tmp_path, monkeypatch):
    waves, events = [], []

    def in_process(request, _counts, store, _session, _listener):
        waves.append(sorted(request.titles[name] for name in request.specs))
        return train_fits(request.specs, store, weights=request.weights, on_epoch=lambda *_: None)

    monkeypatch.setattr(module, "run_trials", in_process)

    def make(rows):
        store = Store(tmp_path / "store")
        suite = load_suite(write_suite(tmp_path, rows))
        prepared = prepare(suite, Options(folder=tmp_path / "run", store=store))
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
            listener=events.append,
            workers=1,
        )
        made.make_pixels()
        made.make_features()
        return made, waves, events

    return make


def by_row(schedule):
    return {
        cell.row: schedule.records[cell.fit] for cell in schedule.plan.cells if cell.fit is not None
    }


def test_what_makes_pixels_runs_first(scheduled):
    schedule, waves, _ = scheduled(ROWS.replace("AUGMENT", ""))
    schedule.train(max_concurrent=None, fail_fast=False)
    assert waves == [["apart", "maker"], ["frozen", "seen"]]
    assert {record.status for record in by_row(schedule).values()} == {"done"}
    again, waves, _ = scheduled(ROWS.replace("AUGMENT", ""))
    assert again.pending == {}


def test_a_failed_need_fails_its_dependants_by_name(scheduled):
    broken = ROWS.replace("AUGMENT", "{name: rotation, options: {degrees: wrong}}")
    schedule, waves, _ = scheduled(broken)
    schedule.train(max_concurrent=None, fail_fast=False)
    assert waves == [["apart", "maker"]]
    found = by_row(schedule)
    assert found["apart"].status == "done"
    assert found["maker"].status == "failed"
    for row in ("seen", "frozen"):
        assert found[row].status == "blocked"
        assert found[row].error == "needs maker, which failed"


def test_pixels_that_cannot_be_made_fail_their_rows_alone(scheduled):
    wrong = "row: maker, options: {colours: jett}}, epochs"
    rows = ROWS.replace("AUGMENT", "").replace("row: maker}, epochs", wrong)
    schedule, waves, _ = scheduled(rows)
    schedule.train(max_concurrent=None, fail_fast=False)
    assert waves == [["apart", "maker"], ["frozen"]]
    found = by_row(schedule)
    assert found["seen"].status == "failed"
    assert "no colour map 'jett'" in found["seen"].error
    assert found["frozen"].status == "done"
