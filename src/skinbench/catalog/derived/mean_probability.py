"""Mean of the members' probabilities."""

from __future__ import annotations

import numpy as np

from skinbench.records import DerivedEntry
from skinbench.records.entries import Floats, Options


def combine(members: list[Floats], _options: Options) -> Floats:
    """Members each [N, C] -> [N, C]."""
    return np.asarray(np.mean(np.stack(members).astype(np.float64), axis=0))


ENTRY = DerivedEntry(version=1, combine=combine)
