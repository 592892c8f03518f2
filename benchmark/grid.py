"""A grid on a frozen network, as P1 has it: from JPEGs to a scorecard of 24 fits.

python -m benchmark.grid HOW IMAGES does it one way; benchmark/run.py compares them.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmark.run import Entry, Ratio, Row
from benchmark.whole_run import seconds_to_scorecard
from benchmark.workload import ALLOCATOR, LABELS, MODEL, SIZE, images, place, weights

EPOCHS, TRAIN_BATCH = 10, 32
TECHNIQUES = ("none", "class_weights", "oversampling", "focal")
INPUTS = ("image", "fusion_concat")
SEEDS = 3
CELLS = len(TECHNIQUES) * len(INPUTS) * SEEDS
SHARE = 0.7
"""Of the images that are trained on."""


def entries(small: bool) -> Row:
    """24 fits of 10 epochs; heads alone learn."""
    limit = 300 if small else len(images())

    def entry(name: str, how: str, **more: Any) -> Entry:
        return Entry(name=name, command=("-m", "benchmark.grid", how, str(limit)), **more)

    ours, views = "skinbench", "skinbench, four views of each image"
    cached = "cached features, one head after another"
    loop, allocator = "a loop over cells, DataLoader + PIL", "the same, allocator set"
    return Row(
        title=f"Frozen {MODEL}, {limit:,} JPEGs, {SIZE} px: {CELLS} fits of {EPOCHS} epochs",
        reference=ours,
        entries=(
            entry(ours, "skinbench"),
            entry(views, "views", repeats=1),
            entry(cached, "cached", repeats=1),
            entry(loop, "loop", repeats=1),
            entry(allocator, "loop", repeats=1, environment=ALLOCATOR),
        ),
        ratios=(
            Ratio(says=f"{loop} / {ours}", of=loop, over=ours, least=120),
            Ratio(says=f"{loop} / {views}", of=loop, over=views, least=60),
            Ratio(says=f"{cached} / {ours}", of=cached, over=ours, least=2),
            Ratio(says=f"seconds of {views}", of=views, over=None, most=240),
            Ratio(says="what the allocator gives the loop", of=loop, over=allocator),
            Ratio(says="what features taken once give, beyond it", of=allocator, over=cached),
        ),
        notes=(
            f"{', '.join(TECHNIQUES)}; {' and '.join(INPUTS)}; {SEEDS} seeds. skinbench counts "
            "all until the scorecard, with splits, audit and intervals; the others train alone. "
            "The loops are timed on one epoch of their first cell and scaled by epochs and cells.",
        ),
    )


def skinbench(files: list[Path], *, views: bool) -> float:
    """`skinbench run` in an empty store."""
    return seconds_to_scorecard(_suite(files, views=views), place=place())


def _suite(files: list[Path], *, views: bool) -> str:
    root = files[0].parent.parent
    labels, ages = _drawn(len(files))
    lines = [
        f"{path.stem},{path.parent.name}/{path.name},{LABELS[label]},{age}"
        for path, label, age in zip(files, labels, ages, strict=True)
    ]
    table = root / "grid.csv"
    table.write_text("image_id,path,label,age\n" + "\n".join(lines) + "\n", encoding="utf-8")
    augment = "augment: {dihedral: 4}" if views else "augment: []"
    return f"""
name: grid
data:
  images: {{adapter: csv, root: {root}, labels: ham7, options: {{table: {table.name}}}}}
splits:
  all: {{data: images, group: image, test: 0.2, val: 0.1}}
leakage: keep
baselines: false
explain: null
weak_spots: null
defaults: {{split: all, image_size: {SIZE}, epochs: {EPOCHS}, batch_size: {TRAIN_BATCH}, {augment}}}
grids:
  p1:
    model: {{name: {MODEL}, frozen: true, weights: {{file: {weights()}}}}}
    technique: [{", ".join(TECHNIQUES)}]
    input: [{", ".join(INPUTS)}]
    seeds: [{", ".join(map(str, range(SEEDS)))}]
"""


def _drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels with HAM10000's shares, and ages: what is learnt does not matter here."""
    generator = np.random.default_rng(0)
    shares = np.array([327, 514, 1099, 115, 1113, 6705, 142]) / 10_015
    return generator.choice(7, size=count, p=shares), generator.integers(20, 85, size=count)


def loop(files: list[Path]) -> float:
    """As the papers' notebooks do it: every epoch decodes and runs the frozen network."""
    import torch
    from benchmark import peers
    from torch.utils.data import DataLoader

    count = int(SHARE * len(files))
    images = peers.dataset(files[:count], _drawn(len(files))[0][:count].tolist())
    encoder = peers.network().to(memory_format=torch.channels_last)
    encoder.reset_classifier(0)
    head = _head(encoder.num_features)
    optimiser = torch.optim.Adam(head.parameters())
    loader = DataLoader(images, batch_size=TRAIN_BATCH, shuffle=True, num_workers=2)
    start = time.perf_counter()
    for pixels, target in loader:
        with torch.no_grad():
            features = encoder(pixels.to(memory_format=torch.channels_last))
        loss = torch.nn.functional.cross_entropy(head(features), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return (time.perf_counter() - start) * EPOCHS * CELLS


def cached(files: list[Path]) -> float:
    """Features once, by a DataLoader; then a head after another on tensors in memory."""
    import torch
    from benchmark import peers

    encoder = peers.network()
    encoder.reset_classifier(0)
    start = time.perf_counter()
    encoded = torch.from_numpy(peers.outputs(files, encoder))
    spent = time.perf_counter() - start
    labels = torch.from_numpy(_drawn(len(files))[0])
    head = _head(encoded.shape[1])
    optimiser = torch.optim.Adam(head.parameters())
    start = time.perf_counter()
    for part in torch.randperm(int(SHARE * len(files))).split(TRAIN_BATCH):
        loss = torch.nn.functional.cross_entropy(head(encoded[part]), labels[part])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return spent + (time.perf_counter() - start) * EPOCHS * CELLS


def _head(width: int) -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, len(LABELS)))


def main() -> None:
    """Do it one way; the last line is JSON."""
    how, count = sys.argv[1], int(sys.argv[2])
    files = images(count)
    ways = {
        "skinbench": lambda: skinbench(files, views=False),
        "views": lambda: skinbench(files, views=True),
        "loop": lambda: loop(files),
        "cached": lambda: cached(files),
    }
    print(json.dumps({"seconds": ways[how]()}))


if __name__ == "__main__":
    main()
