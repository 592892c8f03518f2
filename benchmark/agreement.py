"""Whether entries of a row say the same: the first keeps its numbers, the others are held to them.

Decoders and resizers differ in the last bits, and with them networks; what must agree is how
images stand to each other.
"""

from __future__ import annotations

import numpy as np
from benchmark.workload import place

LEAST = 0.99
"""Correlation over images of every class's log-probability."""
SMALLEST = 1e-40
WITHIN = 0.05
"""Of a loss."""


def keep(row: str, found: np.ndarray) -> str:
    """Keep probabilities [..., N, C] as those of the row."""
    np.save(place() / f"{row}.npy", found)
    return "agrees"


def compare(row: str, found: np.ndarray) -> str:
    """What the row's table says of other probabilities for the same images."""
    path = place() / f"{row}.npy"
    kept = np.load(path) if path.exists() else np.empty(0)
    if kept.shape != found.shape:
        return "other images"
    # Random networks are sure of themselves: 1e-22 is as much a probability as another one.
    one, other = (np.log(each.astype(np.float64) + SMALLEST) for each in (kept, found))
    one, other = one - one.mean(axis=-2, keepdims=True), other - other.mean(axis=-2, keepdims=True)
    spread = np.sqrt((one**2).sum(axis=-2) * (other**2).sum(axis=-2))
    least = float(((one * other).sum(axis=-2) / spread).min())
    return "agrees" if least >= LEAST else f"correlation {least:.3f}"


def keep_loss(row: str, loss: float) -> str:
    """Keep the mean loss of an epoch as that of the row."""
    np.save(place() / f"{row}.npy", np.float64(loss))
    return "agrees"


def compare_loss(row: str, loss: float) -> str:
    """What the row's table says of another loss of the same network on the same images."""
    path = place() / f"{row}.npy"
    kept = float(np.load(path)) if path.exists() else float("nan")
    return "agrees" if abs(loss - kept) <= WITHIN * kept else f"loss {loss:.3f}, not {kept:.3f}"
