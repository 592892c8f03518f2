"""Metadata columns as numbers: a vocabulary learnt from the training split alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.errors import UsageError
from skinbench.registry import suggest
from skinbench.store import from_plain, to_plain

FIELDS = ("age", "sex", "site")
"""Metadata that a network may see."""

_IDENTITY = "names an image, lesion or patient, so a model would look its label up"
_FILE = "tells how a file was stored, which differs between sources and so between diagnoses"
FORBIDDEN_FIELDS: Mapping[str, str] = {
    "dx_type": (
        "how a diagnosis was made gives it away: follow-up is always a nevus, "
        "and a melanoma is always proved by histology"
    ),
    "label": "it is the answer",
    "source": "sources differ in their class shares, so the source gives the label away",
    "mask_path": _FILE,
    "path": _FILE,
    "file_digest": _IDENTITY,
    "file_size": _FILE,
    "width": _FILE,
    "height": _FILE,
    "image_id": _IDENTITY,
    "lesion_id": _IDENTITY,
    "patient_id": _IDENTITY,
    "group_id": _IDENTITY,
}
"""Columns that are never inputs, each with the reason."""


def check_fields(fields: Sequence[str]) -> None:
    """Check the metadata columns that an input asks for.

    Raises:
        UsageError: a column gives the label away (and why), is unknown, or is there twice.
    """
    for name in fields:
        if name in FORBIDDEN_FIELDS:
            raise UsageError(f"metadata field '{name}' is never an input: {FORBIDDEN_FIELDS[name]}")
        if name not in FIELDS:
            raise UsageError(f"metadata field '{name}' is unknown; {suggest(name, FIELDS)}")
    if not fields or len(set(fields)) != len(fields):
        raise UsageError(f"metadata fields {list(fields)}: name one or more, each once")


@dataclass(frozen=True, kw_only=True)
class MetadataEncoder:
    """Age scaled to train's range, sex and site as one-hot; an unknown category is all zeros.

    That a value is missing is no input: it would tell the source. A missing age becomes the
    median of train.
    """

    fields: tuple[str, ...]
    age_low: float
    """Lowest age of train in years; 0 where train knows no age."""
    age_high: float
    age_median: float
    sexes: tuple[str, ...]
    """Categories of train, sorted; each is a column."""
    sites: tuple[str, ...]

    @classmethod
    def fit(cls, table: pd.DataFrame, fields: Sequence[str]) -> MetadataEncoder:
        """Learn the vocabulary from manifest rows of the training split.

        Args:
            table: rows with the columns in `fields`.
            fields: of age, sex and site; the order of the columns of `transform`.

        Raises:
            UsageError: see `check_fields`.
        """
        check_fields(fields)
        ages = np.zeros(1)
        if "age" in fields and table["age"].notna().any():
            ages = table["age"].dropna().to_numpy(dtype=np.float64)
        return cls(
            fields=tuple(fields),
            age_low=float(ages.min()),
            age_high=float(ages.max()),
            age_median=float(np.median(ages)),
            sexes=_categories(table, "sex") if "sex" in fields else (),
            sites=_categories(table, "site") if "site" in fields else (),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each column of `transform`, e.g. `age`, `sex=female`."""
        return tuple(
            name
            for field in self.fields
            for name in (
                ["age"] if field == "age" else [f"{field}={v}" for v in self._vocabulary(field)]
            )
        )

    def transform(self, table: pd.DataFrame) -> npt.NDArray[np.float32]:
        """Manifest rows as numbers [N, M], M = len(names).

        Ages outside train's range go beyond 0..1; categories that train lacks are all zeros.
        """
        blocks = [np.zeros((len(table), 0), dtype=np.float32)]
        for field in self.fields:
            if field == "age":
                ages = table["age"].astype(np.float64).fillna(self.age_median).to_numpy()
                span = self.age_high - self.age_low
                scaled = (ages - self.age_low) / span if span > 0 else np.zeros_like(ages)
                blocks.append(scaled[:, None].astype(np.float32))
            else:
                values = table[field].to_numpy(dtype=object)[:, None]
                vocabulary = np.array(self._vocabulary(field), dtype=object)[None, :]
                blocks.append((values == vocabulary).astype(np.float32))
        return np.concatenate(blocks, axis=1)

    def _vocabulary(self, field: str) -> tuple[str, ...]:
        return self.sexes if field == "sex" else self.sites

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
