"""Mean of the members' probabilities with weights fitted on val, by its log loss.

The weights are 0 or more and sum to 1. Found by expectation maximisation of a mixture with
fixed components (Dempster, Laird and Rubin 1977, 4.3); the problem is convex.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from skinbench.records import DerivedEntry
from skinbench.records.entries import Floats, Options, ValMembers

CLIP = 2.0**-23
STEPS = 10_000
TOLERANCE = 1e-9
"""A step that moves no weight by more ends the search."""

Weights = npt.NDArray[np.float64]


def learn(val: ValMembers, _options: Options) -> Weights:
    """Weights [members] of the lowest mean -log p of the labels."""
    rows = np.arange(len(val.labels))
    truth = np.stack([np.maximum(p[rows, val.labels], CLIP) for p in val.probabilities])
    shares = val.weights / val.weights.sum()
    weights = np.full(len(truth), 1.0 / len(truth))
    for _ in range(STEPS):
        after = weights * ((truth / (weights @ truth)) @ shares)
        after /= after.sum()
        moved, weights = np.abs(after - weights).max(), after
        if moved < TOLERANCE:
            break
    return weights


def combine(members: list[Floats], options: Options) -> Floats:
    """Members each [N, C] -> [N, C]."""
    weights = cast(Weights, options["learnt"])
    return np.asarray(np.tensordot(weights, np.stack(members).astype(np.float64), axes=1))


def describe(weights: Weights, names: tuple[str, ...]) -> str:
    """`weights a 0.62, b 0.38`."""
    return "weights " + ", ".join(f"{n} {w:.2f}" for n, w in zip(names, weights, strict=True))


ENTRY = DerivedEntry(version=1, combine=combine, learn=learn, describe=describe)
