"""Spread a share of every label evenly over all classes (Szegedy et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from skinbench.errors import UsageError
from skinbench.records.entries import TechniqueEntry


def smoothing(options: Mapping[str, object]) -> float:
    """The share, `epsilon`.

    Raises:
        UsageError: it is not in [0, 1).
    """
    epsilon = float(cast(float, options["epsilon"]))
    if not 0.0 <= epsilon < 1.0:
        raise UsageError(
            f"technique label_smoothing: epsilon is {epsilon:g}; expected 0 or more, below 1"
        )
    return epsilon


ENTRY = TechniqueEntry(version=1, smoothing=smoothing, options={"epsilon": 0.1})
