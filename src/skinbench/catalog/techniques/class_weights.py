"""Cross-entropy weighted by inverse class frequency of train."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from skinbench.catalog.techniques._weights import scaled
from skinbench.records.entries import TechniqueEntry


def class_weights(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Weights [C] with weight x count the same for every class, and mean 1.

    A class without train images gets 0 and does not enter the mean.
    """
    return scaled(1.0 / np.maximum(counts, 1), counts)


def weights(
    counts: npt.NDArray[np.int64],
    options: Mapping[str, object],  # noqa: ARG001 -- none
) -> npt.NDArray[np.float64]:
    """See `class_weights`."""
    return class_weights(counts)


ENTRY = TechniqueEntry(version=1, weights=weights)
