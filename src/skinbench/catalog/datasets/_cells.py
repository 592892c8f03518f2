"""Cells of a dataset's own table: hostile or broken ones are errors that name file and row."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.errors import DataError

MAX_AGE = 120.0
"""Years; anything above is a unit mistake (months, a year of birth)."""
_MAX_NAME = 200
UNKNOWN_WORDS = frozenset({"", "nan", "na", "n/a", "none", "null", "unk", "unknown", "unspecified"})
SEXES = {"male": "male", "m": "male", "female": "female", "f": "female"}
_MARKS = {"1": True, "1.0": True, "0": False, "0.0": False}
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_\-]{1,200}")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_\-]+(/[A-Za-z0-9_\-]+)*\.[A-Za-z0-9]+")
"""What needs no closer look: nearly every cell of an honest table."""


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
    if _PLAIN_NAME.fullmatch(value):
        return ""
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
    if _PLAIN_PATH.fullmatch(value):
        return ""
    if not value.isprintable():
        return "contains a control character"
    if value.startswith("/") or re.match(r"^[A-Za-z]:", value):
        return "is absolute; image paths are relative to the table's folder"
    if ".." in value.split("/"):
        return "leaves the table's folder; image paths stay inside it"
    return ""


def whole_numbers(table: pd.DataFrame, column: str, path: Path) -> list[int]:
    """A column of whole numbers from 0.

    Raises:
        DataError: a cell is none; names file, row and value.
    """
    numbers = []
    for row, value in zip(table["row"], table[column], strict=True):
        if not (value and value.isascii() and value.isdigit() and len(value) < 10):
            raise DataError(
                f"{path}: row {row}: {column} {value!r} is no whole number of 0 or more"
            )
        numbers.append(int(value))
    return numbers


def known_text(values: pd.Series) -> pd.Series:
    """Text with every word for `unknown` as None."""
    cells = [None if v is None or v.lower() in UNKNOWN_WORDS else v for v in values]
    return pd.Series(cells, dtype=object, index=values.index)


def known_sex(values: pd.Series) -> pd.Series:
    """`female`, `male` or None."""
    cells = [None if v is None else SEXES.get(v.lower()) for v in values]
    return pd.Series(cells, dtype=object, index=values.index)


def known_age(table: pd.DataFrame, column: str, path: Path) -> npt.NDArray[np.float32]:
    """Ages in years, NaN where unknown.

    Raises:
        DataError: a cell is no number in 0..120; names file, row and value.
    """
    ages = np.full(len(table), np.nan, dtype=np.float32)
    for index, (row, value) in enumerate(zip(table["row"], table[column], strict=True)):
        if value is None or value.lower() in UNKNOWN_WORDS:
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


def one_hot(table: pd.DataFrame, classes: Sequence[str], path: Path) -> list[str]:
    """The class whose column holds 1, per row; every other class's holds 0.

    Raises:
        DataError: a cell is neither, or a row has no class or several; names file and row.
    """
    marks = []
    for name in classes:
        column = [_MARKS.get(cell or "") for cell in table[name]]
        if None in column:
            at = column.index(None)
            row, cell = table["row"].iloc[at], table[name].iloc[at]
            raise DataError(f"{path}: row {row}: {name} {cell!r} is neither 0 nor 1")
        marks.append(column)
    hot = np.asarray(marks, dtype=bool).T.reshape(len(table), len(classes))
    wrong = np.flatnonzero(hot.sum(axis=1) != 1)
    if len(wrong):
        row = table["row"].iloc[wrong[0]]
        named = [name for name, mark in zip(classes, hot[wrong[0]], strict=True) if mark]
        what = f"is of several classes ({', '.join(named)})" if named else "is of no class"
        raise DataError(f"{path}: row {row}: {what}; exactly one of {', '.join(classes)} is 1")
    return [classes[index] for index in hot.argmax(axis=1)]


def attributes(table: pd.DataFrame, used: Collection[str]) -> pd.Series:
    """All known values of a row but those of the columns in `used`, as a JSON object, or None.

    Keys are sorted, so that the order of a table's columns changes nothing.
    """
    names = sorted(str(name) for name in table.columns if name not in {*used, "row", ""})
    known = {name: known_text(table[name]).tolist() for name in names}
    texts: dict[tuple[str | None, ...], str | None] = {}
    cells = []
    for values in zip(*known.values(), strict=True) if known else [()] * len(table):
        if values not in texts:
            row = {name: v for name, v in zip(names, values, strict=True) if v is not None}
            texts[values] = json.dumps(row, ensure_ascii=False) if row else None
        cells.append(texts[values])
    return pd.Series(cells, dtype=object, index=table.index)
