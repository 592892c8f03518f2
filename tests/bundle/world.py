"""A tiny run, trained in this process, and bundles of its cells: made once a session."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from skinbench.cluster import schedule as schedule_module
from skinbench.cluster.schedule import Schedule
from skinbench.cluster.session import Session
from skinbench.learn.fit import train_fits
from skinbench.pipeline.exporting import ExportRequest, ExportResult, export_cell
from skinbench.pipeline.predicting import predict
from skinbench.pipeline.prepared import Options, prepare, write_preparation
from skinbench.pipeline.scoring import score
from skinbench.records import Manifest, silent
from skinbench.store import RunFolder, Store, to_plain, write_json
from skinbench.suite import load_suite

SUITE = """
name: leaving
data:
  drawn: {adapter: synthetic, private: true, options: {lesions: 120, size: 48, seed: 3}}
  two: {adapter: synthetic, labels: {space: malignant, ak: malignant},
        options: {lesions: 40, size: 48, seed: 6}}
splits:
  by_lesion: {data: drawn, group: lesion, test: 0.3, val: 0.3, seed: 0}
leakage: keep
defaults: {split: by_lesion, image_size: 32, epochs: 2, batch_size: 16}
bootstrap: {replicates: 100}
explain: null
operating_points:
  - {rows: "*", class: mel, recall: 0.8}
rows:
  pooled: {model: test_resnet, augment: [{name: center_crop, options: {share: 0.75}}]}
  fusion: {model: baseline_cnn, input: fusion_concat}
  frozen: {model: {name: test_efficientnet, frozen: true, head: {dense: 8}}, tta: [none, hflip]}
  seeds: {model: baseline_cnn, seeds: [0, 1], image_size: 16}
derived:
  both: {kind: mean_probability, of: [pooled, fusion]}
  calm: {kind: temperature, of: pooled}
evaluate:
  - {rows: pooled, on: two}
"""


@dataclass(frozen=True, kw_only=True)
class World:
    """A run folder with its store."""

    home: Path
    folder: RunFolder
    store: Store
    drawn: Manifest

    def images(self, count: int = 4) -> list[Path]:
        """Files of the first images."""
        return [self.drawn.root / path for path in self.drawn.table["path"].iloc[:count]]


@functools.cache
def world() -> World:
    """The run, trained without Ray."""
    home = Path(tempfile.mkdtemp(prefix="skinbench-leaving-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    (home / "suite.yaml").write_text(SUITE, encoding="utf-8")
    store, folder = Store(home / "store"), RunFolder(home / "run")
    options = Options(folder=folder.root, store=store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule_module, "run_trials", _here)
        patch.setenv("SKINBENCH_STORE", str(store.root))
        prepared = prepare(load_suite(home / "suite.yaml"), options)
        write_preparation(prepared, folder)
        session = Session()
        schedule = Schedule(
            plan=prepared.plan,
            weights={},
            manifests=prepared.manifests,
            splits=prepared.splits,
            store=store,
            session=session,
            listener=silent,
        )
        schedule.make_pixels()
        schedule.make_features()
        records = schedule.train(max_concurrent=None, fail_fast=False)
        for fit, record in records.items():
            assert record.status == "done", record.error
            spec = to_plain(prepared.plan.fits[fit])
            write_json(folder.fit(fit), {"spec": spec, "record": to_plain(record)})
        predict(prepared, folder, session, schedule)
        score(prepared, records, folder)
        write_json(folder.run, {"suite": "leaving"})
    return World(home=home, folder=folder, store=store, drawn=prepared.manifests["drawn"])


def _here(request, _counts, store, _session, _listener):
    return train_fits(request.specs, store, weights=request.weights, on_epoch=lambda *_: None)


@functools.cache
def bundle(cell: str) -> ExportResult:
    """A cell of the run, exported."""
    made = world()
    out = made.home / "bundles" / cell.replace("/", "_").replace("@", "_")
    request = ExportRequest(folder=made.folder, cell=cell, out=out, store=made.store)
    return export_cell(request, lambda *_: None)
