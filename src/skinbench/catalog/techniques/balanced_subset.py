"""Train on a fixed subset with the same number of images of every class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from skinbench.catalog.techniques._subsets import chosen, smallest_class
from skinbench.errors import UsageError
from skinbench.records.entries import TechniqueEntry


def copies(
    labels: npt.NDArray[np.int64], n_classes: int, options: Mapping[str, object], seed: int
) -> npt.NDArray[np.int64]:
    """1 for each train image of the subset, 0 for the others [N]; the same in every epoch.

    Args:
        labels: class of each train image [N].
        n_classes: C.
        options: `per_class`: images of each class that train has; null takes the size of the
            smallest.
        seed: says which images.

    Raises:
        UsageError: per_class is no whole number above 0, or a class has fewer images.
    """
    least = smallest_class(labels, n_classes)
    asked = options.get("per_class")
    if asked is None:
        return chosen(labels, n_classes, least, seed)
    if isinstance(asked, bool) or not isinstance(asked, int) or asked < 1:
        raise UsageError(
            f"technique balanced_subset: per_class is {asked!r}; expected a whole number of 1 "
            f"or more, or null for the size of the smallest class"
        )
    if asked > least:
        raise UsageError(
            f"technique balanced_subset: per_class is {asked}, but the smallest class has "
            f"{least} train images; ask for {least} or fewer, or leave per_class out"
        )
    return chosen(labels, n_classes, asked, seed)


ENTRY = TechniqueEntry(version=1, copies=copies, options={"per_class": None})
