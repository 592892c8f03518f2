"""Mean of the members' ranks among val, class by class, scaled to a sum of 1.

A probability becomes its rank among the val images of the same member and class, so that members
of different confidence count alike. Ranks among val, not among test: an image's prediction does
not depend on the images tested beside it. They say who is suspicious, not how likely: decisions
made from them favour rare classes.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from skinbench.records import DerivedEntry
from skinbench.records.entries import Floats, Options, ValMembers

Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Probabilities in rising order, and the share of val at or below each."""


def learn(val: ValMembers, _options: Options) -> list[list[Curve]]:
    """For each member and class a curve from (0, 0) to (1, 1) through the val images."""
    return [[_curve(column, val.weights) for column in p.T] for p in val.probabilities]


def _curve(values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> Curve:
    known, where = np.unique(values, return_inverse=True)
    each = np.bincount(where, weights=weights)
    # The middle of those that are equal; strictly between 0 and 1.
    ranks = (np.cumsum(each) - 0.5 * each) / each.sum()
    inside = (known > 0.0) & (known < 1.0)
    return np.r_[0.0, known[inside], 1.0], np.r_[0.0, ranks[inside], 1.0]


def combine(members: list[Floats], options: Options) -> Floats:
    """Members each [N, C] -> [N, C]."""
    curves = cast(list[list[Curve]], options["learnt"])
    ranks = [
        np.stack([np.interp(p[:, c], *curve) for c, curve in enumerate(mine)], axis=1)
        for p, mine in zip(members, curves, strict=True)
    ]
    mean = np.mean(ranks, axis=0)
    return np.asarray(mean / mean.sum(axis=1, keepdims=True))


ENTRY = DerivedEntry(version=1, combine=combine, learn=learn)
