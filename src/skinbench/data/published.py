"""Published split lists: (image_id, split) and optionally fold, copies and dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pandas as pd

from skinbench import registry
from skinbench.catalog.datasets._tables import read_table, require_columns
from skinbench.errors import DataError, UsageError, counted
from skinbench.records import Manifest

T = TypeVar("T", str, int)
_SPLITS = ("train", "val", "test")


def read_published(
    manifests: Mapping[str, Manifest], path: Path
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A published list, checked against the datasets that it names.

    An image that cleaning left out is left out here too, and counted in a note; so are images
    of the datasets that the list does not name.

    Returns:
        (rows with the columns of SPLIT_SCHEMA in the file's order, notes).

    Raises:
        DataError: names file and row of an unknown image, an image without a label outside
            test, a wrong value, or a row that is there twice.
    """
    source = read_table(path)
    require_columns(source, ("image_id", "split"), path)
    table = pd.DataFrame({"row": source["row"], "image_id": source["image_id"]})
    table["split"] = _column(source, "split", path, _split, "train")
    table["fold"] = _column(source, "fold", path, lambda text: _integer(text, 0), "0")
    table["copies"] = _column(source, "copies", path, lambda text: _integer(text, 1), "1")
    table["dataset"] = pd.Series(_datasets(source, manifests, path), dtype=object)
    table, notes = _without_cleaned(table, manifests, path)
    _check_unique(table, path)
    _check_labels(table, manifests, path)
    for name, manifest in manifests.items():
        listed = set(table.loc[table["dataset"] == name, "image_id"])
        count = int((~manifest.table["image_id"].isin(listed)).sum())
        if count:
            notes.append(f"{count:,} of {len(manifest.table):,} images of {name} are in no split")
    if table.empty:
        raise DataError(f"{path}: the list names no usable image")
    return table.drop(columns="row"), tuple(notes)


def read_official(
    name: str, manifest: Manifest, options: Mapping[str, object]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The split that comes with a dataset, of the images that its manifest has.

    Returns:
        (rows with the columns of SPLIT_SCHEMA, notes).

    Raises:
        UsageError: the dataset comes with none.
        DataError: its lists are missing or broken, or list no usable image.
    """
    entry = registry.datasets.get(manifest.adapter)
    if entry.published is None:
        raise UsageError(
            f"splits.{name}.published: {manifest.adapter} comes without a split; use `test` or "
            f"`folds`, or name a list with `file`"
        )
    listed = entry.published(manifest.root, {**entry.options, **options})
    known = set(manifest.table["image_id"])
    used = listed["image_id"].isin(known)
    table = listed[used].reset_index(drop=True)
    if table.empty:
        raise DataError(f"{manifest.root}: the published split lists no usable image")
    table = table.assign(row=table.index + 1, fold=0, copies=1, dataset=manifest.name)
    _check_unique(table, manifest.root)
    _check_labels(table, {manifest.name: manifest}, manifest.root)
    notes = []
    if not used.all():
        count = f"{int((~used).sum()):,} of {len(used):,} images of the published split"
        notes.append(f"{count} are not in {manifest.name}")
    unlisted = len(known - set(table["image_id"]))
    if unlisted:
        notes.append(f"{unlisted:,} of {len(known):,} images of {manifest.name} are in no split")
    return table.drop(columns="row"), tuple(notes)


def _column(
    source: pd.DataFrame,
    name: str,
    path: Path,
    parse: Callable[[str], T],
    default: str,
) -> list[T]:
    if name not in source:
        return [parse(default)] * len(source)
    values = []
    for row, text in zip(source["row"], source[name], strict=True):
        try:
            values.append(parse(text or ""))
        except ValueError as error:
            raise DataError(f"{path}: row {row}: {name} {text!r} is not {error}") from error
    return values


def _split(text: str) -> str:
    if text.lower() not in _SPLITS:
        raise ValueError("train, val or test")
    return text.lower()


def _integer(text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) < 10**6):
        raise ValueError(f"a whole number of {least} or more")
    return int(text)


def _datasets(
    source: pd.DataFrame, manifests: Mapping[str, Manifest], path: Path
) -> list[str | None]:
    """Dataset per row: as the list says, else the one that has the image; None if none does."""
    if "dataset" in source:
        for row, name in zip(source["row"], source["dataset"], strict=True):
            if name not in manifests:
                known = ", ".join(sorted(manifests))
                raise DataError(f"{path}: row {row}: dataset {name!r} is not one of: {known}")
        return list(source["dataset"])
    homes: dict[str, list[str]] = {}
    for name, manifest in manifests.items():
        for image_id in {*manifest.table["image_id"], *cleaned(manifest)}:
            homes.setdefault(image_id, []).append(name)
    found: list[str | None] = []
    for row, image_id in zip(source["row"], source["image_id"], strict=True):
        names = homes.get(image_id, [])
        if len(names) > 1:
            raise DataError(
                f"{path}: row {row}: image {image_id!r} is in {' and '.join(names)}; "
                f"add a dataset column"
            )
        found.append(names[0] if names else None)
    return found


def cleaned(manifest: Manifest) -> set[str]:
    """Ids of the images that cleaning left out."""
    findings = [f for f in manifest.findings if f.policy == "quarantine"]
    return {item for finding in findings for item in finding.items}


def _without_cleaned(
    table: pd.DataFrame, manifests: Mapping[str, Manifest], path: Path
) -> tuple[pd.DataFrame, list[str]]:
    kept = {name: set(manifest.table["image_id"]) for name, manifest in manifests.items()}
    dropped = {name: cleaned(manifest) for name, manifest in manifests.items()}
    usable, gone = [], dict.fromkeys(manifests, 0)
    rows = zip(table["row"], table["image_id"], table["dataset"], strict=True)
    for row, image_id, name in rows:
        if name is not None and image_id in kept[name]:
            usable.append(True)
        elif name is not None and image_id in dropped[name]:
            usable.append(False)
            gone[name] += 1
        else:
            raise DataError(
                f"{path}: row {row}: image {image_id!r} is not in {name or ', '.join(manifests)}"
            )
    notes = [
        f"{counted(count, 'row')} of the list left out: cleaning dropped their image from {name}"
        for name, count in gone.items()
        if count
    ]
    return table[pd.Series(usable, index=table.index, dtype=bool)], notes


def _check_unique(table: pd.DataFrame, path: Path) -> None:
    # An image in two splits is a leak for the audit to find; the same row twice is a mistake.
    repeated = table.duplicated(["dataset", "image_id", "fold", "split"])
    if repeated.any():
        first = table[repeated].iloc[0]
        raise DataError(
            f"{path}: row {first['row']}: image {first['image_id']!r} is in {first['split']} of "
            f"fold {first['fold']} twice; use the column copies"
        )


def _check_labels(table: pd.DataFrame, manifests: Mapping[str, Manifest], path: Path) -> None:
    for name, manifest in manifests.items():
        unlabelled = set(manifest.table.loc[manifest.table["label"].isna(), "image_id"])
        learnt = table[(table["dataset"] == name) & (table["split"] != "test")]
        bad = learnt[learnt["image_id"].isin(unlabelled)]
        if len(bad):
            first = bad.iloc[0]
            raise DataError(
                f"{path}: row {first['row']}: image {first['image_id']!r} of {name} has no label "
                f"and cannot be in {first['split']}"
            )
