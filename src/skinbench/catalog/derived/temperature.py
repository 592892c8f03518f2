"""Temperature scaling of one row, fitted on val: one number, the decision stays (Guo 2017).

Log probabilities are divided by the temperature that gives val the lowest log loss.
"""

from __future__ import annotations

from typing import cast

import numpy as np

from skinbench.catalog.derived._logits import log_softmax, logs
from skinbench.records import DerivedEntry
from skinbench.records.entries import Floats, Options, ValMembers

RANGE = (-4.0, 4.0)
"""Of the temperature's logarithm."""


def learn(val: ValMembers, _options: Options) -> float:
    """The temperature."""
    from scipy.optimize import minimize_scalar

    given = logs(val.probabilities[0])
    rows = np.arange(len(val.labels))
    shares = val.weights / val.weights.sum()

    def loss(log_temperature: float) -> float:
        found = log_softmax(given / np.exp(log_temperature))
        return -float((shares * found[rows, val.labels]).sum())

    best = minimize_scalar(loss, bounds=RANGE, method="bounded", options={"xatol": 1e-8})
    return float(np.exp(best.x))


def combine(members: list[Floats], options: Options) -> Floats:
    """One member [N, C] -> [N, C]."""
    temperature = cast(float, options["learnt"])
    return np.exp(log_softmax(logs(np.asarray(members[0])) / temperature))


def describe(temperature: float, _names: tuple[str, ...]) -> str:
    """`temperature 1.43`."""
    return f"temperature {temperature:.3f}"


ENTRY = DerivedEntry(
    version=1, combine=combine, learn=learn, describe=describe, members=1, calibration=True
)
