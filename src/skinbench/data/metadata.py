"""Metadata columns as numbers: a vocabulary learnt from the training split alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.fields import (
    FIELDS,
    FORBIDDEN_FIELDS,
    MISSING,
    attribute_rows,
    check_fields,
    finite_number,
)
from skinbench.data.vocabulary import with_parents
from skinbench.store import from_plain, to_plain

__all__ = ["FIELDS", "FORBIDDEN_FIELDS", "MetadataEncoder", "check_fields"]

Column = list[str | None]


@dataclass(frozen=True, kw_only=True)
class MetadataEncoder:
    """Numbers scaled to train's range, categories as one-hot; an unknown category is all zeros.

    That a value is missing is no input, unless `<name>.missing` is among the fields: it would
    tell the source. A missing number becomes the median of train. A general site sets the
    coarser site that it is part of, too.
    """

    fields: tuple[str, ...]
    age_low: float
    """Lowest age of train in years; 0 where train knows no age."""
    age_high: float
    age_median: float
    sexes: tuple[str, ...]
    """Categories of train, sorted; each is a column."""
    sites: tuple[str, ...]
    numbers: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    """Other fields whose every value in train is a number: lowest, highest, median."""
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Other fields: categories of train, sorted."""

    @classmethod
    def fit(cls, table: pd.DataFrame, fields: Sequence[str]) -> MetadataEncoder:
        """Learn the vocabulary from manifest rows of the training split.

        Args:
            table: rows with the columns in `fields`, or with them among `attributes`.
            fields: of data.fields.FIELDS, the dataset's other columns, and either with
                `.missing`; the order of the columns of `transform`.

        Raises:
            UsageError: see `check_fields`.
        """
        check_fields(fields, None)
        ages = np.zeros(1)
        if "age" in fields and table["age"].notna().any():
            ages = table["age"].dropna().to_numpy(dtype=np.float64)
        numbers, words = {}, {}
        others = [name for name in fields if name not in FIELDS and not name.endswith(MISSING)]
        for name, values in _attributes(table, others).items():
            known = [finite_number(value) for value in values if value is not None]
            if known and None not in known:
                found = np.array(known, dtype=np.float64)
                numbers[name] = (float(found.min()), float(found.max()), float(np.median(found)))
            else:
                words[name] = tuple(sorted({value for value in values if value is not None}))
        if "site_general" in fields:
            sites = {
                part for value in _texts(table, "site_general") for part in with_parents(value)
            }
            words["site_general"] = tuple(sorted(sites))
        return cls(
            fields=tuple(fields),
            age_low=float(ages.min()),
            age_high=float(ages.max()),
            age_median=float(np.median(ages)),
            sexes=_categories(table, "sex") if "sex" in fields else (),
            sites=_categories(table, "site") if "site" in fields else (),
            numbers=numbers,
            words=words,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each column of `transform`, e.g. `age`, `sex=female`, `age.missing`."""
        return tuple(
            name
            for field in self.fields
            for name in (
                [field]
                if field == "age" or field in self.numbers or field.endswith(MISSING)
                else [f"{field}={value}" for value in self._vocabulary(field)]
            )
        )

    def transform(self, table: pd.DataFrame) -> npt.NDArray[np.float32]:
        """Manifest rows as numbers [N, M], M = len(names).

        Numbers outside train's range go beyond 0..1; categories that train lacks are all zeros.
        """
        others = [f.removesuffix(MISSING) for f in self.fields]
        attributes = _attributes(table, [name for name in others if name not in FIELDS])
        blocks = [np.zeros((len(table), 0), dtype=np.float32)]
        for name in self.fields:
            if name.endswith(MISSING):
                blocks.append(_missing(table, name.removesuffix(MISSING), attributes))
            elif name == "age":
                scale = (self.age_low, self.age_high, self.age_median)
                blocks.append(_scaled(table["age"].astype(np.float64), scale))
            elif name in self.numbers:
                values = [np.nan if v is None else finite_number(v) for v in attributes[name]]
                blocks.append(_scaled(pd.Series(values, dtype=np.float64), self.numbers[name]))
            elif name == "site_general":
                parts = [with_parents(value) for value in _texts(table, name)]
                blocks.append(_hot(parts, self.words[name]))
            else:
                known = _texts(table, name) if name in FIELDS else attributes[name]
                parts = [() if value is None else (value,) for value in known]
                blocks.append(_hot(parts, self._vocabulary(name)))
        return np.concatenate(blocks, axis=1)

    def _vocabulary(self, name: str) -> tuple[str, ...]:
        own = {"sex": self.sexes, "site": self.sites}
        return own[name] if name in own else self.words[name]

    def to_plain(self) -> dict[str, Any]:
        """The encoder as JSON values."""
        plain: dict[str, Any] = to_plain(self)
        return plain

    @classmethod
    def from_plain(cls, value: object) -> MetadataEncoder:
        """An encoder back from its JSON values.

        Raises:
            pydantic.ValidationError: the value is no encoder.
        """
        return from_plain(cls, value)


def _categories(table: pd.DataFrame, field: str) -> tuple[str, ...]:
    return tuple(sorted(str(value) for value in table[field].dropna().unique()))


def _texts(table: pd.DataFrame, name: str) -> Column:
    return [value if isinstance(value, str) else None for value in table[name]]


def _attributes(table: pd.DataFrame, names: Sequence[str]) -> dict[str, Column]:
    """Columns of `attributes` by name, None where unknown."""
    if not names:
        return {}
    rows = attribute_rows(table)
    return {name: [row.get(name) for row in rows] for name in names}


def _scaled(values: pd.Series, scale: tuple[float, float, float]) -> npt.NDArray[np.float32]:
    """Values as a column [N, 1] of train's range, NaN as its median."""
    low, high, median = scale
    filled = values.fillna(median).to_numpy(dtype=np.float64)
    scaled = (filled - low) / (high - low) if high > low else np.zeros_like(filled)
    return scaled[:, None].astype(np.float32)


def _hot(values: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> npt.NDArray[np.float32]:
    """One column for each word [N, W]; a row may have several."""
    place = {word: index for index, word in enumerate(vocabulary)}
    made = np.zeros((len(values), len(place)), dtype=np.float32)
    for row, words in enumerate(values):
        for word in words:
            if word in place:
                made[row, place[word]] = 1.0
    return made


def _missing(
    table: pd.DataFrame, name: str, attributes: Mapping[str, Column]
) -> npt.NDArray[np.float32]:
    """1 where a value is unknown [N, 1]."""
    if name in FIELDS:
        absent = table[name].isna().to_numpy(dtype=bool)
    else:
        absent = np.array([value is None for value in attributes[name]], dtype=bool)
    return absent[:, None].astype(np.float32)
