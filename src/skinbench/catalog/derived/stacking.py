"""Logistic regression on the members' log probabilities, fitted on val.

The logit of a class is the sum over members of a coefficient times the member's log probability
of that class, one coefficient a member, 0 or more; with `bias` also a number for each class.
Coefficients for every pair of classes would be more numbers than a val set has images of its
rare classes. With one member and no bias this is temperature scaling, which keeps the order of
the classes in each image.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from skinbench.errors import UsageError
from skinbench.records import DerivedEntry
from skinbench.records.entries import Floats, Options, ValMembers

CLIP = 2.0**-23
LARGEST = 50.0
"""Of a coefficient: members that are always right on val would have none."""

Found = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""Coefficients [members] and biases [C]."""


def check(options: Options) -> None:
    """Refuse what cannot be.

    Raises:
        UsageError: `penalty` is not above 0, or `bias` is neither true nor false.
    """
    penalty, bias = options["penalty"], options["bias"]
    if isinstance(penalty, bool) or not isinstance(penalty, int | float) or not penalty > 0:
        raise UsageError(f"stacking: penalty is {penalty!r}; expected a number above 0")
    if not isinstance(bias, bool):
        raise UsageError(f"stacking: bias is {bias!r}; expected true or false")


def learn(val: ValMembers, options: Options) -> Found:
    """The penalised maximum likelihood, by L-BFGS; the problem is convex."""
    from scipy.optimize import minimize

    penalty, bias = float(cast(float, options["penalty"])), bool(options["bias"])
    logs = _logs(val.probabilities)
    shares = val.weights / val.weights.sum()
    truth = np.eye(logs.shape[2])[val.labels]
    n_members = len(logs)

    def value(x: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        p, log_p = _softmax(np.tensordot(x[:n_members], logs, axes=1) + x[n_members:])
        wrong = (p - truth) * shares[:, None]
        slope = np.r_[np.einsum("knc,nc->k", logs, wrong), wrong.sum(axis=0)]
        loss = -float((shares[:, None] * truth * log_p).sum())
        return loss + 0.5 * penalty * float(x @ x), slope + penalty * x

    start = np.r_[np.full(n_members, 1.0 / n_members), np.zeros(logs.shape[2])]
    bounds = [(0.0, LARGEST)] * n_members
    bounds += [(-LARGEST, LARGEST) if bias else (0.0, 0.0)] * logs.shape[2]
    best = minimize(value, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return best[:n_members], best[n_members:]


def _logs(members: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    return np.asarray(np.log(np.maximum(np.stack(members).astype(np.float64), CLIP)))


def _softmax(
    logits: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    lifted = logits - logits.max(axis=1, keepdims=True)
    log_p = lifted - np.log(np.exp(lifted).sum(axis=1, keepdims=True))
    return np.exp(log_p), log_p


def combine(members: list[Floats], options: Options) -> Floats:
    """Members each [N, C] -> [N, C]."""
    coefficients, biases = cast(Found, options["learnt"])
    logs = _logs([np.asarray(p, dtype=np.float64) for p in members])
    return _softmax(np.tensordot(coefficients, logs, axes=1) + biases)[0]


def describe(found: Found, names: tuple[str, ...]) -> str:
    """`coefficients a 0.80, b 0.30`."""
    pairs = zip(names, found[0], strict=True)
    return "coefficients " + ", ".join(f"{name} {value:.2f}" for name, value in pairs)


ENTRY = DerivedEntry(
    version=1,
    combine=combine,
    learn=learn,
    check=check,
    describe=describe,
    options={"bias": False, "penalty": 1e-3},
)
