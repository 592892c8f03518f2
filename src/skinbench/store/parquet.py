"""Parquet files from strangers, under limits: rows, columns, and memory while it is read.

A Parquet file of a few kilobytes can hold billions of equal cells, and its own sizes can lie.
What it says is looked at first; then it is read batch by batch, and what has come is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

MAX_COLUMNS = 10_000
MAX_CELLS = 1_000_000_000
"""Rows times columns; ISIC 2024's 401,059 images with 60 columns are 24 million."""
MAX_MEMORY = 4 << 30
"""Bytes of all cells in memory."""
BATCH_CELLS = 1 << 20


def read_parquet_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file's table; a name that means a folder or a partition is only a name.

    Args:
        path: the file.
        columns: read only these, in the file's order; None: all.

    Raises:
        OSError: it is absent, or is no Parquet file at all.
        pyarrow.ArrowException: it is damaged, or over a limit.
    """
    with _arrow_errors():
        schema = pq.read_schema(path)
        nested = [field.name for field in schema if pa.types.is_nested(field.type)]
        if nested:
            raise pa.ArrowInvalid(f"column '{nested[0]}' is nested; only plain columns are read")
        twice = [name for name, count in Counter(schema.names).items() if count > 1]
        if twice:
            raise pa.ArrowInvalid(f"the header names a column twice: {twice[0]!r}")
        text = [field.name for field in schema if _is_text(field.type)]
        with pq.ParquetFile(path, read_dictionary=text) as file:
            return _read(file, schema, columns)


def _read(file: pq.ParquetFile, schema: pa.Schema, columns: Sequence[str] | None) -> pa.Table:
    rows, names = file.metadata.num_rows, schema.names
    if len(names) > MAX_COLUMNS or rows * len(names) > MAX_CELLS:
        raise pa.ArrowInvalid(
            f"holds {rows:,} rows of {len(names):,} columns; at most {MAX_COLUMNS:,} columns and "
            f"{MAX_CELLS:,} cells are read"
        )
    wanted = [name for name in names if columns is None or name in columns]
    fields = [_as_text(field) for field in schema if field.name in wanted]
    kept = pa.schema(fields, metadata=schema.metadata)
    batches, held = [], 0
    step = max(1, BATCH_CELLS // max(1, len(names)))
    for batch in file.iter_batches(batch_size=step, columns=wanted):
        held += sum(_unpacked(column) for column in batch.columns)
        if held > MAX_MEMORY:
            raise pa.ArrowInvalid(f"unpacks to more than {MAX_MEMORY:,} bytes")
        for column in batch.columns:
            if pa.types.is_dictionary(column.type):
                column.dictionary.validate(full=True)
        cast = batch.cast(kept)
        cast.validate(full=True)  # text that is no UTF-8, places outside a dictionary
        batches.append(cast)
    return pa.Table.from_batches(batches, schema=kept)


def _as_text(field: pa.Field) -> pa.Field:
    """Bytes are text to programs that note no kind of text beside them."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    bytes_ = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return field.with_type(pa.string()) if bytes_ else field


def _is_text(kind: pa.DataType) -> bool:
    """Whether a few bytes of the file can stand for many in memory."""
    types = pa.types
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
    )


def _unpacked(column: pa.Array) -> int:
    """Bytes of a column once its words stand in every row that has them."""
    if not (pa.types.is_dictionary(column.type) and _is_text(column.type.value_type)):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).take(column.indices)
    return int(pc.sum(lengths).as_py() or 0) + 4 * len(column)


def parquet_columns(path: Path) -> list[str]:
    """Names of a file's columns, without reading them.

    Raises:
        OSError, pyarrow.ArrowException: as for `read_parquet_table`.
    """
    with _arrow_errors():
        return list(pq.read_schema(path).names)


@contextmanager
def _arrow_errors() -> Iterator[None]:
    """What a damaged file makes of Arrow besides its own errors, as one of them."""
    try:
        yield
    except pa.ArrowException:
        raise
    except (ValueError, OverflowError, MemoryError, TypeError, KeyError) as error:
        raise pa.ArrowInvalid(f"{type(error).__name__}: {error}") from error
