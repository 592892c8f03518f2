"""Many images and rows: prediction files to every metric of 20 rows, with 1,000 resamples.

python -m benchmark.scale IMAGES CLASSES ROWS REPLICATES scores; `make` before them writes files.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from benchmark.run import Entry, Row

CODES = ("nv", "mel", "bkl", "bcc", "akiec", "df", "vasc", "scc")
MALIGNANT_SHARE = 0.02
"""As of ISIC 2020, for two classes; of more the first has seven tenths of the images."""


def entries(small: bool) -> Row:
    """ISIC 2020's number of images, and a million."""
    sizes = ((500, 2, 3, 50), (500, 8, 3, 50)) if small else SIZES

    def entry(images: int, classes: int, rows: int, replicates: int) -> Entry:
        work = tuple(map(str, (images, classes, rows, replicates)))
        name = f"{images:,} images, {classes} classes, {rows} rows"
        return Entry(name=name, command=("-m", "benchmark.scale", *work), repeats=1)

    each = [entry(*size) for size in sizes]
    return Row(
        title=f"Scale: every metric, {sizes[0][3]:,} resamples",
        reference=each[0].name,
        entries=tuple(each),
        notes=(
            "Reading and checking the prediction files is in it. Above 100,000 images ranking "
            "metrics are taken over 4,096 bins of scores.",
        ),
    )


SIZES = ((33_126, 2, 20, 1000), (1_000_000, 8, 20, 1000))


def make(folder: Path, images: int, classes: int, rows: int) -> None:
    """Write a prediction file for each row; a lesion has 1.3 images."""
    import pandas as pd

    from skinbench.score.predictions import write_predictions

    codes = CODES[:classes]
    rest = MALIGNANT_SHARE if classes == 2 else 0.3
    shares = np.r_[1 - rest, np.full(classes - 1, rest / (classes - 1))]
    generator = np.random.default_rng(0)
    labels = generator.choice(classes, size=images, p=shares)
    lesions = np.sort(generator.integers(0, int(images * 0.75), size=images))
    frame = pd.DataFrame(
        {
            "image_id": [f"i{number:07d}" for number in range(images)],
            "dataset": "drawn",
            "group_id": [f"l{number:07d}" for number in lesions],
            "label": np.array(codes, dtype=object)[labels],
            "split": "test",
            "fold": 0,
            "condition": "none",
            "weight": 1.0,
        }
    )
    for row in range(rows):
        logits = generator.normal(size=(images, classes))
        logits[np.arange(images), labels] += 1.5
        odds = np.exp(logits)
        frame[[f"p_{code}" for code in codes]] = odds / odds.sum(axis=1, keepdims=True)
        write_predictions(folder / f"{row}.parquet", frame, classes=codes)


def score(folder: Path, classes: int, replicates: int) -> int:
    """Read the files and score them; how many scores there are."""
    from skinbench import records
    from skinbench.records.resampling import Resamples
    from skinbench.score.predictions import read_predictions
    from skinbench.score.scorecard import score_rows

    files = sorted(folder.glob("*.parquet"))
    predictions = {f"r{path.stem}@0.0": read_predictions(path) for path in files}
    rows = [
        records.Row(
            name=f"r{path.stem}",
            kind="fit",
            model="drawn",
            input="image",
            technique="none",
            split="all",
            label_space="drawn",
            classes=CODES[:classes],
        )
        for path in files
    ]
    cells = [records.Cell(row=row.name, fold=0, seed=0, fit=None) for row in rows]
    scores, _ = score_rows(rows, predictions, cells, resamples=Resamples(replicates=replicates))
    return len(scores)


def main() -> None:
    """Write files in a process of its own, then score them; the last line is JSON."""
    *how, images, classes, rows, replicates = sys.argv[1:]
    if how:
        make(Path(how[1]), int(images), int(classes), int(rows))
        return
    with tempfile.TemporaryDirectory() as folder:
        sizes = (images, classes, rows, replicates)
        command = [sys.executable, "-m", "benchmark.scale", "make", folder, *sizes]
        subprocess.run(command, check=True)
        start = time.perf_counter()
        found = score(Path(folder), int(classes), int(replicates))
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(json.dumps({"seconds": seconds, "peak": round(peak, 1), "scores": found}))


if __name__ == "__main__":
    main()
