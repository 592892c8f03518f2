"""Frames in the shape of an Arrow schema: text is object with None, numbers have their dtype."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from skinbench.errors import CorruptObjectError, StoreError
from skinbench.store import replacing
from skinbench.store.parquet import read_parquet_table


def shaped(frame: pd.DataFrame, schema: pa.Schema) -> pd.DataFrame:
    """A frame with exactly the schema's columns, order and dtypes; its index is 0..N-1."""
    columns = {field.name: _column(frame, field) for field in schema}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(frame)))


def _column(frame: pd.DataFrame, field: pa.Field) -> pd.Series:
    values = frame[field.name].tolist() if field.name in frame else [None] * len(frame)
    if pa.types.is_string(field.type):
        return pd.Series(
            [None if v is None or v != v else str(v) for v in values], dtype=object
        )  # NaN differs from itself
    dtype = np.dtype(field.type.to_pandas_dtype())
    return pd.Series(np.asarray([np.nan if v is None else v for v in values]).astype(dtype))


def plain_text(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose text is object with None, whatever pandas inferred; its index is 0..N-1."""
    columns = {
        name: values
        if pd.api.types.is_numeric_dtype(values)
        else pd.Series([None if v is None or v != v else str(v) for v in values], dtype=object)
        for name, values in frame.reset_index(drop=True).items()
    }
    return pd.DataFrame(columns)


def frame_digest(frame: pd.DataFrame, *context: object) -> str:
    """First 32 hex digits of a sha256 over every column in order, and over `context`.

    Args:
        frame: text (None where missing) and numbers (NaN where missing).
        context: JSON values that the digest covers too.
    """
    state = hashlib.sha256(json.dumps(context).encode())
    for name in frame.columns:
        values = [None if v is None or v != v else v for v in frame[name].tolist()]
        state.update(json.dumps([name, values], separators=(",", ":")).encode())
    return state.hexdigest()[:32]


def write_parquet(frame: pd.DataFrame, schema: pa.Schema, path: Path) -> None:
    """Write a frame in the shape of `schema`, atomically.

    Raises:
        StoreError: the folder is read-only or the disk is full.
    """
    table = pa.Table.from_pandas(shaped(frame, schema), schema=schema, preserve_index=False)
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary, compression="zstd")


def read_parquet(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """Read what `write_parquet` wrote.

    Raises:
        StoreError: the file is absent.
        CorruptObjectError: it is damaged, or has other columns.
    """
    try:
        table = read_parquet_table(path)
        columns = {name: table[name].to_pylist() for name in schema.names}
        return shaped(pd.DataFrame(columns), schema)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise StoreError(f"{path} does not exist") from error
        raise CorruptObjectError(f"{path} is not a readable Parquet file: {error}") from error
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise CorruptObjectError(f"{path} is not a readable Parquet file: {error}") from error
