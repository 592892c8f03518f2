"""Which metadata columns may be inputs, which never, and why."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from skinbench.data.vocabulary import general_site
from skinbench.errors import UsageError
from skinbench.records import Manifest
from skinbench.registry import suggest

FIELDS = ("age", "sex", "site", "site_general")
"""Metadata that every manifest has a column for; a dataset's other columns go by their names."""
MISSING = ".missing"
"""`age.missing` is the input that says whether the age is unknown; nothing else tells it."""

_IDENTITY = "names an image, lesion or patient, so a model would look its label up"
_FILE = "tells how a file was stored, which differs between sources and so between diagnoses"
_ANSWER = "it is the answer, or a part of it"
_DONE = "was done or judged because of what the lesion was taken for, so it gives the label away"
_SPLIT = "says in which part of a split an image is"
FORBIDDEN_FIELDS: Mapping[str, str] = {
    "dx_type": (
        "how a diagnosis was made gives it away: follow-up is always a nevus, "
        "and a melanoma is always proved by histology"
    ),
    "diagnosis_confirm_type": (
        "how a diagnosis was made gives it away: what looks harmless is not biopsied"
    ),
    "biopsed": "every cancer was biopsied, and of other lesions every fifth (PAD-UFES-20)",
    "biopsied": "cancers are biopsied, and few other lesions",
    "concomitant_biopsy": "cancers are biopsied, and few other lesions",
    "label": "it is the answer",
    "dx": _ANSWER,
    "diagnostic": _ANSWER,
    "target": _ANSWER,
    "benign_malignant": _ANSWER,
    "melanocytic": _ANSWER,
    "nevus_type": _ANSWER,
    "seven_point_score": "the checklist's score was made to tell melanomas: " + _DONE,
    "management": "what was decided to do " + _DONE,
    "level_of_diagnostic_difficulty": _DONE,
    "duplicate_of": _IDENTITY,
    "source": "sources differ in their class shares, so the source gives the label away",
    "mask_path": _FILE,
    "path": _FILE,
    "derm": _FILE,
    "clinic": _FILE,
    "file_digest": _IDENTITY,
    "pixel_digest": _IDENTITY,
    "file_size": _FILE,
    "bytes": _FILE,
    "width": _FILE,
    "height": _FILE,
    "pixels_x": _FILE,
    "pixels_y": _FILE,
    "image_id": _IDENTITY,
    "isic_id": _IDENTITY,
    "case_id": _IDENTITY,
    "case_num": _IDENTITY,
    "lesion_id": _IDENTITY,
    "patient_id": _IDENTITY,
    "group_id": _IDENTITY,
    "attributes": "it is all other columns at once; name those that you mean",
    "fold": _SPLIT,
    "split": _SPLIT,
    "subset": _SPLIT,
    "partition": _SPLIT,
    "tfrecord": _SPLIT,
    "copies": _SPLIT,
}
"""Columns that are never inputs, each with the reason."""
_FORBIDDEN_STARTS = {"diagnosis": _ANSWER, "iddx": _ANSWER, "mel_": _ANSWER}
"""The ISIC Archive has several: diagnosis_1 to 5, iddx_full, mel_thick_mm, ..."""


def why_never(name: str) -> str:
    """Why a column is never an input; "" where it may be one."""
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if plain in FORBIDDEN_FIELDS:
        return FORBIDDEN_FIELDS[plain]
    return next((why for start, why in _FORBIDDEN_STARTS.items() if plain.startswith(start)), "")


def check_fields(fields: Sequence[str], columns: Collection[str] | None = ()) -> None:
    """Check the metadata columns that an input asks for.

    Args:
        fields: names; `<name>.missing` asks for whether a value is unknown.
        columns: what the data has beside FIELDS; None where that is not known here.

    Raises:
        UsageError: a column gives the label away (and why), is unknown, or is there twice.
    """
    for field in fields:
        name = field.removesuffix(MISSING)
        reason = why_never(name)
        if reason:
            raise UsageError(f"metadata field '{name}' is never an input: {reason}")
        if columns is not None and name not in FIELDS and name not in columns:
            known = [*FIELDS, *sorted(c for c in columns if not why_never(c))]
            raise UsageError(
                f"metadata field '{name}' is unknown; {suggest(name, known, limit=30)}"
            )
    if not fields or len(set(fields)) != len(fields):
        raise UsageError(f"metadata fields {list(fields)}: name one or more, each once")


def check_fields_of(fields: Sequence[str], train: Manifest, others: Sequence[Manifest]) -> None:
    """Check fields against the data that is learnt from and the data that is judged.

    Raises:
        UsageError: as check_fields; or another dataset says sites in other words, or lacks a
            column.
    """
    check_fields(fields, attribute_names(train.table))
    names = {field.removesuffix(MISSING) for field in fields}
    for other in others:
        for name in sorted(names - set(FIELDS) - attribute_names(other.table)):
            raise UsageError(
                f"metadata field '{name}' is a column of {train.name} and not of {other.name}, "
                f"on which the row is judged; leave it out"
            )
        if "site" not in names or other.adapter == train.adapter:
            continue
        ours, theirs = (set(m.table["site"].dropna()) for m in (train, other))
        foreign = sorted(theirs - ours)
        if foreign:
            general = general_site(other.adapter, foreign[0])
            meant = f" ({general} in general)" if general else ""
            raise UsageError(
                f"metadata field 'site' is in each dataset's own words: {other.name} says "
                f"'{foreign[0]}'{meant}, which {train.name} never does; use 'site_general'"
            )


def attribute_names(table: pd.DataFrame) -> set[str]:
    """Names of a table's other columns, of those that are known for any row."""
    return {name for values in attribute_rows(table) for name in values}


def attribute_rows(table: pd.DataFrame) -> list[dict[str, str]]:
    """The other columns of every row [N]: name to text, known values only."""
    if "attributes" not in table:
        return [{}] * len(table)
    return [json.loads(value) if isinstance(value, str) else {} for value in table["attributes"]]


def finite_number(text: str) -> float | None:
    """The number that a text is; None for any other text, and for what is not finite."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
