"""Prediction through Ray Data from a pixel store, beside plain Ray actors on the same file.

python -m benchmark.raydata HOW COUNT does it one way; benchmark/run.py compares them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmark import agreement, limit
from benchmark.prediction import MEAN, STD, predict
from benchmark.run import Entry, Ratio, Row
from benchmark.workload import ALLOCATOR, BATCH, MODEL, SIZE, images, place, weights

COUNTS = {10_015: 0.6, 33_126: 0.8}
"""Images of HAM10000 and of ISIC 2020, and the share of the limit that is aimed at."""


def entries(small: bool) -> Row:
    """The pass alone, Ray's start and its actors' imports in it."""
    counts = {200: 0.6} if small else COUNTS
    weights()
    found: list[Entry] = []
    ratios: list[Ratio] = []
    for count, share in counts.items():

        def entry(name: str, how: str, count: int = count, **more: Any) -> Entry:
            command = ("-m", "benchmark.raydata", how, str(count))
            return Entry(name=f"{name}, {count:,} images", command=command, images=count, **more)

        ours, process = (
            entry("skinbench, Ray Data", "ray"),
            entry("skinbench, one process", "process"),
        )
        actors = entry("plain Ray actors", "actors", environment=ALLOCATOR)
        forward = entry("limit: tensors in memory", "folded")
        found += [ours, process, actors, forward]
        ratios += [
            Ratio(says=f"{forward.name} / Ray Data", of=forward.name, over=ours.name, least=share),
            Ratio(says="plain Ray actors / Ray Data", of=actors.name, over=ours.name),
            Ratio(says="what Ray takes, / one process", of=ours.name, over=process.name),
        ]
    return Row(
        title=f"Prediction on Ray from decoded pixels, {MODEL}, {SIZE} px",
        reference=found[0].name,
        entries=tuple(found),
        ratios=tuple(ratios),
        notes=(
            "Seconds of the pass over the pixel store: Ray's start, its actors' imports and the "
            "tables are in it for both, what the driver imports is not. Plain actors have the "
            "allocator set and a traced network. Beyond 10,015 images repeat under other ids.",
        ),
    )


def repeated(count: int) -> list[Path]:
    """So many images, the same again under other ids where there are fewer."""
    files = images(count)
    if len(files) == count:
        return files
    folder = place() / "repeated"
    folder.mkdir(exist_ok=True)
    found = []
    for index in range(count):
        turn, place_in = divmod(index, len(files))
        path = folder / f"{turn}-{files[place_in].name}"
        if not path.exists():
            os.link(files[place_in], path)
        found.append(path)
    return sorted(found)


def actors(pixels: Path, count: int) -> tuple[np.ndarray, float]:
    """As Ray's guide to actor pools has it, an actor a core; probabilities and seconds."""
    import ray
    from ray.util import ActorPool

    start = time.perf_counter()
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)

    @ray.remote(num_cpus=1)
    class Predict:
        def __init__(self) -> None:
            import torch

            torch.set_num_threads(1)
            self.pixels = np.load(pixels, mmap_mode="r")
            self.model = limit.traced(MODEL)

        def part(self, start: int) -> np.ndarray:
            import torch

            taken = torch.from_numpy(self.pixels[start : min(start + BATCH, count)].copy())
            batch = (taken.permute(0, 3, 1, 2).float() / 255 - MEAN) / STD
            with torch.inference_mode():
                return self.model(batch).softmax(dim=1).numpy()

    pool = ActorPool([Predict.remote() for _ in range(2)])
    parts = pool.map(lambda actor, at: actor.part.remote(at), range(0, count, BATCH))
    found = np.concatenate(list(parts))
    seconds = time.perf_counter() - start
    ray.shutdown()
    return found, seconds


def stored(row: str, count: int) -> Path:
    """The pixels that skinbench decoded: one file of [N, S, S, 3] uint8."""
    return next(
        path
        for path in sorted((place() / row / "store" / "pixels").glob("*/images.npy"))
        if np.load(path, mmap_mode="r").shape[:2] == (count, SIZE)
    )


def main() -> None:
    """Do it one way; the last line is JSON."""
    how, count = sys.argv[1], int(sys.argv[2])
    row = f"raydata-{count}"
    if how == "folded":
        said: dict[str, object] = {"seconds": limit.seconds([MODEL], count)}
    elif how == "actors":
        found, seconds = actors(stored(row, count), count)
        said = {"seconds": seconds, "result": agreement.compare(row, found)}
    else:
        found, seconds = predict(row, repeated(count), [MODEL], warm=True, engine=how)
        said = {"seconds": seconds, "result": agreement.keep(row, found[0])}
    print(json.dumps(said))


if __name__ == "__main__":
    main()
