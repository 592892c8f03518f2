"""Reading a dataset's own table: hostile or broken cells are errors that name file and row."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from skinbench.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
MAX_AGE = 120.0
"""Years; anything above is a unit mistake (months, a year of birth)."""
_MAX_NAME = 200
_UNKNOWN_WORDS = frozenset({"", "nan", "na", "n/a", "none", "null", "unknown", "unspecified"})
_SEXES = {"male": "male", "m": "male", "female": "female", "f": "female"}


def read_table(path: Path) -> pd.DataFrame:
    """Every cell of a CSV, TSV or Parquet table as text.

    Returns:
        Columns as named in the file (object dtype, None where empty) and `row`, the 1-based
        line in a text file or the 1-based row of a Parquet table.

    Raises:
        DataError: the file is absent, not such a table, or ragged; names file and row.
    """
    try:
        if path.suffix.lower() in {".parquet", ".pq"}:
            return _read_parquet(path)
        return _read_text(path, path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        raise DataError(f"{path} is not a readable Parquet file: {error}") from error
    columns = {name: [_cell(v) for v in table[name].to_pylist()] for name in table.column_names}
    return _frame(columns, list(range(1, table.num_rows + 1)))


def _cell(value: object) -> str | None:
    return None if value is None or value != value else str(value)  # NaN differs from itself


def _read_text(path: Path, data: bytes) -> pd.DataFrame:
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise DataError(f"{path}: row {line}: contains a NUL byte; save the table as UTF-8 text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(f"{path}: row {line}: is not UTF-8; save the table as UTF-8") from error
    header_line = text.partition("\n")[0]
    delimiter = max("\t;,", key=lambda mark: (header_line.count(mark), mark == ","))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows, lines = [], []
    try:
        header = [name.strip() for name in next(reader, [])]
        for row in reader:
            if not any(row):
                continue
            if len(row) != len(header):
                raise DataError(
                    f"{path}: row {reader.line_num}: has {len(row)} cells, "
                    f"the header has {len(header)}"
                )
            rows.append(row)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{path}: row {reader.line_num}: {error}") from error
    if not header or len(set(header)) != len(header):
        raise DataError(f"{path}: row 1: the header is empty or names a column twice: {header}")
    columns = {name: [row[i].strip() or None for row in rows] for i, name in enumerate(header)}
    return _frame(columns, lines)


def _frame(columns: dict[str, list[str | None]], rows: list[int]) -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    frame["row"] = np.asarray(rows, dtype=np.int64)
    if frame.empty:
        frame["row"] = pd.Series([], dtype=np.int64)
    return frame


def require_columns(table: pd.DataFrame, names: Iterable[str], path: Path) -> None:
    """Check that a table has its columns.

    Raises:
        DataError: one is absent; names the columns that are there.
    """
    missing = [name for name in names if name not in table.columns]
    if missing:
        found = ", ".join(str(name) for name in table.columns if name != "row")
        raise DataError(f"{path}: no column {', '.join(missing)}; its columns are: {found}")


def check_names(table: pd.DataFrame, column: str, path: Path) -> None:
    """Check a column of ids: present, printable, and safe as part of a file name.

    Raises:
        DataError: names file, row and value.
    """
    _check(table, column, path, _name_problem)


def check_paths(table: pd.DataFrame, column: str, path: Path) -> None:
    """Check a column of file paths: relative POSIX paths that stay inside their folder.

    Raises:
        DataError: names file, row and value.
    """
    _check(table, column, path, _path_problem)


def _check(
    table: pd.DataFrame, column: str, path: Path, problem: Callable[[str | None], str]
) -> None:
    for row, value in zip(table["row"], table[column], strict=True):
        found = problem(value)
        if found:
            raise DataError(f"{path}: row {row}: {column} {value!r} {found}")


def _name_problem(value: str | None) -> str:
    if not value:
        return "is empty"
    if len(value) > _MAX_NAME:
        return f"is longer than {_MAX_NAME} characters"
    if not value.isprintable():
        return "contains a control character"
    if "/" in value or "\\" in value or value in {".", ".."}:
        return "looks like a path; an id has no / or \\"
    return ""


def _path_problem(value: str | None) -> str:
    if not value:
        return "is empty"
    if not value.isprintable():
        return "contains a control character"
    if value.startswith("/") or re.match(r"^[A-Za-z]:", value):
        return "is absolute; image paths are relative to the table's folder"
    if ".." in value.split("/"):
        return "leaves the table's folder; image paths stay inside it"
    return ""


def known_text(values: pd.Series) -> pd.Series:
    """Text with every word for `unknown` as None."""
    cells = [None if v is None or v.lower() in _UNKNOWN_WORDS else v for v in values]
    return pd.Series(cells, dtype=object, index=values.index)


def known_sex(values: pd.Series) -> pd.Series:
    """`female`, `male` or None."""
    cells = [None if v is None else _SEXES.get(v.lower()) for v in values]
    return pd.Series(cells, dtype=object, index=values.index)


def known_age(table: pd.DataFrame, column: str, path: Path) -> npt.NDArray[np.float32]:
    """Ages in years, NaN where unknown.

    Raises:
        DataError: a cell is no number in 0..120; names file, row and value.
    """
    ages = np.full(len(table), np.nan, dtype=np.float32)
    for index, (row, value) in enumerate(zip(table["row"], table[column], strict=True)):
        if value is None or value.lower() in _UNKNOWN_WORDS:
            continue
        try:
            age = float(value)
        except ValueError:
            age = -1.0
        if not 0.0 <= age <= MAX_AGE:
            raise DataError(
                f"{path}: row {row}: {column} {value!r} is not an age in years (0 to {MAX_AGE:g})"
            )
        ages[index] = age
    return ages


def index_files(root: Path, *, depth: int, skip: str = "") -> dict[str, list[str]]:
    """Image files under a folder by lower-case stem.

    Args:
        root: folder to look in.
        depth: how many levels of sub-folders are searched.
        skip: sub-folders whose lower-case name contains this are left out.

    Returns:
        Stem to paths relative to root (POSIX), sorted.
    """
    found: dict[str, list[str]] = {}
    start = os.fspath(root)
    # Links are followed so that a linked folder is seen, and then refused by name.
    for folder, subfolders, files in os.walk(start, followlinks=True):
        inside = os.path.relpath(folder, start).replace(os.sep, "/")
        level = 0 if inside == "." else inside.count("/") + 1
        subfolders[:] = sorted(
            name for name in subfolders if level < depth and not (skip and skip in name.lower())
        )
        prefix = "" if inside == "." else f"{inside}/"
        for name in files:
            stem, suffix = os.path.splitext(name)  # noqa: PTH122 - 10,000 names, Path is slow
            if suffix.lower() in IMAGE_SUFFIXES and not name.startswith("."):
                found.setdefault(stem.lower(), []).append(prefix + name)
    return {stem: sorted(paths) for stem, paths in found.items()}
