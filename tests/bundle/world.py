"""A tiny run, trained in this process, and bundles of its cells: made once a session."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from skinbench.pipeline.exporting import ExportRequest, ExportResult, export_cell
from skinbench.pipeline.scoring import score
from skinbench.records import Manifest
from skinbench.store import RunFolder, Store, write_json
from tests.pipeline.in_process import predicted

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
    prepared, schedule, folder = predicted(home / "suite.yaml")
    assert {record.error for record in schedule.records.values()} == {""}
    score(prepared, schedule.records, folder)
    write_json(folder.run, {"suite": "leaving"})
    drawn = prepared.manifests["drawn"]
    return World(home=home, folder=folder, store=schedule.store, drawn=drawn)


@functools.cache
def bundle(cell: str) -> ExportResult:
    """A cell of the run, exported."""
    made = world()
    out = made.home / "bundles" / cell.replace("/", "_").replace("@", "_")
    request = ExportRequest(folder=made.folder, cell=cell, out=out, store=made.store)
    return export_cell(request, lambda *_: None)
