"""Fixed subsets of the train images, drawn class by class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def smallest_class(labels: Ints, n_classes: int) -> int:
    """Images of the smallest class that has any; 0 without images."""
    counts = np.bincount(labels, minlength=n_classes)
    return int(counts[counts > 0].min(initial=len(labels)))


def chosen(labels: Ints, n_classes: int, most: int, seed: int) -> Ints:
    """1 for at most `most` images of each class, drawn without replacement, else 0 [N].

    The draw of a class depends on the seed, the class and its number of images alone: another
    class growing changes nothing in it.
    """
    result = np.zeros(len(labels), dtype=np.int64)
    for code in range(n_classes):
        members = np.flatnonzero(labels == code)
        generator = np.random.default_rng([seed, code])
        result[generator.permutation(members)[:most]] = 1
    return result
