"""One metric of every row on its own val rows: what a row may be chosen by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from skinbench.records import Cell, CellOutcome, Row
from skinbench.score.evaluate import replicate_values
from skinbench.score.evidence import known_request
from skinbench.score.predictions import Predictions
from skinbench.score.row_images import row_images


def val_values(
    rows: Sequence[Row],
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
    metric: str,
) -> dict[str, float | None]:
    """Row name to its metric on val, mean over seeds; None where it has none.

    Args:
        rows: rows to look at.
        predictions: cell name to its checked predictions.
        cells: all cells of the rows; a row with one that is not done has no value.
        metric: `name` or `name:class`.
    """
    return {row.name: _value(row, predictions, cells, metric) for row in rows}


def _value(
    row: Row,
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
    metric: str,
) -> float | None:
    asked = known_request(metric, row)
    own = [cell for cell in cells if cell.row == row.name]
    names = [cell.name if isinstance(cell, Cell) else cell.cell for cell in own]
    if asked is None or any(name not in predictions for name in names):
        return None
    found = row_images(row, {name: _val(predictions[name]) for name in names}, own)
    if found.problems or not found.by_seed:
        return None
    values = []
    for sets in found.by_seed.values():
        plain = [images for (_, condition), images in sorted(sets.items()) if condition == "none"]
        if len(plain) != 1 or not len(plain[0]):
            return None
        values.append(float(replicate_values(plain[0], [asked], replicates=0, seed=0)[asked][0]))
    mean = float(np.mean(values))
    return None if np.isnan(mean) else mean


def _val(predictions: Predictions) -> Predictions:
    """The val rows in the place of the test rows."""
    frame = predictions.frame
    return replace(predictions, frame=frame[frame["split"] == "val"].assign(split="test"))
