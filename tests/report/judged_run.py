"""Predictions for the fabricated run: what its cells might have decided, image by image."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from skinbench.records import Row, Scorecard
from skinbench.score.predictions import write_predictions
from skinbench.store import RunFolder, from_plain, read_record


def write_judged(folder: RunFolder, *, conditions: tuple[str, ...] = ("none",)) -> None:
    """Write test predictions of every cell that is done; the same bytes each time."""
    card = read_record(folder.scorecard, Scorecard)
    rows = {row.name: row for row in from_plain(tuple[Row, ...], list(card.rows))}
    manifest = pq.read_table(folder.manifest("lesions")).to_pandas()
    for place, cell in enumerate(card.cells):
        if cell.status != "done":
            continue
        row = rows[cell.row]
        split = pq.read_table(folder.split(row.split)).to_pandas()
        test = split[split["split"] == "test"].merge(manifest, on="image_id")
        parts = [
            _predicted(test, row.classes, np.random.default_rng([place, number]), condition)
            for number, condition in enumerate(conditions)
        ]
        frame = pd.concat(parts, ignore_index=True)
        write_predictions(folder.prediction(cell.cell), frame, classes=row.classes)


def _predicted(test: pd.DataFrame, classes, rng, condition: str) -> pd.DataFrame:
    true = test["label"].map({code: index for index, code in enumerate(classes)}).to_numpy()
    logits = rng.normal(0, 1, (len(test), len(classes)))
    logits[np.arange(len(test)), true] += 1.5
    values = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return pd.DataFrame(
        {
            "image_id": test["image_id"].to_numpy(),
            "group_id": test["group_id"].to_numpy(),
            "dataset": "lesions",
            "split": "test",
            "fold": 0,
            "condition": condition,
            "weight": 1.0,
            "label": test["label"].to_numpy(),
            **{f"p_{code}": values[:, index] for index, code in enumerate(classes)},
        }
    )
