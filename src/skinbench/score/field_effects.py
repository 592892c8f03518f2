"""How far metadata moves decisions: a mean over test images with intervals by lesion group."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from skinbench.errors import PredictionsError
from skinbench.records import FieldEffect
from skinbench.score.group_means import group_means
from skinbench.score.intervals import interval
from skinbench.store import replacing

_TEXTS = ("row", "dataset", "image_id", "group_id", "field")
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in _TEXTS),
        pa.field("weight", pa.float32(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in ("effect", "p", "p_typical")),
    ]
)


def write_effects(path: Path, table: pd.DataFrame) -> None:
    """Write the effects of every image; equal ones give equal bytes, whatever the images' order.

    Raises:
        StoreError: the disk is full or read-only.
    """
    ordered = table.sort_values(["row", "dataset", "image_id"], kind="stable", ignore_index=True)
    made = pa.Table.from_pandas(ordered, schema=_SCHEMA, preserve_index=False)
    with replacing(path) as temporary:
        pq.write_table(made.replace_schema_metadata(None), temporary, compression="zstd")


def read_effects(path: Path) -> pd.DataFrame:
    """Read a run's effects; none where the run measured none.

    Raises:
        PredictionsError: the file is truncated, or has other columns.
    """
    if not path.exists():
        empty: pd.DataFrame = _SCHEMA.empty_table().to_pandas()
        return empty
    try:
        table = pq.read_table(path, partitioning=None).select(_SCHEMA.names)
        found: pd.DataFrame = table.cast(_SCHEMA).to_pandas()
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise PredictionsError(f"{path}: cannot be read ({reason}); run the suite again") from error
    return found


def score_effects(
    table: pd.DataFrame, *, replicates: int, level: float, seed: int
) -> tuple[FieldEffect, ...]:
    """Mean size of each field's effect, rows and datasets apart, fields in the input's order.

    Args:
        table: as `read_effects` gives it.
        replicates: bootstrap resamples.
        level: coverage of intervals.
        seed: of the resamples.
    """
    return tuple(_scored(table, replicates, level, seed))


def _scored(table: pd.DataFrame, replicates: int, level: float, seed: int) -> Iterator[FieldEffect]:
    for (row, dataset), whole in table.groupby(["row", "dataset"], sort=True):
        for field in dict.fromkeys(whole["field"]):
            part = whole[whole["field"] == field].sort_values("image_id", kind="stable")
            effects = part["effect"].to_numpy(np.float64)
            means = group_means(part, {"size": np.abs(effects)})
            resampled = means.resampled("size", replicates, seed)
            bounds = interval(resampled, level, n_groups=len(means.universe))
            weights = part["weight"].to_numpy(np.float64)
            yield FieldEffect(
                row=str(row),
                dataset=str(dataset),
                field=str(field),
                value=float(resampled[0]),
                low=bounds.low,
                high=bounds.high,
                mean=float((weights * effects).sum() / weights.sum()),
                n=len(part),
                n_groups=len(means.universe),
                reason=bounds.reason,
            )
