"""Prediction by skinbench's own stages: manifest, pixel store, one pass; scoring left out."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmark.workload import LABELS, SIZE, place, weights

MEAN = STD = 0.5


def predict(
    row: str, files: Sequence[Path], networks: Sequence[str], *, warm: bool, engine: str = "process"
) -> tuple[np.ndarray, float]:
    """Probabilities of networks of timm for images.

    Args:
        row: of the benchmark; its store stays for a warm pass.
        files: all in one folder.
        networks: names; their weights are those of `workload.weights`.
        warm: take the pixel store that lies there. What is imported is then imported first.
        engine: `process` or `ray`.

    Returns:
        [M, N, C], images in the order of `files`, and the seconds of the pass alone: Ray's start
        and reading the networks are in it.
    """
    from skinbench.cluster.session import Session
    from skinbench.pipeline import Options, prepare
    from skinbench.pipeline.predicting import predict as one_pass
    from skinbench.pipeline.prepared import Clock
    from skinbench.pipeline.scheduling import open_schedule
    from skinbench.records import silent
    from skinbench.score.predictions import read_predictions
    from skinbench.store import RunFolder, Store

    root = place() / row
    root.mkdir(exist_ok=True)
    store, run = root / "store", Path(tempfile.mkdtemp(dir=root))
    shutil.rmtree(store / "predictions" if warm else store, ignore_errors=True)
    if warm:
        import timm  # noqa: F401 - a network's file is read with it

        import skinbench.learn.infer  # noqa: F401
    folder, clock = RunFolder(run), Clock(listener=silent)
    options = Options(folder=run, store=Store(store))
    prepared = prepare(_suite(root, files, networks, engine), options, clock)
    with Session(log=folder.log) as session:
        schedule = open_schedule(prepared, options, session, clock)
        schedule.train(max_concurrent=None, fail_fast=True)
        start = time.perf_counter()
        one_pass(prepared, folder, session, schedule)
        seconds = time.perf_counter() - start
    found = []
    for name in networks:
        frame = read_predictions(folder.prediction(f"{name}@0.0")).frame
        test = frame[frame["dataset"] == "images"].set_index("image_id")
        ordered = test.loc[[path.stem for path in files]]
        found.append(ordered[[f"p_{code}" for code in LABELS]].to_numpy())
    shutil.rmtree(run)
    return np.stack(found), seconds


def _suite(root: Path, files: Sequence[Path], networks: Sequence[str], engine: str) -> Any:
    """All images as a test set of their own; the few drawn ones only make a train set."""
    from skinbench.suite import load_suite

    folder = files[0].parent
    table = folder / f"{root.name}.csv"
    # One label for all: equal files under two labels would be set aside.
    lines = [f"{path.stem},{path.name},nv" for path in files]
    table.write_text("image_id,path,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    rows = [
        f"""
  {name}:
    model:
      name: {name}
      trained:
        file: {weights(name)}
        labels: [{", ".join(LABELS)}]
        size: {SIZE}
        mean: [{MEAN}, {MEAN}, {MEAN}]
        std: [{STD}, {STD}, {STD}]
    split: all
    image_size: {SIZE}"""
        for name in networks
    ]
    text = f"""
name: inference
data:
  drawn: {{adapter: synthetic, options: {{lesions: 40, size: 64}}, labels: ham7}}
  images: {{adapter: csv, root: {folder}, labels: ham7, options: {{table: {table.name}}}}}
splits:
  all: {{train: drawn, test: images, group: image, val: 0}}
leakage: keep
baselines: false
explain: null
weak_spots: null
inference: {{engine: {engine}}}
rows:{"".join(rows)}
"""
    path = root / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return load_suite(path)
