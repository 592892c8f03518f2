"""Split tables: by image, lesion, patient or source, across datasets, or as published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.assign import folds_of, hold_out
from skinbench.data.grouping import GROUPS, known_source
from skinbench.data.grouping import without_lesion as lesion_unknown
from skinbench.data.published import read_official, read_published
from skinbench.data.resampling import resampling_notes
from skinbench.data.split_images import (
    SplitImages,
    oversampled,
    read_images,
    shared_with,
    totals_of,
    val_within,
)
from skinbench.data.split_tables import (
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
    "by_source",
    "cross",
    "export_split",
    "given",
    "grouped",
    "import_split",
    "load_split",
    "publish_split",
    "published",
    "split_digest",
]


def grouped(
    name: str,
    manifest: Manifest,
    *,
    group: str,
    test: float,
    val: float,
    folds: int,
    seed: int,
    without_lesion: str = "own",
    oversample_first: bool = False,
) -> SplitTable:
    """Split one dataset, stratified by class, without dividing a group.

    With `group: image` each class's share of train, val and test is within one image of what was
    asked for; with groups, within about one group. The test images depend on test or folds, group
    and seed, but not on `val`. Images without a label are in no split.

    Args:
        name: key under `splits:`.
        manifest: the dataset.
        group: what is never divided: image, lesion, patient or source.
        test: share of test images; not used where folds > 1.
        val: share of all images that is val, taken inside train by the same grouping.
        folds: 1 for one hold-out, k for k folds whose test parts cover every image once.
        seed: any non-negative integer.
        without_lesion: what becomes of images that name neither lesion nor patient: `own` makes
            each a group, `train` puts them into train of every fold, beside the shares of the
            others, `drop` leaves them out.
        oversample_first: repeat images until every class has as many as the largest, and only
            then divide the copies: an image can be in train, val and test at once. `copies` says
            how often. Made for showing what that does; nothing else puts an image on both sides.

    Raises:
        UsageError: shares, folds or group that cannot be.
    """
    test = 1.0 / folds if folds > 1 else test
    _check_request(name, group, test, val, folds, seed)
    if oversample_first and group != "image":
        raise UsageError(
            f"splits.{name}.oversample_first: copies of an image are divided one by one, which "
            f"is `group: image`, not {group}"
        )
    images = read_images(name, manifest, group, without_lesion)
    if oversample_first:
        images = oversampled(images, seed)
    if folds > 1:
        if images.groups.max(initial=-1) + 1 < folds:
            raise UsageError(f"splits.{name}: {folds} folds need as many groups")
        parts = folds_of(images.classes, images.groups, folds, np.random.default_rng([seed, 0]))
        tests = [parts == fold for fold in range(folds)]
    else:
        wanted = totals_of(images.classes, len(images.names)) * test
        rng = np.random.default_rng([seed, 0])
        tests = [hold_out(images.classes, images.groups, wanted, rng)]
    frames = []
    for fold, in_test in enumerate(tests):
        split = np.where(in_test, "test", "train").astype(object)
        split[val_within(images, in_test, test, val, np.random.default_rng([seed, 1 + fold]))] = (
            "val"
        )
        frames.append(_fold_frame(images, manifest.name, fold, split))
    table = _joined(frames)
    notes = (*images.notes, *_absent(images, manifest.name, table, val))
    return split_of(name, table, group=group, folds=folds, notes=notes)


def by_source(
    name: str,
    manifest: Manifest,
    *,
    group: str,
    val: float,
    seed: int,
    without_lesion: str = "own",
) -> SplitTable:
    """Leave one source out: a fold for each source, in the order of their names, that is its test.

    Images whose source is not known are in no split: they may be of the one that is left out.
    Where `without_lesion: train` asks for it, those without a lesion are in train all the same.

    Args:
        name: key under `splits:`.
        manifest: the dataset; its column `source` says where each image was taken.
        group: what val inside the other sources never divides.
        val: share of the other sources' images that is val.
        seed: any non-negative integer.
        without_lesion: as of `grouped`; under `train`, in train of the folds whose test is not
            their source.

    Raises:
        UsageError: fewer than two sources are known, or a share that cannot be.
    """
    _check_request(name, group, None, val, 1, seed)
    known = known_source(manifest.table)
    sources = sorted(set(manifest.table.loc[known & manifest.table["label"].notna(), "source"]))
    if len(sources) < 2:
        found = f"one source, {sources[0]}" if sources else "no sources"
        raise UsageError(
            f"splits.{name}.folds: '{manifest.name}' names {found}; leaving one out needs two"
        )
    notes: tuple[str, ...] = ()
    if without_lesion == "train":
        known |= lesion_unknown(manifest.table)
    if not known.all():
        notes = (
            f"{int((~known).sum()):,} of {len(known):,} images of {manifest.name} have no source: "
            f"in no split",
        )
        manifest = replace(manifest, table=manifest.table[known].reset_index(drop=True))
    images = read_images(name, manifest, group, without_lesion)
    home = dict(zip(manifest.table["image_id"], manifest.table["source"], strict=True))
    frames = []
    for fold, source in enumerate(sources):
        in_test = np.asarray(images.sources == source, dtype=bool)
        if not in_test.any() or in_test.all():
            raise UsageError(f"splits.{name}.folds: no image of {source} (or of another) is left")
        split = np.full(len(images.ids), "train", dtype=object)
        split[in_test] = "test"
        rest = images.subset(~in_test)
        nowhere = np.zeros(len(rest.ids), dtype=bool)
        chosen = val_within(rest, nowhere, 0.0, val, np.random.default_rng([seed, 1 + fold]))
        split[np.flatnonzero(~in_test)[chosen]] = "val"
        others = [image for image in images.train_only if home[image] != source]
        part = replace(images, train_only=np.array(others, dtype=object))
        frames.append(_fold_frame(part, manifest.name, fold, split))
    table = _joined(frames)
    notes = (*notes, *images.notes, *_absent(images, manifest.name, table, val, sources))
    return split_of(name, table, group=group, folds=len(sources), notes=notes, fold_names=sources)


def cross(
    name: str,
    train: Manifest,
    test: Manifest,
    exclude: Manifest | None,
    *,
    group: str,
    val: float,
    seed: int,
    without_lesion: str = "own",
) -> SplitTable:
    """Train on one dataset, test on another.

    Args:
        name: key under `splits:`.
        train: the dataset learnt from, less what `exclude` has.
        test: the dataset judged on; all of its labelled images.
        exclude: images of train with one of its image ids (`_downsampled` or not) or lesion ids
            are left out; None leaves train whole.
        group: what val inside train never divides: image, lesion, patient or source.
        val: share of the remaining train images that is val.
        seed: any non-negative integer.
        without_lesion: as of `grouped`, for the images of train; test images are never dropped.

    Raises:
        UsageError: train and test are one dataset, nothing is left, or a share that cannot be.
    """
    _check_request(name, group, None, val, 1, seed)
    if train.name == test.name:
        raise UsageError(f"splits.{name}: train and test are both '{train.name}'; use `data:`")
    notes: tuple[str, ...] = ()
    if exclude is not None:
        shared = shared_with(train.table, exclude.table)
        notes = (
            f"{int(shared.sum()):,} of {len(shared):,} images of {train.name} left out: "
            f"{exclude.name} has their image or lesion id",
        )
        train = replace(train, table=train.table[~shared].reset_index(drop=True))
    images = read_images(name, train, group, without_lesion)
    nowhere = np.zeros(len(images.ids), dtype=bool)
    split = np.full(len(images.ids), "train", dtype=object)
    split[val_within(images, nowhere, 0.0, val, np.random.default_rng([seed, 1]))] = "val"
    judged = read_images(name, test, "image")
    whole = np.full(len(judged.ids), "test", dtype=object)
    learnt = _fold_frame(images, train.name, 0, split)
    table = _joined([learnt, _fold_frame(judged, test.name, 0, whole)])
    notes = (*notes, *images.notes, *judged.notes, *resampling_notes(train, test))
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
    return _listed(name, table, notes, path)


def published(name: str, manifest: Manifest, options: Mapping[str, object]) -> SplitTable:
    """The split that comes with a dataset, e.g. Derm7pt's index lists.

    Args:
        name: key under `splits:`.
        manifest: the dataset.
        options: the adapter's, as the suite gives them.

    Raises:
        UsageError: the dataset comes with none.
        DataError: its lists are missing or broken, or leave train or test empty.
    """
    table, notes = read_official(name, manifest, options)
    return _listed(name, table, notes, manifest.root)


def _listed(name: str, table: pd.DataFrame, notes: tuple[str, ...], path: Path) -> SplitTable:
    table = sorted_rows(table)
    folds = int(table["fold"].max()) + 1
    for fold in range(folds):
        there = set(table.loc[table["fold"] == fold, "split"])
        for split in ("train", "test"):
            if split not in there:
                raise DataError(f"{path}: fold {fold} has no {split} image")
    return split_of(name, table, group="given", folds=folds, notes=notes)


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


def _fold_frame(
    images: SplitImages, dataset: str, fold: int, split: npt.NDArray[np.object_]
) -> pd.DataFrame:
    """Rows of one fold; copies of one image in one split are one row."""
    ids = np.concatenate([images.ids, images.train_only])
    parts = np.concatenate([split, np.full(len(images.train_only), "train", dtype=object)])
    frame = pd.DataFrame(
        {"image_id": ids, "dataset": dataset, "fold": fold, "split": parts, "copies": 1}
    )
    keys = ["image_id", "dataset", "fold", "split"]
    return frame.groupby(keys, sort=False)["copies"].sum().reset_index()


def _joined(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return sorted_rows(pd.concat(frames, ignore_index=True))


def _absent(
    images: SplitImages,
    dataset: str,
    table: pd.DataFrame,
    val: float,
    fold_names: Sequence[str] = (),
) -> tuple[str, ...]:
    """A note for each class that a split of some fold lacks altogether."""
    labels = pd.Series(images.classes, index=images.ids)
    labels = labels[~labels.index.duplicated()]
    placed = table[table["image_id"].isin(labels.index)]
    counts = pd.crosstab(
        [placed["fold"], placed["split"]], labels.reindex(placed["image_id"]).to_numpy()
    )
    notes = []
    for split in ("train", "val", "test") if val else ("train", "test"):
        for class_ in np.unique(images.classes):
            per_fold = counts[class_].unstack("split", fill_value=0).reindex(columns=[split])
            empty = [int(fold) for fold in per_fold.index[per_fold[split].fillna(0) == 0]]
            if empty:
                shown = [fold_names[fold] if fold_names else str(fold) for fold in empty]
                where = f" of fold {', '.join(shown)}" if len(per_fold) > 1 else ""
                notes.append(f"no {images.names[class_]} image of {dataset} in {split}{where}")
    return tuple(notes)
