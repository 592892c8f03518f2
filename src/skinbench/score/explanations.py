"""What is measured on heatmaps, as means over test images with intervals by lesion group."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from skinbench.errors import PredictionsError, counted
from skinbench.records.explaining import HEAT_MEASURES, HEAT_SHARES, HeatScore
from skinbench.records.resampling import Resamples
from skinbench.score.group_means import Floats, group_means
from skinbench.score.intervals import interval
from skinbench.score.proportions import GroupSums
from skinbench.store import replacing
from skinbench.store.parquet import read_parquet_table

MEASURES = ("lesion", *HEAT_MEASURES)
_TEXTS = ("row", "method", "image_id", "group_id", "dataset")
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in _TEXTS),
        pa.field("weight", pa.float32(), nullable=False),
        *(pa.field(name, pa.float64()) for name in MEASURES),  # null where not taken
    ]
)


@dataclass(frozen=True, kw_only=True)
class HeatMeasures:
    """Measures of every image, and why an explainer gave none."""

    table: pd.DataFrame
    """row, method, image_id, group_id, dataset, weight, and a column for each of MEASURES."""
    problems: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Row -> explainer -> why it could not explain the row."""


def write_heat(path: Path, heat: HeatMeasures) -> None:
    """Write a run's measures; equal ones give equal bytes, whatever their order.

    Raises:
        StoreError: the disk is full or read-only.
    """
    keys = ["row", "dataset", "method", "image_id"]
    ordered = heat.table.sort_values(keys, kind="stable", ignore_index=True)
    table = pa.Table.from_pandas(ordered, schema=_SCHEMA, preserve_index=False)
    table = table.replace_schema_metadata({"problems": json.dumps(heat.problems, sort_keys=True)})
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_heat(path: Path) -> HeatMeasures:
    """Read a run's measures; none where the run took none.

    Raises:
        PredictionsError: the file is truncated, or has other columns.
    """
    if not path.exists():
        return HeatMeasures(table=_SCHEMA.empty_table().to_pandas())
    try:
        table = read_parquet_table(path)
        problems = json.loads((table.schema.metadata or {}).get(b"problems", b"{}"))
        for field_ in _SCHEMA:
            if field_.name in MEASURES and field_.name not in table.column_names:
                # A measure that an earlier version did not take.
                table = table.append_column(field_, pa.nulls(len(table), field_.type))
        table = table.select(_SCHEMA.names)
        return HeatMeasures(table=table.cast(_SCHEMA).to_pandas(), problems=problems)
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise PredictionsError(f"{path}: cannot be read ({reason}); run the suite again") from error


def score_heat(heat: HeatMeasures, resamples: Resamples) -> tuple[HeatScore, ...]:
    """Score every explainer of every row and dataset; resamples are of lesion groups.

    An image of which a measure could not be taken (a flat map, no lesion mask) is left out of
    that measure and counted.

    Args:
        heat: what was measured.
        resamples: how intervals are made.
    """
    found = list(_taken(heat.table, resamples))
    for row, methods in sorted(heat.problems.items()):
        found += [
            HeatScore(row=row, method=method, measure="", dataset="", value=None, n=0, reason=why)
            for method, why in sorted(methods.items())
        ]
    return tuple(found)


def _taken(table: pd.DataFrame, resamples: Resamples) -> Iterator[HeatScore]:
    for (row, dataset, method), part in table.groupby(["row", "dataset", "method"], sort=True):
        place = {"row": str(row), "dataset": str(dataset), "method": str(method)}
        for measure in MEASURES:
            has = part[part[measure].notna()].sort_values("image_id", kind="stable")
            if not len(has):
                continue
            values: Floats = has[measure].to_numpy(np.float64)
            means = group_means(has, {measure: values})
            resampled = means.resampled(measure, resamples.replicates, resamples.seed)
            share = [GroupSums(hits=means.sums[measure], images=means.weights)]
            bounds = interval(
                resampled,
                resamples.level,
                n_groups=len(means.universe),
                share=share if measure in HEAT_SHARES else (),
            )
            yield HeatScore(
                **place,
                measure=measure,
                value=float(resampled[0]),
                low=bounds.low,
                high=bounds.high,
                n=len(has),
                n_groups=len(means.universe),
                reason="; ".join(filter(None, (bounds.reason, _left_out(part, measure)))),
            )


def _left_out(part: pd.DataFrame, measure: str) -> str:
    """How many images have no heat at all: their map is flat."""
    flat = int(part["corners"].isna().sum())
    if measure != "corners" or not flat:
        return ""
    return f"{counted(flat, 'image')} with a flat map left out"
