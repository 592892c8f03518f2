"""How cost grows: a whole run at 1,000 to 100,000 images and one cell, and at 1 to 64 cells.

python -m benchmark.growth IMAGES CELLS runs one; benchmark/run.py puts them side by side.
"""

from __future__ import annotations

import json
import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from benchmark.run import HERE, Entry, Ratio, Row
from benchmark.workload import LABELS, place

IMAGES, CELLS = (1_000, 3_000, 10_000, 30_000, 100_000), (1, 4, 16, 64)
FEW = 1_000
"""Images of the runs that grow in cells."""
SIZE, VIEWS, SIDE = 16, 2, 24
"""Side in pixels that the network sees; images of a lesion; side of the files."""


def entries(small: bool) -> Row:
    """The whole of `skinbench run`, in one process but for Ray's; each in an empty store."""
    images, cells, few = ((200, 400), (1, 2), 200) if small else (IMAGES, CELLS, FEW)

    def entry(name: str, count: int, rows: int) -> Entry:
        command = ("-m", "benchmark.growth", str(count), str(rows))
        return Entry(name=name, command=command, repeats=1, images=count * rows)

    by_images = {count: entry(f"{count:,} images", count, 1) for count in images}
    by_cells = {rows: entry(f"{rows} cells", few, rows) for rows in cells[1:]}
    most, fewer = by_images[images[-1]].name, by_images[images[-2]].name
    first, last = by_images[images[0]].name, by_cells[cells[-1]].name
    return Row(
        title=f"Growth: `skinbench run` on {SIDE} px images, a small CNN, one epoch",
        reference=first,
        entries=(*by_images.values(), *by_cells.values()),
        ratios=(
            Ratio(
                says=f"{most} / {fewer}, by image",
                of=most,
                over=fewer,
                times=images[-2] / images[-1],
                most=1.1,
            ),
            Ratio(
                says=f"seconds of a further cell, of {cells[-1]}",
                of=last,
                minus=first,
                over=None,
                times=1 / (cells[-1] - 1),
            ),
        ),
        notes=(
            f"From image files to the page. Cells are seeds of one row, at {few:,} images. Peak is "
            "the driver's memory: PyTorch and the tables of images; Ray's workers are not in it.",
            "![Seconds and memory as images and cells grow](growth.svg)",
        ),
        draw=_drawer(
            {count: each.name for count, each in by_images.items()},
            {1: first, **{rows: each.name for rows, each in by_cells.items()}},
        ),
    )


def files(count: int) -> Path:
    """A folder of so many small JPEGs, each unlike the others, with a table that names lesions."""
    import cv2

    folder = place() / f"growth-{count}"
    if (folder / "images.csv").exists():
        return folder
    made = Path(tempfile.mkdtemp(dir=place()))
    generator = np.random.default_rng(0)
    shares = np.array([327, 514, 1099, 115, 1113, 6705, 142]) / 10_015
    lines = ["image_id,path,label,lesion_id,age,sex"]
    classes = generator.choice(len(LABELS), size=-(-count // VIEWS), p=shares)
    for index in range(count):
        (made / f"{index // 1000:03d}").mkdir(exist_ok=True)
        lesion, name = index // VIEWS, f"{index // 1000:03d}/g{index:06d}.jpg"
        coarse = generator.integers(0, 256, size=(4, 4, 3), dtype=np.uint8)
        pixels = cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        pixels[:, :, classes[lesion] % 3] //= 2  # something to learn
        cv2.imwrite(str(made / name), pixels)
        lines.append(
            f"g{index:06d},{name},{LABELS[classes[lesion]]},l{lesion:06d},{20 + index % 60},"
            f"{('male', 'female')[index % 2]}"
        )
    (made / "images.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made.rename(folder)


def run(folder: Path, cells: int) -> float:
    """Seconds of a run in an empty store, Python's start and imports apart."""
    from skinbench.pipeline import Options, run_suite
    from skinbench.store import Store
    from skinbench.suite import load_suite

    with tempfile.TemporaryDirectory(dir=place()) as home:
        suite = Path(home) / "growth.yaml"
        suite.write_text(
            f"""
name: growth
data:
  images: {{adapter: csv, root: {folder}, labels: ham7, options: {{table: images.csv}}}}
splits:
  by_lesion: {{data: images, test: 0.2, val: 0.1}}
baselines: false
explain: null
weak_spots: null
rows:
  net:
    model: baseline_cnn
    split: by_lesion
    image_size: {SIZE}
    epochs: 1
    seeds: [{", ".join(map(str, range(cells)))}]
""",
            encoding="utf-8",
        )
        options = Options(folder=Path(home) / "run", store=Store(Path(home) / "store"))
        start = time.perf_counter()
        result = run_suite(load_suite(suite), options)
        seconds = time.perf_counter() - start
        if result.failed:
            raise SystemExit(f"{len(result.failed)} cells failed")
    return seconds


def _drawer(
    by_images: Mapping[int, str], by_cells: Mapping[int, str]
) -> Callable[[Mapping[str, float], Mapping[str, float]], None]:
    """Draws growth.svg: seconds by images, seconds by cells, memory by images."""

    def draw(seconds: Mapping[str, float], peaks: Mapping[str, float]) -> None:
        panels = (
            ("seconds, one cell", "images", by_images, seconds),
            (f"seconds, {FEW:,} images", "cells", by_cells, seconds),
            ("driver's memory, GiB", "images", by_images, peaks),
        )
        picture(HERE / "growth.svg", panels)

    return draw


def picture(
    path: Path, panels: tuple[tuple[str, str, Mapping[int, str], Mapping[str, float]], ...]
) -> None:
    """A panel for each (title, what grows, entries by it, values of the entries).

    The same numbers give the same bytes.
    """
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "growth", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(panels), figsize=(9, 2.8), layout="constrained")
    for axis, (title, grows, names, values) in zip(axes, panels, strict=True):
        steps = sorted(names)
        found = [values[names[step]] for step in steps]
        axis.plot(steps, found, marker="o", markersize=4, color="#2b6cb0", clip_on=False)
        axis.set(title=title, xlabel=grows, xlim=(0, None), ylim=(0, 1.1 * max(found)))
        axis.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        axis.annotate(
            f"{found[-1]:.3g}", (steps[-1], found[-1]), (-4, 3), textcoords="offset points",
            ha="right", va="bottom",
        )  # fmt: skip
        axis.grid(alpha=0.3)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None}, facecolor="white")
    plt.close(figure)


def main() -> None:
    """Run one; the last line is JSON."""
    import sys

    count, cells = int(sys.argv[1]), int(sys.argv[2])
    folder = files(count)
    seconds = run(folder, cells)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(json.dumps({"seconds": seconds, "peak": round(peak, 2)}))


if __name__ == "__main__":
    main()
