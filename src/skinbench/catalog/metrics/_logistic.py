"""Logistic regression of a class on the logit of its probability, for every replicate.

The whole data by Newton's method; each replicate by one more step from there, with its own
weights. Both terms of that step are sums over images, so that all replicates are two products.
The step ends within O(1 / n) of the replicate's own maximum (Shao and Tu 1995, 2.2).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skinbench.catalog.metrics._ratios import Values
from skinbench.records.entries import Replicates

CLIP = 2.0**-23
STEPS = 60
TOLERANCE = 1e-10
FLATTEST = 1e-9
"""Determinant per image below which a curve is called flat: a constant score, or separation."""
STEEPEST = 1e3
MOST_REPLICATES = 500


def slope_of(replicates: Replicates, class_index: int) -> Values:
    """Slope [R] of the regression with an intercept of its own; 1 is calibrated."""
    weights = replicates.data_weights
    beta = replicates.of_images(
        ("logistic", class_index), lambda: _maximum(*_data(replicates, class_index), weights)
    )
    if beta is None:
        return np.full(len(replicates.totals), np.nan)

    def step() -> Values:
        x, y = _data(replicates, class_index)
        mean = _sigmoid(beta[0] + beta[1] * x)
        return np.vstack([_terms(x, y, mean), _curves(x, mean)])

    sums = replicates.sums(("logistic slope", class_index), step).T
    return np.asarray(beta[1] + _solve(sums[:2], sums[2:], weights.sum())[1])


def _maximum(x: Values, y: Values, weights: Values) -> Values | None:
    """Intercept and slope of the whole data, by Newton's method with halved steps; or None."""
    beta = np.array([0.0, 1.0])
    loss = _loss(beta, x, y, weights)
    for _ in range(STEPS):
        mean = _sigmoid(beta[0] + beta[1] * x)
        slope, curve = _total(_terms(x, y, mean), weights), _total(_curves(x, mean), weights)
        step = _solve(slope[:, None], curve[:, None], weights.sum())[:, 0]
        if np.isnan(step).any():
            return None
        if np.abs(step).max() < TOLERANCE:
            return beta
        after = _loss(beta + step, x, y, weights)
        while after > loss * (1 + 1e-12) and np.abs(step).max() > TOLERANCE:
            step = step / 2
            after = _loss(beta + step, x, y, weights)
        beta, loss = beta + step, after
        if np.abs(beta).max() > STEEPEST:
            return None
    return None


def _loss(beta: Values, x: Values, y: Values, weights: Values) -> float:
    logits = beta[0] + beta[1] * x
    return float(_total(np.logaddexp(0.0, logits) - y * logits, weights))


def intercept_of(replicates: Replicates, class_index: int) -> Values:
    """Intercept [R] with the slope held at 1; 0 is calibrated in the large."""
    found = np.full(len(replicates.totals), np.nan)
    positive = replicates.labels == class_index
    if not positive.any() or positive.all():
        return found
    alpha = replicates.of_images(
        ("logistic shift", class_index),
        lambda: _shift(*_data(replicates, class_index), replicates.data_weights),
    )

    def step() -> Values:
        x, y = _data(replicates, class_index)
        mean = _sigmoid(alpha + x)
        return np.vstack([y - mean, mean * (1 - mean)])

    sums = replicates.sums(("logistic intercept", class_index), step).T
    np.divide(sums[0], sums[1], out=found, where=sums[1] > 0)
    return np.asarray(alpha + found)


def _shift(x: Values, y: Values, weights: Values) -> float:
    """Intercept of the whole data at slope 1, by Newton's method with steps of at most 2."""
    alpha = 0.0
    for _ in range(STEPS):
        mean = _sigmoid(alpha + x)
        step = float(_total(y - mean, weights)) / float(_total(mean * (1 - mean), weights))
        alpha += float(np.clip(step, -2.0, 2.0))
        if abs(step) < TOLERANCE:
            break
    return alpha


def _total(values: Values, weights: Values) -> Values:
    """Weighted sums over images, in a fixed order: those of BLAS change with its threads."""
    return np.asarray(np.einsum("...n,n->...", values, weights))


def _data(replicates: Replicates, class_index: int) -> tuple[Values, Values]:
    p = np.clip(replicates.probabilities[:, class_index], CLIP, 1 - CLIP)
    return np.log(p) - np.log1p(-p), (replicates.labels == class_index).astype(np.float64)


def _sigmoid(values: Values) -> Values:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def _terms(x: Values, y: Values, mean: Values) -> Values:
    return np.vstack([y - mean, (y - mean) * x])


def _curves(x: Values, mean: Values) -> Values:
    spread = mean * (1 - mean)
    return np.vstack([spread, spread * x, spread * x * x])


def _solve(slope: Values, curve: Values, total: float) -> npt.NDArray[np.float64]:
    """Newton's step [2, R]; NaN where the curve is flat."""
    a, b, c = curve
    determinant = a * c - b * b
    flat = ~(determinant > FLATTEST * total**2 * 1e-3)
    safe = np.where(flat, 1.0, determinant)
    step = np.vstack([(c * slope[0] - b * slope[1]) / safe, (a * slope[1] - b * slope[0]) / safe])
    return np.where(flat, np.nan, step)
