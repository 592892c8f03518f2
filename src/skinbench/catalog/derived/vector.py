"""Vector scaling of one row, fitted on val: a scale and a shift for each class (Guo 2017).

With a small penalty on the distance from doing nothing, for val has few images of rare classes.
Decisions may change.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from skinbench.catalog.derived._logits import Values, log_softmax, logs
from skinbench.errors import UsageError
from skinbench.records import DerivedEntry
from skinbench.records.entries import Floats, Options, ValMembers

LARGEST = 50.0
Found = tuple[Values, Values]
"""Scales [C] and shifts [C]."""


def check(options: Options) -> None:
    """Refuse what cannot be.

    Raises:
        UsageError: `penalty` is not above 0.
    """
    penalty = options["penalty"]
    if isinstance(penalty, bool) or not isinstance(penalty, int | float) or not penalty > 0:
        raise UsageError(f"vector: penalty is {penalty!r}; expected a number above 0")


def learn(val: ValMembers, options: Options) -> Found:
    """The penalised maximum likelihood, by L-BFGS; the problem is convex."""
    from scipy.optimize import minimize

    penalty = float(cast(float, options["penalty"]))
    given = logs(val.probabilities[0])
    size = given.shape[1]
    shares = val.weights / val.weights.sum()
    truth = np.eye(size)[val.labels]
    nothing = np.r_[np.ones(size), np.zeros(size)]

    def value(x: Values) -> tuple[float, Values]:
        log_p = log_softmax(given * x[:size] + x[size:])
        wrong = (np.exp(log_p) - truth) * shares[:, None]
        slope = np.r_[(wrong * given).sum(axis=0), wrong.sum(axis=0)]
        away = x - nothing
        loss = -float((shares[:, None] * truth * log_p).sum())
        return loss + 0.5 * penalty * float((away * away).sum()), slope + penalty * away

    bounds = [(0.0, LARGEST)] * size + [(-LARGEST, LARGEST)] * size
    best = minimize(value, nothing, jac=True, bounds=bounds, method="L-BFGS-B").x
    return best[:size], best[size:]


def combine(members: list[Floats], options: Options) -> Floats:
    """One member [N, C] -> [N, C]."""
    scales, shifts = cast(Found, options["learnt"])
    return np.exp(log_softmax(logs(np.asarray(members[0])) * scales + shifts))


def describe(found: Found, _names: tuple[str, ...]) -> str:
    """`scales 0.71 to 1.02, shifts -0.30 to 0.22`."""
    scales, shifts = found
    return (
        f"scales {scales.min():.2f} to {scales.max():.2f}, "
        f"shifts {shifts.min():.2f} to {shifts.max():.2f}"
    )


ENTRY = DerivedEntry(
    version=1,
    combine=combine,
    learn=learn,
    check=check,
    describe=describe,
    options={"penalty": 1e-3},
    members=1,
    calibration=True,
)
