"""Platt scaling of one row, fitted on val: a sigmoid for each class, scaled to a sum of 1.

A logistic regression of each class on its own log odds, with Platt's targets (1999), which keep a
class that is set apart on val from certainty. A class without val images stays as it is. Decisions
may change.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from skinbench.catalog.derived._logits import Values, log_odds, normalised
from skinbench.records import DerivedEntry
from skinbench.records.entries import Floats, Options, ValMembers

LARGEST = 50.0
Found = list[tuple[float, float]]
"""Slope and intercept for each class."""


def learn(val: ValMembers, _options: Options) -> Found:
    """Slopes, 0 or more, and intercepts."""
    given = log_odds(val.probabilities[0])
    return [
        _curve(given[:, index], val.labels == index, val.weights) for index in range(given.shape[1])
    ]


def _curve(x: Values, positive: np.ndarray, weights: Values) -> tuple[float, float]:
    from scipy.optimize import minimize

    n_positive = float(weights[positive].sum())
    n_negative = float(weights.sum()) - n_positive
    if not n_positive or not n_negative:
        return 1.0, 0.0
    target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    shares = weights / weights.sum()

    def value(beta: Values) -> tuple[float, Values]:
        logits = beta[0] * x + beta[1]
        loss = float((shares * (np.logaddexp(0.0, logits) - target * logits)).sum())
        wrong = shares * (0.5 * (1 + np.tanh(0.5 * logits)) - target)
        return loss, np.array([(wrong * x).sum(), wrong.sum()])

    bounds = [(0.0, LARGEST), (-LARGEST, LARGEST)]
    best = minimize(value, np.array([1.0, 0.0]), jac=True, bounds=bounds, method="L-BFGS-B").x
    return float(best[0]), float(best[1])


def combine(members: list[Floats], options: Options) -> Floats:
    """One member [N, C] -> [N, C]."""
    found = cast(Found, options["learnt"])
    given = np.asarray(members[0], dtype=np.float64)
    slopes, intercepts = np.array(found).T
    logits = log_odds(given) * slopes + intercepts
    return normalised(0.5 * (1 + np.tanh(0.5 * logits)), given)


def describe(found: Found, _names: tuple[str, ...]) -> str:
    """`slopes 0.71 to 1.02`."""
    slopes = [slope for slope, _ in found]
    return f"slopes {min(slopes):.2f} to {max(slopes):.2f}"


ENTRY = DerivedEntry(
    version=1, combine=combine, learn=learn, describe=describe, members=1, calibration=True
)
