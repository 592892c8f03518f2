"""Rows and grids to a flat list of rows with every setting resolved."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from skinbench.suite.document import Document, Key
from skinbench.suite.schema import Claim, RowFile, RowSettings, SuiteFile
from skinbench.suite.validation import validate

# Keys of a grid whose list is one value, not an axis.
_LIST_VALUED = ("seeds", "augment", "claims")


@dataclass(frozen=True, kw_only=True)
class SuiteRow:
    """A row of the suite with all its settings."""

    name: str
    settings: RowSettings
    claims: tuple[Claim, ...]
    key: Key
    """Where it stands in the file, for messages."""


@dataclass(frozen=True, kw_only=True)
class ExcludedRow:
    """A combination that a grid's `exclude` leaves out."""

    name: str
    reason: str


def expand_rows(
    suite: SuiteFile, document: Document
) -> tuple[tuple[SuiteRow, ...], tuple[ExcludedRow, ...]]:
    """All rows of a suite, declared ones first, then each grid's, in the file's order.

    Raises:
        SuiteError: two rows of one name, a wrong key in a grid, a row without model or split.
    """
    defaults = document.values.get("defaults") or {}
    rows: list[SuiteRow] = []
    excluded: list[ExcludedRow] = []
    for name in suite.rows:
        raw = document.values["rows"][name] or {}
        rows.append(_row(name, merge(defaults, raw), ("rows", name), document))
    for grid_name, grid in suite.grids.items():
        key: Key = ("grids", grid_name)
        settings = {k: v for k, v in grid.items() if k != "exclude"}
        for name, combination, reason in _combinations(grid_name, grid, settings, document):
            if reason:
                excluded.append(ExcludedRow(name=name, reason=reason))
            else:
                rows.append(_row(name, merge(defaults, combination), key, document))
    _check_unique(rows, document)
    return tuple(rows), tuple(excluded)


def _row(name: str, raw: dict[str, Any], key: Key, document: Document) -> SuiteRow:
    parsed = validate(RowFile, raw, document, key)
    for field in ("model", "split"):
        if getattr(parsed, field) is None:
            raise document.error(f"row '{name}' needs `{field}` (here or under defaults)", key)
    settings = RowSettings.model_validate(parsed.model_dump(exclude={"claims"}, by_alias=True))
    return SuiteRow(name=name, settings=settings, claims=tuple(parsed.claims), key=key)


def _combinations(
    grid_name: str, grid: dict[str, Any], settings: dict[str, Any], document: Document
) -> Iterator[tuple[str, dict[str, Any], str]]:
    axes = [k for k, v in settings.items() if isinstance(v, list) and k not in _LIST_VALUED]
    if not axes:
        message = "a grid needs at least one list, e.g. `technique: [none, focal]`"
        raise document.error(message, ("grids", grid_name))
    for axis in axes:
        if not settings[axis]:
            raise document.error("an empty list makes no rows", ("grids", grid_name, axis))
    excludes = grid.get("exclude") or []
    if not isinstance(excludes, list) or not all(isinstance(item, dict) for item in excludes):
        message = "needs a list of mappings, e.g. `[{model: resnet50, technique: focal}]`"
        raise document.error(message, ("grids", grid_name, "exclude"))
    _check_excludes(grid_name, settings, excludes, document)
    for values in itertools.product(*(settings[axis] for axis in axes)):
        combination = {**settings, **dict(zip(axes, values, strict=True))}
        name = f"{grid_name}/" + "-".join(_label(value) for value in values)
        yield name, combination, _exclusion(combination, excludes)


def _check_excludes(
    grid_name: str, settings: dict[str, Any], excludes: list[dict[str, Any]], document: Document
) -> None:
    for index, exclude in enumerate(excludes):
        for axis, value in exclude.items():
            listed = settings.get(axis)
            values = listed if isinstance(listed, list) else [listed]
            if _label(value) not in [_label(item) for item in values]:
                known = ", ".join(_label(item) for item in values) if axis in settings else "-"
                message = f"excludes {axis} '{_label(value)}', which the grid lacks ({known})"
                raise document.error(message, ("grids", grid_name, "exclude", index, axis))


def _exclusion(combination: dict[str, Any], excludes: list[dict[str, Any]]) -> str:
    for exclude in excludes:
        if all(_label(combination.get(axis)) == _label(v) for axis, v in exclude.items()):
            pairs = ", ".join(f"{axis}: {_label(v)}" for axis, v in exclude.items())
            return f"excluded by the grid ({pairs})"
    return ""


def _label(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("label") or value.get("name") or "?")
    return str(value)


def _check_unique(rows: list[SuiteRow], document: Document) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.name in seen:
            message = f"two rows are called '{row.name}'; give one value a `label`"
            raise document.error(message, row.key)
        seen.add(row.name)


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` over `below`; mappings are merged, unless they name different entries."""
    merged = copy.deepcopy(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, str) and isinstance(value, dict) and "name" not in value:
            old = {"name": old}
        same_entry = (
            isinstance(old, dict)
            and isinstance(value, dict)
            and value.get("name", old.get("name")) == old.get("name")
        )
        merged[key] = merge(old, value) if same_entry and old else copy.deepcopy(value)
    return merged


def plain(value: BaseModel) -> dict[str, Any]:
    """A model as JSON values, by the names that the file uses."""
    return value.model_dump(mode="json", by_alias=True)
