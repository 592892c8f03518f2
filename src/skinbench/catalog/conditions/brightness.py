"""A brighter exposure: every channel multiplied, highlights clipped."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import ConditionEntry

FACTORS = (1.1, 1.2, 1.35, 1.5, 1.75)
"""Multiplier by strength."""


def apply(images: npt.NDArray[np.uint8], strength: int) -> npt.NDArray[np.uint8]:
    """Brighten [B, H, W, 3] uint8 at strength 1 to 5."""
    table = np.clip(np.rint(np.arange(256) * FACTORS[strength - 1]), 0, 255).astype(np.uint8)
    brighter: npt.NDArray[np.uint8] = table[images]
    return brighter


ENTRY = ConditionEntry(
    version=1,
    apply=apply,
    note="every channel times 1.1, 1.2, 1.35, 1.5 or 1.75, highlights clipped",
)
