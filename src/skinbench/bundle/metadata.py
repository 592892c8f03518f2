"""What a person or a table says of images, as the rows that a bundle's networks read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from skinbench.bundle.model import BundleModel
from skinbench.catalog.datasets._cells import MAX_AGE, SEXES, UNKNOWN_WORDS
from skinbench.catalog.datasets._tables import read_table
from skinbench.data.fields import FIELDS, finite_number
from skinbench.data.vocabulary import general_site
from skinbench.errors import DataError, UsageError, counted, one_line
from skinbench.store import canonical_json

IDS = ("image", "image_id", "image_name", "isic_id")
ALSO = {
    "age": ("age", "age_approx", "age_years"),
    "sex": ("sex", "gender"),
    "site": ("site", "localization", "anatom_site", "region"),
    "site_general": ("site_general", "anatom_site_general", "anatom_site_general_challenge"),
}
"""What datasets call the columns that every manifest has."""
_ENDINGS = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif")

Said = Mapping[str, str | None]
"""Field to what is said of it, as text; None or absent where nothing is."""


@dataclass(frozen=True, kw_only=True)
class Understood:
    """Rows of metadata, and what of them the model does not know."""

    table: pd.DataFrame
    """[N] with the columns of a manifest that metadata are read from."""
    unknown: tuple[Mapping[str, str], ...]
    """For each row the fields whose word the model never saw in training."""


def understand(model: BundleModel, said: Sequence[Said]) -> Understood:
    """Rows that the model's encoders can read.

    Words are matched in any letter case, F and M as datasets use them. A field that is not given
    is missing, as it was in training where it was missing.

    Raises:
        UsageError: an age or another number is none; names the field.
    """
    rows, unknown = [], []
    for item in said:
        row, odd = _row(model, item)
        rows.append(row)
        unknown.append(odd)
    columns = ["age", "sex", "site", "site_general", "attributes"]
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    table["age"] = table["age"].astype("float32")
    return Understood(table=table, unknown=tuple(unknown))


def _row(model: BundleModel, said: Said) -> tuple[dict[str, object], dict[str, str]]:
    row: dict[str, object] = {"age": None, "sex": None, "site": None, "site_general": None}
    others: dict[str, str] = {}
    odd: dict[str, str] = {}
    known = {name: text for name, text in said.items() if not _is_unknown(text)}
    if "site_general" not in known and "site" in known:
        general = general_site("", known["site"])
        if general is not None:
            known["site_general"] = general
    for name in model.fields:
        text = known.get(name)
        if text is None:
            continue
        words = model.vocabulary(name)
        value: object = _number(name, text) if words is None else _word(name, text, words)
        if words is not None and value not in words:
            odd[name] = one_line(text)[:60]
        if name in FIELDS:
            row[name] = value
        else:
            others[name] = str(value)
    row["attributes"] = canonical_json(others) if others else None
    return row, odd


def _is_unknown(text: str | None) -> bool:
    return text is None or text.strip().lower() in UNKNOWN_WORDS


def _number(name: str, text: str) -> float:
    value = finite_number(text.strip().replace(",", "."))
    if value is None or (name == "age" and not 0 <= value <= MAX_AGE):
        wanted = f"a number of years from 0 to {MAX_AGE:.0f}" if name == "age" else "a number"
        raise UsageError(f"{name}: {one_line(text)[:40]!r} is not {wanted}")
    return value


def _word(name: str, text: str, words: Sequence[str]) -> str:
    plain = " ".join(text.split())
    if name == "sex":
        plain = SEXES.get(plain.lower(), plain)
    return {word.lower(): word for word in words}.get(plain.lower(), plain)


def read_said(path: Path, model: BundleModel) -> dict[str, Said]:
    """Image id (without a file's ending) to what a table says of it.

    Args:
        path: CSV or TSV with a column of image ids and the fields, by any dataset's names.
        model: says which fields, and which of them are numbers.

    Raises:
        DataError: no ids, an id twice, none of the fields, or a number that is none.
    """
    frame, fields = read_table(path), model.fields
    lines = frame.pop("row")
    name = next((column for column in IDS if column in frame), None)
    shown = one_line(", ".join(map(str, list(frame.columns)[:12])))
    if name is None:
        raise DataError(
            f"{path}: has no column of image ids; expected one of {', '.join(IDS)}, found {shown}"
        )
    columns = {field: _column(frame, field) for field in fields}
    if "site_general" in fields and columns["site_general"] is None:
        columns["site"] = _column(frame, "site")
    given = {field: column for field, column in columns.items() if column is not None}
    if not given:
        raise DataError(
            f"{path}: has none of {', '.join(fields)}, which the model reads; found {shown}"
        )
    ids = [image_id(str(value)) for value in frame[name]]
    if len(set(ids)) < len(ids):
        twice = sorted({item for item in ids if ids.count(item) > 1}) if len(ids) < 5000 else []
        which = f" ({one_line(twice[0])})" if twice else ""
        raise DataError(f"{path}: has images more than once{which}; expected one row an image")
    texts = {field: [_text(value) for value in frame[column]] for field, column in given.items()}
    for field, cells in texts.items():
        if model.vocabulary(field) is None:
            _check_numbers(path, lines, field, cells)
    return {
        item: {field: cells[place] for field, cells in texts.items()}
        for place, item in enumerate(ids)
    }


def _check_numbers(path: Path, lines: pd.Series, field: str, cells: Sequence[str | None]) -> None:
    for line, text in zip(lines, cells, strict=True):
        if text is None or _is_unknown(text):
            continue
        try:
            _number(field, text)
        except UsageError as error:
            raise DataError(f"{path}: row {line}: {error}") from error


def check_met(path: Path, said: Mapping[str, Said], images: Sequence[str]) -> None:
    """See that a table speaks of the images at all.

    Args:
        path: of the table.
        said: by image id.
        images: ids that are answered.

    Raises:
        DataError: of none of them.
    """
    if any(name in said for name in images):
        return
    if not said:
        raise DataError(f"{path}: has no row below its header")
    raise DataError(
        f"{path}: has no row for any of the {counted(len(images), 'image')}; it speaks of "
        f"{one_line(min(said))!r}, and they are called {one_line(images[0])!r}"
    )


def _column(frame: pd.DataFrame, field: str) -> str | None:
    return next((name for name in ALSO.get(field, (field,)) if name in frame), None)


def _text(value: object) -> str | None:
    return None if value is None or value != value else str(value)


def image_id(name: str) -> str:
    """A file's name without its ending: ISIC_0024306.jpg -> ISIC_0024306."""
    ending = Path(name).suffix.lower()
    return name[: -len(ending)] if ending in _ENDINGS else name


def words_unknown(found: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """One sentence for each field with words that the model never saw."""
    by_field: dict[str, list[str]] = {}
    for item in found:
        for field, word in item.items():
            by_field.setdefault(field, []).append(word)
    return tuple(
        f"{field}: the model never saw {', '.join(repr(w) for w in sorted(set(words))[:3])} "
        f"in training ({counted(len(words), 'image')}); taken as unknown"
        for field, words in sorted(by_field.items())
    )
