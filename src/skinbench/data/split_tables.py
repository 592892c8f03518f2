"""Split tables on disk and in the store, and their digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from skinbench.data.tables import frame_digest, read_parquet, shaped, write_parquet
from skinbench.errors import CorruptObjectError
from skinbench.records import SPLIT_SCHEMA, SplitTable
from skinbench.store import Store, read_record, write_json

_ORDER = ["dataset", "image_id", "fold", "split"]


@dataclass(frozen=True, kw_only=True)
class _Facts:
    """Everything of a SplitTable but its table, as JSON beside it."""

    name: str
    group: str
    folds: int
    digest: str
    notes: tuple[str, ...]
    fold_names: tuple[str, ...] = ()


def bare_id(image_id: str) -> str:
    """An image id as its first publication had it: without `_downsampled`."""
    return image_id.removesuffix("_downsampled")


def sorted_rows(table: pd.DataFrame) -> pd.DataFrame:
    """A split table in SPLIT_SCHEMA's shape and the one order that its digest is taken in."""
    return shaped(table.sort_values(_ORDER, kind="stable"), SPLIT_SCHEMA)


def split_of(
    name: str,
    table: pd.DataFrame,
    *,
    group: str,
    folds: int,
    notes: Sequence[str],
    fold_names: Sequence[str] = (),
) -> SplitTable:
    """A SplitTable with its digest; `table` is sorted already."""
    return SplitTable(
        name=name,
        table=table,
        group=group,
        folds=folds,
        digest=split_digest(table),
        notes=tuple(notes),
        fold_names=tuple(fold_names),
    )


def split_digest(table: pd.DataFrame) -> str:
    """Digest over a split table's rows, in the order of SplitTable."""
    return frame_digest(sorted_rows(table))


def publish_split(split: SplitTable, store: Store) -> Path:
    """Keep a split in the store under its digest; the first name and notes stay."""
    return store.publish(
        "splits", split.digest, lambda folder: export_split(split, folder / "table.parquet")
    )


def load_split(store: Store, digest: str) -> SplitTable:
    """A split from the store.

    Raises:
        CorruptObjectError: it is not there, or is damaged.
    """
    return import_split(store.open("splits", digest) / "table.parquet")


def export_split(split: SplitTable, path: Path) -> None:
    """Write the table as Parquet, and all else as `.json` beside it."""
    facts = _Facts(
        name=split.name,
        group=split.group,
        folds=split.folds,
        digest=split.digest,
        notes=split.notes,
        fold_names=split.fold_names,
    )
    write_parquet(split.table, SPLIT_SCHEMA, path)
    write_json(path.with_suffix(".json"), facts)


def import_split(path: Path) -> SplitTable:
    """Read what `export_split` wrote.

    Raises:
        StoreError: a file is absent.
        CorruptObjectError: a file is damaged, or the table is not the one that was written.
    """
    facts = read_record(path.with_suffix(".json"), _Facts)
    table = read_parquet(path, SPLIT_SCHEMA)
    if split_digest(table) != facts.digest:
        raise CorruptObjectError(f"{path} was changed after it was written")
    return SplitTable(
        name=facts.name,
        table=table,
        group=facts.group,
        folds=facts.folds,
        digest=facts.digest,
        notes=facts.notes,
        fold_names=facts.fold_names,
    )
