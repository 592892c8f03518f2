"""Rows and grids to a flat list of rows with every setting resolved."""

from __future__ import annotations

import contextlib
import copy
import fnmatch
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from skinbench.errors import UnknownNameError
from skinbench.registry import models, suggest
from skinbench.suite.claims import Claim, each_claim
from skinbench.suite.document import Document, Key
from skinbench.suite.papers import Protocol
from skinbench.suite.schema import Evaluate, SuiteFile
from skinbench.suite.settings import RowFile, RowSettings
from skinbench.suite.validation import validate

# Keys of a grid whose list is one value, not an axis.
_LIST_VALUED = ("seeds", "augment", "claims", "differences", "tta")
_NAME = re.compile(r"[A-Za-z0-9_./=,@-]*")
MAX_ROWS = 10_000


@dataclass(frozen=True, kw_only=True)
class SuiteRow:
    """A row of the suite with all its settings."""

    name: str
    settings: RowSettings
    claims: tuple[Claim, ...]
    key: Key
    """Where it stands in the file, for messages."""
    claim_places: tuple[int, ...] = ()
    """For each claim the index of the item in the file that it comes from."""
    protocol: Protocol | None = None
    """How its source made it, as far as it says; None where the row belongs to no source."""
    stated: tuple[str, ...] = ()
    """What the suite itself says that the row does otherwise."""
    paper: str = ""
    """Key under `papers:`."""

    def place(self, document: Document, *path: str | int) -> Key:
        """Where a setting of the row is written: at the row, else under defaults."""
        own, inherited = (*self.key, *path), ("defaults", *path)
        written = (*self.key, path[0]) in document.lines
        return own if written or ("defaults", path[0]) not in document.lines else inherited


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
    for name, raw in suite.rows.items():
        rows.append(_row(suite, name, merge(defaults, raw), ("rows", name), document))
    for grid_name, grid in suite.grids.items():
        key: Key = ("grids", grid_name)
        settings = {k: v for k, v in grid.items() if k != "exclude"}
        for name, combination, reason in _combinations(grid_name, grid, settings, document):
            if reason:
                excluded.append(ExcludedRow(name=name, reason=reason))
            else:
                rows.append(_row(suite, name, merge(defaults, combination), key, document))
    _check_names(suite, rows, document)
    return tuple(rows), tuple(excluded)


_NO_SETTINGS = {"claims", "protocol", "differences"}
"""Keys of a row that say nothing about how it is trained."""


def _row(
    suite: SuiteFile, name: str, raw: dict[str, Any], key: Key, document: Document
) -> SuiteRow:
    parsed = validate(RowFile, raw, document, key)
    for field in ("model", "split"):
        if getattr(parsed, field) is None:
            raise document.error(f"row '{name}' needs `{field}` (here or under defaults)", key)
    settings = RowSettings.model_validate(parsed.model_dump(exclude=_NO_SETTINGS, by_alias=True))
    claims = tuple(each_claim(parsed.claims))
    paper = paper_of(suite, name)
    protocol = parsed.protocol
    if paper:
        protocol = (protocol or Protocol()).over(suite.papers[paper].protocol)
    return SuiteRow(
        name=name,
        settings=settings,
        claims=tuple(claim for _, claim in claims),
        claim_places=tuple(index for index, _ in claims),
        key=key,
        protocol=protocol,
        stated=tuple(parsed.differences),
        paper=paper,
    )


def paper_of(suite: SuiteFile, name: str) -> str:
    """The paper whose row this is, the first whose patterns match; empty for none."""
    for key, paper in suite.papers.items():
        if any(matching([name], pattern) for pattern in paper.rows or [f"{key}/*"]):
            return key
    return ""


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
    count = math.prod(len(settings[axis]) for axis in axes)
    if count > MAX_ROWS:
        message = f"makes {count:,} rows; at most {MAX_ROWS:,} can be run"
        raise document.error(message, ("grids", grid_name))
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
            key: Key = ("grids", grid_name, "exclude", index, axis)
            if axis not in settings:
                raise document.error(f"the grid has no '{axis}'; {suggest(axis, settings)}", key)
            listed = settings[axis]
            values = [_label(v) for v in (listed if isinstance(listed, list) else [listed])]
            if _label(value) not in values:
                hint = suggest(_label(value), values)
                message = f"excludes {axis} '{_label(value)}', which the grid lacks; {hint}"
                raise document.error(message, key)


