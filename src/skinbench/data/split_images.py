"""The images that a split divides, as arrays, and val within what test leaves of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench import registry
from skinbench.data.assign import Floats, Ints, hold_out, rounded
from skinbench.data.grouping import group_indices, without_lesion
from skinbench.data.split_tables import bare_id
from skinbench.errors import UsageError, counted
from skinbench.records import Manifest

WITHOUT_LESION = ("own", "train", "drop")
"""What becomes of images that name neither lesion nor patient: each a group of its own; always
in train; in no split."""

_NO_IDS: npt.NDArray[np.object_] = np.array([], dtype=object)


@dataclass(frozen=True, kw_only=True)
class SplitImages:
    """Labelled images of a manifest, sorted by id, as arrays."""

    ids: npt.NDArray[np.object_]
    classes: Ints
    """Class index per image [N]."""
    groups: Ints
    """Group index per image [N]."""
    names: tuple[str, ...]
    """Class codes."""
    sources: npt.NDArray[np.object_]
    """[N] where the image was taken, None where unknown."""
    train_only: npt.NDArray[np.object_]
    """Ids of further images that are in train of every fold."""
    notes: tuple[str, ...]

    def subset(self, mask: npt.NDArray[np.bool_]) -> SplitImages:
        """The images where `mask` [N] is true."""
        return replace(
            self,
            ids=self.ids[mask],
            classes=self.classes[mask],
            groups=pd.factorize(self.groups[mask])[0].astype(np.int64),
            sources=self.sources[mask],
        )


def read_images(name: str, manifest: Manifest, group: str, bucket: str = "own") -> SplitImages:
    """The images of a dataset that a split can place.

    Args:
        name: key under `splits:`, for messages.
        manifest: the dataset.
        group: what is never divided, one of GROUPS.
        bucket: one of WITHOUT_LESION.

    Raises:
        UsageError: no labelled image is left, or the dataset lacks the ids that are asked for.
    """
    table = manifest.table.sort_values("image_id", kind="stable").reset_index(drop=True)
    unlabelled = int(table["label"].isna().sum())
    table = table[table["label"].notna()].reset_index(drop=True)
    if table.empty:
        raise UsageError(f"splits.{name}: no labelled image of '{manifest.name}' is left")
    names = manifest.label_space.classes
    index = {code: position for position, code in enumerate(names)}
    table, train_only, first = _without_bucket(name, manifest.name, table, bucket)
    groups, notes = group_indices(name, manifest.name, table, group)
    notes = (*first, *notes)
    if unlabelled:
        notes = (
            *notes,
            f"{counted(unlabelled, 'image')} of {manifest.name} without a label: in no split",
        )
    return SplitImages(
        ids=table["image_id"].to_numpy(dtype=object),
        classes=np.array([index[label] for label in table["label"]], dtype=np.int64),
        groups=groups,
        names=names,
        sources=table["source"].to_numpy(dtype=object),
        train_only=train_only,
        notes=notes,
    )


def _without_bucket(
    name: str, dataset: str, table: pd.DataFrame, bucket: str
) -> tuple[pd.DataFrame, npt.NDArray[np.object_], tuple[str, ...]]:
    """The table less the images whose lesion is not known, where they go elsewhere."""
    if bucket not in WITHOUT_LESION:
        raise UsageError(
            f"splits.{name}.without_lesion: '{bucket}' is unknown; use {', '.join(WITHOUT_LESION)}"
        )
    there = without_lesion(table)
    if bucket == "own":
        return table, _NO_IDS, ()
    with_patient = int(table["lesion_id"].isna().sum() - there.sum())
    known = (
        (
            f"{with_patient:,} of {len(table):,} images of {dataset} have no lesion id but a "
            f"patient id: grouped by patient, which without_lesion: {bucket} leaves alone",
        )
        if with_patient
        else ()
    )
    if not there.any():
        return table, _NO_IDS, known
    if there.all():
        raise UsageError(
            f"splits.{name}.without_lesion: '{dataset}' has no lesion ids, so `{bucket}` leaves "
            f"nothing to divide; leave it out"
        )
    where = "in train of every fold" if bucket == "train" else "in no split"
    note = (
        f"{int(there.sum()):,} of {len(table):,} images of {dataset} have no lesion id: {where} "
        f"(without_lesion: {bucket})"
    )
    gone = table.loc[there, "image_id"].to_numpy(dtype=object)
    kept = table[~there].reset_index(drop=True)
    return kept, gone if bucket == "train" else _NO_IDS, (note, *known)


def oversampled(images: SplitImages, seed: int) -> SplitImages:
    """Every image as often as the technique `oversampling` draws it, each copy by itself.

    What a split does to them is what papers do that oversample first: copies of one image end
    up in train and in test.
    """
    technique = registry.techniques.get("oversampling")
    assert technique.copies is not None
    copies = technique.copies(images.classes, len(images.names), technique.options, seed)
    note = (
        f"oversampled before splitting: {len(images.ids):,} images became "
        f"{int(copies.sum()):,} copies, which were divided at random"
    )
    return replace(
        images,
        ids=np.repeat(images.ids, copies),
        classes=np.repeat(images.classes, copies),
        groups=np.arange(int(copies.sum()), dtype=np.int64),
        sources=np.repeat(images.sources, copies),
        notes=(*images.notes, note),
    )


def val_within(
    images: SplitImages,
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
    totals = totals_of(images.classes, n_classes)
    rest = totals - totals_of(images.classes[in_test], n_classes)
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


def totals_of(classes: Ints, n_classes: int) -> Floats:
    """Images by class [C]."""
    return np.bincount(classes, minlength=n_classes).astype(np.float64)


def shared_with(left: pd.DataFrame, right: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Rows of left whose image or lesion is in right [N]."""
    images = left["image_id"].map(bare_id).isin(set(right["image_id"].map(bare_id)))
    lesions = left["lesion_id"].isin(set(right["lesion_id"].dropna()))
    return (images | lesions).to_numpy(dtype=bool)
