"""How far metadata moves decisions: a mean over test images with intervals by lesion group."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from skinbench.errors import PredictionsError
from skinbench.records import FieldEffect
from skinbench.records.resampling import Resamples
from skinbench.score.group_means import group_means
from skinbench.store import replacing
from skinbench.store.parquet import read_parquet_table

_TEXTS = ("row", "dataset", "image_id", "group_id", "field")
_SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in _TEXTS),
        pa.field("weight", pa.float32(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in ("effect", "p", "p_typical")),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What metadata did to every image, and why a row has none."""

    table: pd.DataFrame
    """row, dataset, image_id, group_id, field, weight, effect, p, p_typical."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Row to why it could not be measured."""


def empty_effects() -> Effects:
    """Of a run in which nothing was measured."""
    return Effects(table=_SCHEMA.empty_table().to_pandas())


def write_effects(path: Path, effects: Effects) -> None:
    """Write the effects of every image; equal ones give equal bytes, whatever the images' order.

    Raises:
        StoreError: the disk is full or read-only.
    """
    ordered = effects.table.sort_values(
        ["row", "dataset", "image_id"], kind="stable", ignore_index=True
    )
    made = pa.Table.from_pandas(ordered, schema=_SCHEMA, preserve_index=False)
    about = {"problems": json.dumps(effects.problems, sort_keys=True)}
    with replacing(path) as temporary:
        pq.write_table(made.replace_schema_metadata(about), temporary, compression="zstd")


def read_effects(path: Path) -> Effects:
    """Read a run's effects; none where the run measured none.

    Raises:
        PredictionsError: the file is truncated, or has other columns.
    """
    if not path.exists():
        return empty_effects()
    try:
        table = read_parquet_table(path)
        problems = json.loads((table.schema.metadata or {}).get(b"problems", b"{}"))
        typed = table.select(_SCHEMA.names).replace_schema_metadata(None).cast(_SCHEMA)
        return Effects(table=typed.to_pandas(), problems=problems)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise PredictionsError(f"{path}: cannot be read ({reason}); run the suite again") from error


def score_effects(effects: Effects, resamples: Resamples) -> tuple[FieldEffect, ...]:
    """Mean size of each field's effect, rows and datasets apart, fields in the input's order.

    Args:
        effects: as `read_effects` gives them.
        resamples: how intervals are made.
    """
    problems = (
        FieldEffect(row=row, dataset="", field="", value=None, n=0, reason=why)
        for row, why in sorted(effects.problems.items())
    )
    return (*_scored(effects.table, resamples), *problems)


def _scored(table: pd.DataFrame, resamples: Resamples) -> Iterator[FieldEffect]:
    from skinbench.score.intervals import interval  # scipy, which a finished run does without

    for (row, dataset), whole in table.groupby(["row", "dataset"], sort=True):
        for name in dict.fromkeys(whole["field"]):
            part = whole[whole["field"] == name].sort_values("image_id", kind="stable")
            moved = part["effect"].to_numpy(np.float64)
            means = group_means(part, {"size": np.abs(moved)})
            resampled = means.resampled("size", resamples.replicates, resamples.seed)
            bounds = interval(resampled, resamples.level, n_groups=len(means.universe))
            weights = part["weight"].to_numpy(np.float64)
            yield FieldEffect(
                row=str(row),
                dataset=str(dataset),
                field=str(name),
                value=float(resampled[0]),
                low=bounds.low,
                high=bounds.high,
                mean=float((weights * moved).sum() / weights.sum()),
                n=len(part),
                n_groups=len(means.universe),
                reason=bounds.reason,
            )
