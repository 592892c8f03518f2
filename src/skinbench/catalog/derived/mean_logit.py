"""Softmax of the members' mean log probabilities (their geometric mean, normalised)."""

from __future__ import annotations

import numpy as np

from skinbench.records import DerivedEntry
from skinbench.records.entries import Floats, Options

CLIP = 2.0**-23


def combine(members: list[Floats], _options: Options) -> Floats:
    """Members each [N, C] -> [N, C]. Probabilities below 2**-23 count as that."""
    stacked = np.stack(members).astype(np.float64)
    logits = np.mean(np.log(np.maximum(stacked, CLIP)), axis=0)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


ENTRY = DerivedEntry(version=1, combine=combine)
