"""The predictions table: one file for each cell, checked whenever it is written or read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from skinbench.errors import PredictionsError, counted
from skinbench.records import predictions_schema
from skinbench.store import replacing
from skinbench.store.parquet import read_parquet_table

SUM_TOLERANCE = 1e-3
KEY = ("dataset", "image_id", "fold", "split", "condition")
"""Unique; an image is in several splits of a fold only where copies were made before splitting."""
_SORT = ["dataset", "split", "condition", "fold", "image_id"]
_TEXT = ("image_id", "group_id", "dataset", "split", "condition")
_SPLITS = ("val", "test")


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Checked predictions of one cell: val and test, every dataset and condition."""

    frame: pd.DataFrame
    """records.predictions_schema, sorted by dataset, split, condition, fold, image_id."""
    classes: tuple[str, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Label space name, cell and fit ids, engine."""

    def probabilities(self) -> npt.NDArray[np.float64]:
        """Probability columns [N, C] in class order."""
        return self.frame[[f"p_{code}" for code in self.classes]].to_numpy(np.float64)


def write_predictions(
    path: Path,
    frame: pd.DataFrame,
    *,
    classes: Sequence[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Check a table and write it; equal tables give equal bytes, whatever their row order.

    Args:
        path: the Parquet file to make or replace.
        frame: columns of records.predictions_schema, in any order; others are left out.
        classes: lower-case codes, the order of every probability vector.
        metadata: facts kept in the schema; text to text.

    Raises:
        PredictionsError: the table breaks the schema; nothing is written.
        StoreError: the disk is full or read-only.
    """
    codes = tuple(classes)
    schema = predictions_schema(codes, metadata)
    table = _typed(path, pa.Table.from_pandas(frame, preserve_index=False), schema)
    checked = _check(path, table.to_pandas(), codes).sort_values(_SORT, kind="stable")
    arrays = [
        pa.array(_nulls_as_none(checked[name]), type=schema.field(name).type)
        for name in schema.names
    ]
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), temporary, compression="zstd")


def read_predictions(path: Path) -> Predictions:
    """Read a predictions file and check every row of it.

    A file without the class order in its schema is read in the order of its `p_` columns.

    Raises:
        PredictionsError: it is absent, truncated, or breaks the schema; the message names file,
            column and the first bad row.
    """
    try:
        table = read_parquet_table(path)
    except (OSError, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        raise PredictionsError(
            f"{path}: cannot be read as Parquet ({reason}); make the predictions again"
        ) from error
    stored = {
        key.decode(errors="replace"): value.decode(errors="replace")
        for key, value in (table.schema.metadata or {}).items()
    }
    columns = [name.removeprefix("p_") for name in table.column_names if name.startswith("p_")]
    classes = tuple(filter(None, stored.pop("classes", ",".join(columns)).split(",")))
    if not classes:
        raise PredictionsError(
            f"{path}: has no probability column; expected one p_<class> for each class"
        )
    stored.pop("pandas", None)
    stored.pop("ARROW:schema", None)
    typed = _typed(path, table, predictions_schema(classes))
    frame = _check(path, typed.to_pandas(), classes).sort_values(_SORT, kind="stable")
    return Predictions(frame=frame.reset_index(drop=True), classes=classes, metadata=stored)


def check_frame(frame: pd.DataFrame, classes: Sequence[str], source: Path | str) -> Predictions:
    """The same checks for a table in memory.

    Raises:
        PredictionsError: as read_predictions; `source` stands for the file in messages.
    """
    codes = tuple(classes)
    typed = _typed(
        source, pa.Table.from_pandas(frame, preserve_index=False), predictions_schema(codes)
    )
    checked = _check(source, typed.to_pandas(), codes).sort_values(_SORT, kind="stable")
    return Predictions(frame=checked.reset_index(drop=True), classes=codes)


def _nulls_as_none(column: pd.Series) -> list[object] | npt.NDArray[np.generic]:
    """Text columns as Python strings or None; numbers as they are."""
    if column.name in (*_TEXT, "label"):
        return [value if isinstance(value, str) else None for value in column]
    return np.asarray(column)


def _typed(path: Path | str, table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table's columns of the schema, cast to its types."""
    columns = []
    for field_ in schema:
        if field_.name not in table.column_names:
            raise PredictionsError(
                f"{path}: column '{field_.name}' is missing; expected {', '.join(schema.names)}"
            )
        column = table.column(field_.name)
        try:
            columns.append(column.cast(field_.type, safe=not pa.types.is_floating(field_.type)))
        except pa.ArrowException as error:
            raise PredictionsError(
                f"{path}: column '{field_.name}' holds {column.type}, expected {field_.type} "
                f"({str(error).partition(chr(10))[0]})"
            ) from error
    return pa.Table.from_arrays(columns, names=schema.names)


def _check(path: Path | str, frame: pd.DataFrame, classes: tuple[str, ...]) -> pd.DataFrame:
    """The frame itself, if every row keeps the schema's promises."""
    for name in (*_TEXT, "fold", "weight"):
        _refuse(path, frame, frame[name].isna().to_numpy(), name, "is null", "a value in each row")
    _refuse(
        path, frame, ~frame["split"].isin(_SPLITS).to_numpy(), "split", "is unknown", "val or test"
    )
    known = frame["label"].isna() | frame["label"].isin(classes)
    _refuse(
        path,
        frame,
        ~known.to_numpy(),
        "label",
        "is not in the label space",
        f"one of {', '.join(classes)}, or null",
    )
    weight = frame["weight"].to_numpy(np.float64)
    bad = ~(np.isfinite(weight) & (weight >= 0))
    _refuse(path, frame, bad, "weight", "is not a weight", "a finite number of at least 0")
    for code in classes:
        values = frame[f"p_{code}"].to_numpy(np.float64)
        bad = ~((values >= 0) & (values <= 1))
        _refuse(path, frame, bad, f"p_{code}", "is not a probability", "a finite number in [0, 1]")
    total = frame[[f"p_{code}" for code in classes]].to_numpy(np.float64).sum(axis=1)
    bad = np.abs(total - 1) > SUM_TOLERANCE
    if bad.any():
        row = int(np.argmax(bad))
        raise PredictionsError(
            f"{path}: columns p_{classes[0]} to p_{classes[-1]}, row {row + 1} (image "
            f"{frame['image_id'].iloc[row]}): probabilities sum to {total[row]:.6g}; expected 1 "
            f"within {SUM_TOLERANCE}"
        )
    _refuse(
        path,
        frame,
        frame.duplicated(list(KEY)).to_numpy(),
        "image_id",
        "appears twice in one split of a fold and condition",
        "each image once",
    )
    return frame


def _refuse(
    path: Path | str,
    frame: pd.DataFrame,
    bad: npt.NDArray[np.bool_],
    column: str,
    what: str,
    expected: str,
) -> None:
    """Raise for the first row marked bad (1-based in the message)."""
    if not bad.any():
        return
    row = int(np.argmax(bad))
    image, value = frame["image_id"].iloc[row], frame[column].iloc[row]
    raise PredictionsError(
        f"{path}: column '{column}', row {row + 1} (image {image}): {value!s} {what}; "
        f"expected {expected} ({counted(int(bad.sum()), 'row')} so)"
    )
