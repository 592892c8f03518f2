"""Split tables: stratified by image, lesion or patient, across datasets, or as published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.assign import Floats, Ints, folds_of, hold_out, rounded
from skinbench.data.grouping import GROUPS, group_indices
from skinbench.data.published import read_published
from skinbench.data.split_tables import (
    bare_id,
    export_split,
    import_split,
    load_split,
    publish_split,
    sorted_rows,
    split_digest,
    split_of,
)
from skinbench.errors import DataError, UsageError
from skinbench.records import Manifest, SplitTable

__all__ = [
    "GROUPS",
    "cross",
    "export_split",
    "given",
    "grouped",
    "import_split",
    "load_split",
    "publish_split",
    "split_digest",
]


@dataclass(frozen=True, kw_only=True)
class _Images:
    """Labelled images of a manifest, sorted by id, as arrays."""

    ids: npt.NDArray[np.object_]
    classes: Ints
    """Class index per image [N]."""
    groups: Ints
    """Group index per image [N]."""
    names: tuple[str, ...]
    notes: tuple[str, ...]


def grouped(
    name: str,
    manifest: Manifest,
    *,
    group: str,
    test: float,
    val: float,
    folds: int,
    seed: int,
) -> SplitTable:
    """Split one dataset, stratified by class, without dividing a group.

    With `group: image` each class's share of train, val and test is within one image of what was
    asked for; with groups, within about one group. The test images depend on test or folds, group
    and seed, but not on `val`. Images without a label are in no split.

    Args:
        name: key under `splits:`.
        manifest: the dataset.
        group: what is never divided: image, lesion or patient.
        test: share of test images; not used where folds > 1.
        val: share of all images that is val, taken inside train by the same grouping.
        folds: 1 for one hold-out, k for k folds whose test parts cover every image once.
        seed: any non-negative integer.

    Raises:
        UsageError: shares, folds or group that cannot be.
    """
    test = 1.0 / folds if folds > 1 else test
    _check_request(name, group, test, val, folds, seed)
    images = _images(name, manifest, group)
    if folds > 1:
        if images.groups.max(initial=-1) + 1 < folds:
            raise UsageError(f"splits.{name}: {folds} folds need as many groups")
        parts = folds_of(images.classes, images.groups, folds, np.random.default_rng([seed, 0]))
        tests = [parts == fold for fold in range(folds)]
    else:
        wanted = _totals(images.classes, len(images.names)) * test
        rng = np.random.default_rng([seed, 0])
        tests = [hold_out(images.classes, images.groups, wanted, rng)]
    frames = []
    for fold, in_test in enumerate(tests):
        split = np.where(in_test, "test", "train").astype(object)
        split[_val_within(images, in_test, test, val, np.random.default_rng([seed, 1 + fold]))] = (
            "val"
        )
        frames.append(_frame(images.ids, manifest.name, fold, split))
    table = sorted_rows(pd.concat(frames))
    notes = (*images.notes, *_absent(images, manifest.name, table, val))
    return split_of(name, table, group=group, folds=folds, notes=notes)


def cross(
    name: str,
    train: Manifest,
    test: Manifest,
    exclude: Manifest | None,
    *,
    group: str,
    val: float,
    seed: int,
) -> SplitTable:
    """Train on one dataset, test on another.

    Args:
        name: key under `splits:`.
        train: the dataset learnt from, less what `exclude` has.
        test: the dataset judged on; all of its labelled images.
        exclude: images of train with one of its image ids (`_downsampled` or not) or lesion ids
            are left out; None leaves train whole.
        group: what val inside train never divides: image, lesion or patient.
        val: share of the remaining train images that is val.
        seed: any non-negative integer.

    Raises:
        UsageError: train and test are one dataset, nothing is left, or a share that cannot be.
    """
    _check_request(name, group, None, val, 1, seed)
    if train.name == test.name:
        raise UsageError(f"splits.{name}: train and test are both '{train.name}'; use `data:`")
    notes: tuple[str, ...] = ()
    if exclude is not None:
        shared = _shared(train.table, exclude.table)
        notes = (
            f"{int(shared.sum()):,} of {len(shared):,} images of {train.name} left out: "
            f"{exclude.name} has their image or lesion id",
        )
        train = replace(train, table=train.table[~shared].reset_index(drop=True))
    images = _images(name, train, group)
    nowhere = np.zeros(len(images.ids), dtype=bool)
    split = np.full(len(images.ids), "train", dtype=object)
    split[_val_within(images, nowhere, 0.0, val, np.random.default_rng([seed, 1]))] = "val"
    judged = _images(name, test, "image")
    whole = np.full(len(judged.ids), "test", dtype=object)
    table = sorted_rows(
        pd.concat(
            [_frame(images.ids, train.name, 0, split), _frame(judged.ids, test.name, 0, whole)]
        )
    )
    notes = (*notes, *images.notes, *judged.notes)
    return split_of(name, table, group=group, folds=1, notes=notes)


def given(name: str, manifests: Mapping[str, Manifest], path: Path) -> SplitTable:
    """A published split.

    Args:
        name: key under `splits:`.
        manifests: datasets by name whose images the list may name.
        path: CSV or Parquet with image_id and split (train, val, test), and optionally fold
            (from 0), copies (1 or more) and dataset.

    Raises:
        DataError: names the file and row of an unknown image, a wrong value or a repeated row;
            or a fold without train or test images.
    """
    table, notes = read_published(manifests, path)
    table = sorted_rows(table)
    folds = int(table["fold"].max()) + 1
    for fold in range(folds):
        there = set(table.loc[table["fold"] == fold, "split"])
        for split in ("train", "test"):
            if split not in there:
                raise DataError(f"{path}: fold {fold} has no {split} image")
    return split_of(name, table, group="given", folds=folds, notes=notes)


# --- arrays ------------------------------------------------------------------------------


def _check_request(
    name: str, group: str, test: float | None, val: float, folds: int, seed: int
) -> None:
    if group not in GROUPS:
        raise UsageError(f"splits.{name}.group: '{group}' is unknown; use {', '.join(GROUPS)}")
    if folds < 1 or seed < 0:
        raise UsageError(f"splits.{name}: folds is 1 or more and seed 0 or more")
    if not (0.0 <= val < 1.0 and (test is None or 0.0 < test < 1.0) and (test or 0.0) + val < 1.0):
        raise UsageError(
            f"splits.{name}: test {test or 0:g} and val {val:g} are shares of all images and must "
            f"leave some for train: 0 < test, 0 <= val, test + val < 1"
        )


def _images(name: str, manifest: Manifest, group: str) -> _Images:
    table = manifest.table.sort_values("image_id", kind="stable").reset_index(drop=True)
    unlabelled = int(table["label"].isna().sum())
    table = table[table["label"].notna()].reset_index(drop=True)
    if table.empty:
        raise UsageError(f"splits.{name}: no labelled image of '{manifest.name}' is left")
    names = manifest.label_space.classes
    index = {code: position for position, code in enumerate(names)}
    groups, notes = group_indices(name, manifest.name, table, group)
    if unlabelled:
        notes = (*notes, f"{unlabelled:,} images of {manifest.name} without a label: in no split")
    return _Images(
        ids=table["image_id"].to_numpy(dtype=object),
        classes=np.array([index[label] for label in table["label"]], dtype=np.int64),
        groups=groups,
        names=names,
        notes=notes,
    )


def _val_within(
    images: _Images,
    in_test: npt.NDArray[np.bool_],
    test: float,
    val: float,
    rng: np.random.Generator,
) -> npt.NDArray[np.bool_]:
    """Which images outside test are val [N]."""
    chosen = np.zeros(len(in_test), dtype=bool)
    if val == 0.0:
        return chosen
    n_classes = len(images.names)
    totals = _totals(images.classes, n_classes)
    rest = totals - _totals(images.classes[in_test], n_classes)
    wanted = totals * val
    # Round so that train, which gets what is left, stays within one image of its share too.
    low, high = rounded(wanted)
    least, most = rounded(rest - totals * (1.0 - test - val))
    tight_low, tight_high = np.maximum(low, least), np.minimum(high, most)
    possible = tight_low <= tight_high
    bounds = np.where(possible, tight_low, low), np.where(possible, tight_high, high)
    outside = np.flatnonzero(~in_test)
    groups = pd.factorize(images.groups[outside])[0].astype(np.int64)
    chosen[outside] = hold_out(images.classes[outside], groups, wanted, rng, bounds)
    return chosen


def _totals(classes: Ints, n_classes: int) -> Floats:
    return np.bincount(classes, minlength=n_classes).astype(np.float64)


def _shared(left: pd.DataFrame, right: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Rows of left whose image or lesion is in right [N]."""
    images = left["image_id"].map(bare_id).isin(set(right["image_id"].map(bare_id)))
    lesions = left["lesion_id"].isin(set(right["lesion_id"].dropna()))
    return (images | lesions).to_numpy(dtype=bool)


# --- tables ------------------------------------------------------------------------------


def _frame(
    ids: npt.NDArray[np.object_], dataset: str, fold: int, split: npt.NDArray[np.object_]
) -> pd.DataFrame:
    return pd.DataFrame(
        {"image_id": ids, "dataset": dataset, "fold": fold, "split": split, "copies": 1}
    )


def _absent(images: _Images, dataset: str, table: pd.DataFrame, val: float) -> tuple[str, ...]:
    """A note for each class that a split of some fold lacks altogether."""
    labels = pd.Series(images.classes, index=images.ids)
    counts = pd.crosstab(
        [table["fold"], table["split"]], labels.reindex(table["image_id"]).to_numpy()
    )
    notes = []
    for split in ("train", "val", "test") if val else ("train", "test"):
        for class_ in np.unique(images.classes):
            per_fold = counts[class_].unstack("split", fill_value=0).reindex(columns=[split])
            empty = [int(fold) for fold in per_fold.index[per_fold[split].fillna(0) == 0]]
            if empty:
                where = f" of fold {', '.join(map(str, empty))}" if len(per_fold) > 1 else ""
                notes.append(f"no {images.names[class_]} image of {dataset} in {split}{where}")
    return tuple(notes)
