"""Dice, IoU and failure rate of rows that find lesions, with intervals by lesion group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from skinbench.errors import PredictionsError, counted
from skinbench.records import CellOutcome, Row, Score
from skinbench.records.resampling import Resamples
from skinbench.score.group_means import GroupMeans, group_means
from skinbench.score.intervals import interval
from skinbench.score.proportions import GroupSums
from skinbench.store import replacing
from skinbench.store.parquet import read_parquet_table

METRICS = ("dice", "iou", "failure_rate")
FAILED_BELOW = 0.5
"""Dice below which a segmentation has failed; nothing found is a Dice of 0."""
_SCHEMA = pa.schema(
    [
        *(pa.field(n, pa.string(), nullable=False) for n in ("image_id", "group_id")),
        *(pa.field(n, pa.string(), nullable=False) for n in ("dataset", "split")),
        pa.field("fold", pa.int32(), nullable=False),
        pa.field("weight", pa.float32(), nullable=False),
        # Pixels of both masks, of the found one, of the true one; -1 without a true one.
        *(pa.field(n, pa.int64(), nullable=False) for n in ("both", "found", "true")),
    ]
)
_SORT = ["dataset", "split", "fold", "image_id"]

Floats = npt.NDArray[np.float64]


def write_overlaps(path: Path, frame: pd.DataFrame) -> None:
    """Write a cell's overlaps; equal tables give equal bytes, whatever their row order.

    Args:
        path: the Parquet file to make or replace.
        frame: image_id, group_id, dataset, split, fold, weight, and both, found, true in pixels.

    Raises:
        StoreError: the disk is full or read-only.
    """
    ordered = frame.sort_values(_SORT, kind="stable", ignore_index=True)
    table = pa.Table.from_pandas(ordered, schema=_SCHEMA, preserve_index=False)
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary, compression="zstd")


def read_overlaps(path: Path) -> pd.DataFrame:
    """Read a cell's overlaps.

    Raises:
        PredictionsError: the file is absent, truncated, or has other columns.
    """
    try:
        found = read_parquet_table(path).select(_SCHEMA.names).replace_schema_metadata(None)
        table: pd.DataFrame = found.cast(_SCHEMA).to_pandas()
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise PredictionsError(f"{path}: cannot be read ({reason}); run the suite again") from error
    wrong = table[(table["both"] > table["found"]) | (table["both"] > table["true"])]
    if len(wrong):
        image = wrong["image_id"].iloc[0]
        raise PredictionsError(f"{path}: image {image}: the overlap is larger than a mask")
    return table


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A row's test images of one seed and dataset."""

    means: GroupMeans
    unknown: int
    """Images left out, which have no true mask."""


def per_image(table: pd.DataFrame) -> dict[str, Floats]:
    """Dice 2|A and B| / (|A| + |B|), IoU |A and B| / |A or B|, and 1 where Dice fails, [N]."""
    both, found, true = (table[name].to_numpy(np.float64) for name in ("both", "found", "true"))
    dice = 2.0 * both / (found + true)
    return {
        "dice": dice,
        "iou": both / (found + true - both),
        "failure_rate": (dice < FAILED_BELOW).astype(np.float64),
    }


def score_segmentations(
    rows: Sequence[Row],
    tables: Mapping[str, pd.DataFrame],
    cells: Sequence[CellOutcome],
    resamples: Resamples,
) -> tuple[Score, ...]:
    """Score the test images of every segmentation: each seed, then the mean over seeds.

    A metric is the mean over images; folds are pooled; resamples are of lesion groups, shared by
    all rows and seeds on the same images. Images without a true mask are left out and counted.

    Args:
        rows: rows that find lesions.
        tables: cell name to its overlaps.
        cells: all cells of the rows, finished or not.
        resamples: how intervals are made.
    """
    return tuple(score for row in rows for score in _score_row(row, tables, cells, resamples))


def _score_row(
    row: Row,
    tables: Mapping[str, pd.DataFrame],
    cells: Sequence[CellOutcome],
    settings: Resamples,
) -> Iterator[Score]:
    parts: dict[str, dict[int, _Part]] = {}
    problems: dict[int, str] = {}
    for number in sorted({cell.seed for cell in cells if cell.row == row.name}):
        own = [cell for cell in cells if cell.row == row.name and cell.seed == number]
        missing = [cell for cell in own if cell.cell not in tables]
        if missing:
            first = missing[0]
            problems[number] = f"cell {first.cell} {first.status}: {first.reason or 'no reason'}"
            continue
        joined = pd.concat([tables[cell.cell] for cell in own], ignore_index=True)
        for dataset, table in joined[joined["split"] == "test"].groupby("dataset", sort=True):
            parts.setdefault(str(dataset), {})[number] = _part(table)
    problem = "; ".join(problems[number] for number in sorted(problems))
    for dataset, seeds in (parts or {"": {}}).items():
        for metric in METRICS:
            place: dict[str, Any] = {"row": row.name, "metric": metric, "dataset": dataset}
            for number in sorted({*seeds, *problems}):
                alone = [seeds[number]] if number in seeds else []
                yield _score(place, number, alone, problems.get(number, ""), settings)
            yield _score(place, None, list(seeds.values()), problem, settings)


def _part(table: pd.DataFrame) -> _Part:
    has = table[(table["true"] > 0)].sort_values(["group_id", "image_id", "fold"], kind="stable")
    return _Part(means=group_means(has, per_image(has)), unknown=len(table) - len(has))


def _score(
    place: Mapping[str, Any],
    seed: int | None,
    parts: Sequence[_Part],
    problem: str,
    settings: Resamples,
) -> Score:
    metric = str(place["metric"])
    images = parts[0].means.images if parts else 0
    if problem or not images:
        reason = problem or "no test image has a lesion mask"
        return Score(**place, seed=seed, value=None, n=0, reason=reason)
    stacked = np.stack(
        [part.means.resampled(metric, settings.replicates, settings.seed) for part in parts]
    )
    values, groups = stacked.mean(axis=0), len(parts[0].means.universe)
    share = [
        GroupSums(hits=part.means.sums[metric], images=part.means.weights)
        for part in parts
        if metric == "failure_rate"
    ]
    bounds = interval(values, settings.level, n_groups=groups, share=share)
    unknown = parts[0].unknown
    left_out = f"{counted(unknown, 'image')} without a lesion mask left out" if unknown else ""
    return Score(
        **place,
        seed=seed,
        value=float(values[0]),
        low=bounds.low,
        high=bounds.high,
        n=images,
        n_groups=groups,
        sd_seeds=float(np.std(stacked[:, 0], ddof=1)) if len(parts) > 1 else None,
        reason="; ".join(filter(None, (bounds.reason, left_out))),
    )