def _exclusion(combination: dict[str, Any], excludes: list[dict[str, Any]]) -> str:
    for exclude in excludes:
        if all(_label(combination.get(axis)) == _label(v) for axis, v in exclude.items()):
            pairs = ", ".join(f"{axis}: {_label(v)}" for axis, v in exclude.items())
            return f"excluded by the grid ({pairs})"
    return ""


def _label(value: Any) -> str:
    """A value's part of a row's name: `resnet50`, `none`, `patience=3,min_delta=0`."""
    if isinstance(value, dict):
        named = value.get("label") or value.get("name")
        if named and value.get("with") and not value.get("label"):
            beside = value["with"] if isinstance(value["with"], list) else [value["with"]]
            named = ",".join([str(named), *(_label(item) for item in beside)])
        return str(named) if named else ",".join(f"{k}={_label(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ",".join(_label(item) for item in value)
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _check_names(suite: SuiteFile, rows: Sequence[SuiteRow], document: Document) -> None:
    seen: set[str] = set()
    places = [(row.name, row.key) for row in rows]
    for name, key in [*places, *((name, ("derived", name)) for name in suite.derived)]:
        if name in seen:
            message = f"two rows are called '{name}'; give one value a `label`"
            raise document.error(message, key)
        if not _NAME.fullmatch(name):
            message = f"'{name}' is no name for a row (letters, digits and _./=,@-); use `label`"
            raise document.error(message, key)
        if suite.baselines and name.startswith("baseline/"):
            message = "names under baseline/ are those of `baselines: true`; choose another"
            raise document.error(message, key)
        seen.add(name)


# --- which rows a pattern means ----------------------------------------------------------


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """Names that a pattern such as `p1/*` matches, letter case included, on every system."""
    return [name for name in names if fnmatch.fnmatchcase(name, pattern)]


def segments(row: SuiteRow) -> bool:
    """Whether a row finds lesions and decides no class."""
    model = row.settings.model
    with contextlib.suppress(UnknownNameError):  # said later, with its line
        return model is not None and models.get(model.name).task == "segmentation"
    return False


def classifiers(rows: Iterable[SuiteRow]) -> list[str]:
    """Names of the rows that decide a class: patterns mean these."""
    return [row.name for row in rows if not segments(row)]


def derived_members(suite: SuiteFile, names: Sequence[str], derived: str) -> list[str]:
    """What a derived row is made of: fit rows, and derived rows that stand above it.

    Args:
        suite: the suite.
        names: its fit rows.
        derived: a key under `derived:`.
    """
    above = itertools.takewhile(lambda other: other != derived, suite.derived)
    candidates = [*names, *above]
    wanted = {n for pattern in suite.derived[derived].of for n in matching(candidates, pattern)}
    return [name for name in candidates if name in wanted]


def evaluated_rows(suite: SuiteFile, names: Sequence[str], item: Evaluate) -> set[str]:
    """Fit rows that an entry of `evaluate:` asks for, by themselves or for a derived row."""
    found: set[str] = set()
    pending = matching([*names, *suite.derived], item.rows)
    while pending:
        name = pending.pop()
        if name in suite.derived:
            pending += derived_members(suite, names, name)
        else:
            found.add(name)
    return found


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`above` over `below`; mappings are merged, unless they name different entries.

    A bare name means the same as `{name: ...}`, below and above.
    """
    merged = copy.deepcopy(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(old, str) and isinstance(value, dict):
            old = {"name": old}
        elif isinstance(value, str) and isinstance(old, dict) and "name" in old:
            value = {"name": value}
        same_entry = (
            isinstance(old, dict)
            and isinstance(value, dict)
            and ("dihedral" in old) == ("dihedral" in value)  # `augment: {dihedral: 4}` is whole
            and value.get("name", old.get("name")) == old.get("name")
        )
        merged[key] = merge(old, value) if same_entry and old else copy.deepcopy(value)
    return merged


def plain(value: BaseModel) -> dict[str, Any]:
    """A model as JSON values, by the names that the file uses."""
    return value.model_dump(mode="json", by_alias=True)
