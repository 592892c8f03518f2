"""Means over images of what is measured on each, with resamples by lesion group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.score.draws import draws, windows

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class GroupMeans:
    """Images by lesion group, and the weighted sums of their values."""

    universe: npt.NDArray[Any]
    """[G] sorted group ids."""
    weights: Floats
    """[G] sum of the images' weights."""
    sums: Mapping[str, Floats]
    """By measure: [G] weighted sum over the group's images."""
    images: int

    def resampled(self, measure: str, replicates: int, seed: int) -> Floats:
        """Means [replicates + 1] of a measure, the data itself first."""
        size, found = len(self.universe), []
        for window in windows(size, replicates):
            counts = draws(size, window.start, window.stop, seed)
            found.append((self.sums[measure] @ counts) / (self.weights @ counts))
        values: Floats = np.concatenate(found)
        return values


def group_means(table: pd.DataFrame, values: Mapping[str, Floats]) -> GroupMeans:
    """Sum values by lesion group.

    Args:
        table: group_id and weight of the images [N].
        values: by measure [N], in the table's order.
    """
    universe, codes = np.unique(table["group_id"].to_numpy(dtype=str), return_inverse=True)
    weights, size = table["weight"].to_numpy(np.float64), len(universe)
    return GroupMeans(
        universe=universe,
        weights=np.bincount(codes, weights, minlength=size).astype(np.float64),
        sums={
            measure: np.bincount(codes, weights * found, minlength=size).astype(np.float64)
            for measure, found in values.items()
        },
        images=len(table),
    )
