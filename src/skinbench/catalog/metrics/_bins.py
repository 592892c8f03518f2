"""Images in bins of equal weight by their score; equal scores are never divided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench.catalog.metrics._ratios import Values, ratio

BINS = 15
"""As in Guo 2017 and Kumar 2019."""


@dataclass(frozen=True, kw_only=True)
class Bins:
    """Weighted sums of each bin that holds an image."""

    place: npt.NDArray[np.intp]
    """[N] bin of each image."""
    weight: Values
    """[B]."""
    score: Values
    """[B] mean score."""
    share: Values
    """[B] share of images for which the event came true."""
    n: Values
    """[B] independent images that the weights stand for, (sum w)^2 / sum w^2."""


def equal_mass(
    scores: Values, happened: npt.NDArray[Any], weights: Values, bins: int = BINS
) -> Bins:
    """Cut images into bins.

    An image goes where the middle of its own score's weight falls, so that the order of rows
    does not matter.

    Args:
        scores: [N] in [0, 1].
        happened: [N] 0 or 1.
        weights: [N] above 0.
        bins: how many at most.
    """
    _, code = np.unique(scores, return_inverse=True)
    mass = np.bincount(code, weights)
    middle = np.cumsum(mass) - mass / 2
    cut = np.minimum((middle / mass.sum() * bins).astype(np.intp), bins - 1)
    _, place = np.unique(cut[code], return_inverse=True)
    weight = np.bincount(place, weights).astype(np.float64)
    return Bins(
        place=np.asarray(place),
        weight=weight,
        score=ratio(np.bincount(place, weights * scores), weight),
        share=ratio(np.bincount(place, weights * happened), weight),
        n=ratio(weight**2, np.bincount(place, weights**2)),
    )
