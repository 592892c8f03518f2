"""Records as JSON values and back, and the digests that content is named by."""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import TypeAdapter

T = TypeVar("T")


def to_plain(value: object) -> Any:
    """Records, mappings, tuples, paths and NumPy scalars as JSON values; NaN becomes None.

    A field made by `records.later` is left out while it has its default.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            item.name.rstrip("_"): to_plain(getattr(value, item.name))
            for item in dataclasses.fields(value)
            if not (item.metadata.get("later") and getattr(value, item.name) == item.default)
        }
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [to_plain(item) for item in items]
    if isinstance(value, enum.Enum):
        return to_plain(value.value)
    if isinstance(value, Path):
        return value.as_posix()
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()  # a NumPy scalar
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_plain(kind: type[T], value: object) -> T:
    """A record back from its JSON value.

    Raises:
        pydantic.ValidationError: the value does not have the record's shape.
    """
    adapter = _ADAPTERS.get(kind)
    if adapter is None:
        adapter = _ADAPTERS.setdefault(kind, TypeAdapter(kind))
    made: T = adapter.validate_python(_restore_names(kind, value))
    return made


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}
"""One a record type: building one costs more than reading a small record."""


def _restore_names(kind: Any, value: object) -> object:
    """Give a field such as `class_` its underscore back; keys of free mappings stay."""
    if isinstance(value, list):
        item = _shape(kind).item
        return value if item is None else [_restore_names(item, part) for part in value]
    if not isinstance(value, Mapping):
        return value
    shape = _shape(kind)
    if shape.fields is not None:
        found = {}
        for key, item in value.items():
            name, its = shape.fields.get(key, (key, object))
            found[name] = _restore_names(its, item) if isinstance(item, (list, dict)) else item
        return found
    if shape.free is None:
        return value
    return {key: _restore_names(shape.free, item) for key, item in value.items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Shape:
    """What lies below a type, of whose members at most one is a list, a record or a mapping."""

    item: Any = None
    """Type of a list's items."""
    fields: Mapping[str, tuple[str, Any]] | None = None
    """Of a record."""
    free: Any = None
    """Type of a free mapping's values."""


@functools.cache
def _shape(kind: Any) -> _Shape:
    kinds = [kind, *get_args(kind)]
    listed = next((k for k in kinds if get_origin(k) in (list, tuple)), None)
    record: Any = next((k for k in kinds if dataclasses.is_dataclass(k)), None)
    free = next((k for k in kinds if get_origin(k) in _MAPPINGS), None)
    return _Shape(
        item=None if listed is None else get_args(listed)[0],
        fields=None if record is None or get_origin(kind) in _MAPPINGS else _fields(record),
        free=None if free is None else get_args(free)[1],
    )


_MAPPINGS = (dict, Mapping)


@functools.cache
def _fields(record: Any) -> dict[str, tuple[str, Any]]:
    """Name of a field in JSON to its name in Python and its type."""
    kinds = get_type_hints(record)
    return {f.name.rstrip("_"): (f.name, kinds[f.name]) for f in dataclasses.fields(record)}


def canonical_json(value: object) -> str:
    """One text for equal values: sorted keys, no spaces, shortest float form."""
    return json.dumps(to_plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def salted(kind: str, name: str, salt: str | None) -> str:
    """An image or group id, or the hash that stands for it where there is a salt."""
    if salt is None:
        return name
    return hashlib.sha256(f"{salt}\0{kind}\0{name}".encode()).hexdigest()[:24]


def content_digest(value: object) -> str:
    """First 32 hex digits of the sha256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]
