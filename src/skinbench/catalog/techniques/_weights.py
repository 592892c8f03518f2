"""Class weights in one scale: their mean over the classes that train has is 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import numpy.typing as npt

from skinbench.errors import UsageError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def scaled(raw: Floats, counts: Ints) -> Floats:
    """Weights [C] of mean 1; a class without train images gets 0 and does not enter the mean."""
    present = counts > 0
    weights = np.where(present, raw, 0.0)
    total = weights.sum()
    return weights * (present.sum() / total) if total > 0 else weights


def effective_number(counts: Ints, options: Mapping[str, object], technique: str) -> Floats:
    """Weights [C] proportional to (1 - beta) / (1 - beta^n), formula 2 of Cui et al. 2019.

    Args:
        counts: train images by class [C].
        options: `beta` in [0, 1); 0 weighs all alike, towards 1 as the inverse of the counts.
        technique: for the message.

    Raises:
        UsageError: beta is outside.
    """
    beta = float(cast(float, options["beta"]))
    if not 0.0 <= beta < 1.0:
        raise UsageError(f"technique {technique}: beta is {beta:g}; expected 0 or more, below 1")
    if beta == 0.0:
        return scaled(np.ones(len(counts)), counts)
    # 1 - beta^n without cancellation for a beta near 1.
    number = -np.expm1(np.maximum(counts, 1) * np.log(beta)) / (1.0 - beta)
    return scaled(1.0 / number, counts)
