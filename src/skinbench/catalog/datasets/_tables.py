"""Reading a dataset's own table: what is broken is an error that names file and row."""

from __future__ import annotations

import codecs
import csv
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from skinbench.errors import DataError, one_line
from skinbench.store.parquet import read_parquet_table

_DELIMITERS = ",\t;|"
_BLOCK = 1 << 24
"""Bytes looked at together when a file is checked."""
_ROWS = 50_000
"""Rows held as such at a time: ten million of them would cost gigabytes."""
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SHOWN_COLUMNS = 40
MAX_BYTES = 8 << 30
"""Bytes of a text table: a hundred million rows."""
MAX_COLUMNS = 10_000
_HEADER = 1 << 22
"""Characters of the header in which the delimiter is looked for."""


def read_table(path: Path) -> pd.DataFrame:
    """Every cell of a CSV, TSV or Parquet table as text.

    Text is UTF-8 with or without a byte order mark; the delimiter is the comma, tab, semicolon
    or bar that the first line has most of. Rows without any value are left out.

    Returns:
        Columns as named in the file (object dtype, None where empty) and `row`, the 1-based
        line in a text file or the 1-based row of a Parquet table; a column that is called `row`
        in the file is `row_` here.

    Raises:
        DataError: the file is absent, not such a table, or ragged; names file and row.
    """
    try:
        if path.suffix.lower() in {".parquet", ".pq"}:
            return _read_parquet(path)
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: is larger than {MAX_BYTES:,} bytes; split the table")
        _check_text(path)
        return _read_text(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = read_parquet_table(path)
    except pa.ArrowException as error:
        raise DataError(f"{path} is not a readable Parquet file: {one_line(str(error))}") from error
    _check_header(table.column_names, path)
    columns = {name: [_cell(v) for v in table[name].to_pylist()] for name in table.column_names}
    return _frame(columns, np.arange(1, table.num_rows + 1, dtype=np.int64))


def _cell(value: object) -> str | None:
    return None if value is None or value != value else str(value)  # NaN differs from itself


def _check_text(path: Path) -> None:
    """Check that a file is UTF-8 text, block by block.

    Raises:
        DataError: names the line of the first byte that is not.
    """
    decoder, lines = codecs.getincrementaldecoder("utf-8")(), 1
    with path.open("rb") as file:
        if file.read(2) in _UTF16:
            raise DataError(f"{path}: row 1: is UTF-16; save the table as UTF-8")
        file.seek(0)
        while True:
            block = file.read(_BLOCK)
            if b"\0" in block:
                line = lines + block[: block.index(b"\0")].count(b"\n")
                raise DataError(
                    f"{path}: row {line}: contains a NUL byte; save the table as UTF-8 text"
                )
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                # error.start counts from what the decoder held back of the block before.
                held = len(error.object) - len(block)
                line = lines + block[: max(error.start - held, 0)].count(b"\n")
                raise DataError(
                    f"{path}: row {line}: is not UTF-8 (byte 0x{error.object[error.start]:02x}); "
                    f"save the table as UTF-8"
                ) from error
            if not block:
                return
            lines += block.count(b"\n")


def _read_text(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header_line = file.readline(_HEADER)
        file.seek(0)
        delimiter = max(_DELIMITERS, key=lambda mark: (header_line.count(mark), mark == ","))
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            _check_header(header, path)
            columns: list[list[str | None]] = [[] for _ in header]
            lines, rows = array("q"), []
            for row in reader:
                if len(row) != len(header) and row:
                    raise DataError(
                        f"{path}: row {reader.line_num}: has {len(row)} cells, "
                        f"the header has {len(header)}"
                    )
                if any(row):
                    rows.append(row)
                    lines.append(reader.line_num)
                if len(rows) == _ROWS:
                    _add(rows, columns)
                    rows = []
            _add(rows, columns)
        except csv.Error as error:
            raise DataError(
                f"{path}: row {reader.line_num}: {error}; is a quote not closed, there or before?"
            ) from error
    return _frame(dict(zip(header, columns, strict=True)), np.asarray(lines, dtype=np.int64))


def _add(rows: list[list[str]], columns: list[list[str | None]]) -> None:
    """Move cells to their columns; equal cells of these rows become one object."""
    for column, cells in zip(columns, zip(*rows, strict=True), strict=False):
        known = {cell: cell.strip() or None for cell in set(cells)}
        column.extend(map(known.__getitem__, cells))


def _check_header(header: list[str], path: Path) -> None:
    if not any(header):
        raise DataError(f"{path}: row 1: the header is empty; its first line names the columns")
    if len(header) > MAX_COLUMNS:
        raise DataError(f"{path}: row 1: {len(header):,} columns; at most {MAX_COLUMNS:,} are read")
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if twice:
        shown = ", ".join(map(repr, twice[:_SHOWN_COLUMNS]))
        raise DataError(f"{path}: row 1: the header names a column twice: {shown}")


def _frame(columns: dict[str, list[str | None]], rows: npt.NDArray[np.int64]) -> pd.DataFrame:
    names = {name: name if name != "row" else "row_" for name in columns}
    frame = pd.DataFrame(
        {names[name]: pd.Series(cells, dtype=object) for name, cells in columns.items()}
    )
    frame["row"] = rows if len(frame) else pd.Series([], dtype=np.int64)
    return frame


def columns_of(table: pd.DataFrame) -> str:
    """The names of a table's own columns, for messages."""
    names = [one_line(str(name)) for name in table.columns if name != "row"]
    more = f", ... ({len(names)} in all)" if len(names) > _SHOWN_COLUMNS else ""
    return ", ".join(names[:_SHOWN_COLUMNS]) + more


def require_columns(table: pd.DataFrame, names: Iterable[str], path: Path) -> None:
    """Check that a table has its columns.

    Raises:
        DataError: one is absent; names the columns that are there.
    """
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise DataError(
            f"{path}: no column {', '.join(missing)}; its columns are: {columns_of(table)}"
        )


def rows_by_id(
    table: pd.DataFrame, table_path: Path, other: pd.DataFrame, other_path: Path, column: str
) -> pd.DataFrame:
    """The rows of `other`, one per row of `table` with the same id, in the order of `table`.

    Args:
        table: the dataset's main table.
        table_path: for messages.
        other: a second table of the same images.
        other_path: for messages.
        column: of the id, in both tables.

    Raises:
        DataError: an id is twice in `other`, or in one of the two alone; names file and row.
    """
    for source, path, bad, what in (
        (other, other_path, other[column].duplicated(), "is there twice"),
        (table, table_path, ~table[column].isin(other[column]), f"is not in {other_path.name}"),
        (other, other_path, ~other[column].isin(table[column]), f"is not in {table_path.name}"),
    ):
        for row, value in _first(source, column, bad):
            raise DataError(f"{path}: row {row}: {column} {value!r} {what}")
    positions = pd.Index(other[column]).get_indexer(pd.Index(table[column]))
    matched: pd.DataFrame = other.iloc[positions].reset_index(drop=True)
    return matched


def _first(table: pd.DataFrame, column: str, bad: pd.Series) -> Iterator[tuple[object, str | None]]:
    found = table.loc[bad, ["row", column]].head(1)
    yield from zip(found["row"], found[column], strict=True)
