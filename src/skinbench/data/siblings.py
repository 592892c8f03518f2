"""Two training sets for one test set: with other views of its lesions, and without.

They have the same size and class shares, the same val images and the same test images, so what
differs between a model of each is what it gained by having seen the lesions that it is judged on.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.assign import Ints, hold_out
from skinbench.data.split_images import SplitImages, read_images, totals_of
from skinbench.data.split_tables import sorted_rows, split_of
from skinbench.errors import UsageError
from skinbench.records import Manifest, SplitTable

Side = Literal["with", "without"]


def sibling_split(
    name: str, manifest: Manifest, *, siblings: Side, test: float, val: float, seed: int
) -> SplitTable:
    """One side of the pair; both sides of a dataset, test, val and seed belong together.

    Test is stratified by image, as most published splits are. Val has whole lesions that test
    does not touch. What is left are siblings (images of lesions in test) and strangers. Train
    `without` is strangers; train `with` is siblings, filled up with a random part of the same
    strangers, to the same number of images of each class.

    Args:
        name: key under `splits:`.
        manifest: a dataset with lesion ids.
        siblings: which side.
        test: share of images in test.
        val: share of all images in val.
        seed: any non-negative integer; decides test, val and which strangers give way.

    Raises:
        UsageError: shares that cannot be, no lesion ids, or no lesion in both test and the rest.
    """
    if seed < 0 or not (0.0 < test < 1.0 and 0.0 <= val < 1.0 and test + val < 1.0):
        raise UsageError(
            f"splits.{name}: test {test:g} and val {val:g} are shares of all images and must "
            f"leave some for train, and seed is 0 or more"
        )
    images = read_images(name, manifest, "lesion")
    totals = totals_of(images.classes, len(images.names))
    alone = np.arange(len(images.ids), dtype=np.int64)
    in_test = hold_out(images.classes, alone, totals * test, np.random.default_rng([seed, 0]))
    related = np.isin(images.groups, images.groups[in_test]) & ~in_test
    in_val = _val(images, in_test | related, totals * val, seed)
    strangers = ~(in_test | related | in_val)
    if not related.any():
        raise UsageError(f"splits.{name}.siblings: no lesion of '{manifest.name}' has two images")
    chosen, added = _train(images.classes, related, strangers, siblings, seed)
    split = np.full(len(images.ids), "", dtype=object)
    split[in_test], split[in_val], split[chosen] = "test", "val", "train"
    frame = pd.DataFrame(
        {"image_id": images.ids, "dataset": manifest.name, "fold": 0, "split": split, "copies": 1}
    )
    note = (
        f"siblings: {siblings}: {int(chosen.sum()):,} train images, {added:,} of them of lesions "
        f"in test; the other side has as many of each class, and the same val and test"
    )
    table = sorted_rows(frame[frame["split"] != ""])
    return split_of(name, table, group="image", folds=1, notes=(*images.notes, note))


def _val(
    images: SplitImages, taken: npt.NDArray[np.bool_], wanted: npt.NDArray[np.float64], seed: int
) -> npt.NDArray[np.bool_]:
    """Whole lesions outside `taken`, with about `wanted` images of each class [N]."""
    chosen = np.zeros(len(taken), dtype=bool)
    free = np.flatnonzero(~taken)
    groups = pd.factorize(images.groups[free])[0].astype(np.int64)
    rng = np.random.default_rng([seed, 1])
    chosen[free] = hold_out(images.classes[free], groups, wanted, rng)
    return chosen


def _train(
    classes: Ints,
    related: npt.NDArray[np.bool_],
    strangers: npt.NDArray[np.bool_],
    siblings: Side,
    seed: int,
) -> tuple[npt.NDArray[np.bool_], int]:
    """(images of train [N], how many of them are siblings)."""
    if siblings == "without":
        return strangers, 0
    rng = np.random.default_rng([seed, 2])
    chosen = np.zeros(len(classes), dtype=bool)
    added = 0
    for code in np.unique(classes):
        own = rng.permutation(np.flatnonzero(related & (classes == code)))
        others = rng.permutation(np.flatnonzero(strangers & (classes == code)))
        kept = own[: len(others)]
        chosen[kept] = True
        chosen[others[: len(others) - len(kept)]] = True
        added += len(kept)
    return chosen, added
