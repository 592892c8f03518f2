"""Share of the members that decide for each class; ties go to the higher mean probability."""

from __future__ import annotations

import numpy as np

from skinbench.records import DerivedEntry
from skinbench.records.entries import Floats, Options

TIE_WEIGHT = 1e-3
"""Weight of the mean probability beside the votes: enough to settle a tie, no more."""


def combine(members: list[Floats], _options: Options) -> Floats:
    """Members each [N, C] -> [N, C]."""
    stacked = np.stack(members).astype(np.float64)
    votes = np.eye(stacked.shape[2])[stacked.argmax(axis=2)].mean(axis=0)
    mean = stacked.mean(axis=0)
    mean = mean / mean.sum(axis=1, keepdims=True)
    return np.asarray((1 - TIE_WEIGHT) * votes + TIE_WEIGHT * mean)


ENTRY = DerivedEntry(version=1, combine=combine)
