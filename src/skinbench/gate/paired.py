"""Bounds of a difference between two models on the same images, by lesion group."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """A difference (above 0 is better) with one-sided bounds, each at alpha."""

    difference: float
    low: float
    high: float
    p_regressed: float
    """One-sided p of the hypothesis that nothing was lost."""


@dataclass(frozen=True, kw_only=True)
class SeedVariance:
    """What retraining adds: the variance of the difference of two means over seeds."""

    candidate: float
    """s_c^2 / S."""
    baseline: float
    """s_b^2 / S."""
    seeds: int

    @property
    def total(self) -> float:
        """Sum of both sides."""
        return self.candidate + self.baseline


def seed_variance(candidate: Numbers, baseline: Numbers) -> SeedVariance | None:
    """From the metric of each seed; None with fewer than three on either side."""
    if min(len(candidate), len(baseline)) < 3:
        return None
    return SeedVariance(
        candidate=_variance_of_mean(candidate),
        baseline=_variance_of_mean(baseline),
        seeds=min(len(candidate), len(baseline)),
    )


def _variance_of_mean(values: Numbers) -> float:
    """s^2 / S; exactly 0 for equal values, whose mean may be off by a rounding."""
    return float(np.var(values, ddof=1)) / len(values) if np.ptp(values) > 0 else 0.0


def _freedom(variance: float, n_groups: int, seeds: SeedVariance | None) -> float:
    """Satterthwaite's degrees of freedom; infinite (the normal) without seed variance."""
    if seeds is None or seeds.total <= 0:
        return math.inf
    parts = [(variance, n_groups - 1)]
    parts += [(part, seeds.seeds - 1) for part in (seeds.candidate, seeds.baseline)]
    below = sum(part**2 / freedom for part, freedom in parts if part > 0)
    return float(sum(part for part, _ in parts) ** 2 / below)


def _quantile(probability: float, freedom: float) -> float:
    if math.isinf(freedom):
        return float(special.ndtri(probability))
    return float(special.stdtrit(freedom, probability))


def _below(statistic: float, freedom: float) -> float:
    """Probability of less than `statistic` under the null."""
    if math.isinf(freedom):
        return float(special.ndtr(statistic))
    return float(special.stdtr(freedom, statistic))


def clustered_bounds(
    sums: Numbers, sizes: Numbers, alpha: float, seeds: SeedVariance | None = None
) -> Bounds:
    """Invert the clustered score test of a mean paired difference of hits.

    The test of d0 is (d - d0) / se(d0) with se(d0)^2 = sum over groups of (S_g - d0 n_g)^2 / N^2,
    plus the seeds' variance where there is one. A bound is a d0 at which it is just not rejected:
    a root of a quadratic. Where sizes are so unequal that the quadratic has no two roots, nothing
    can be said: the bounds are -1 and 1.

    Args:
        sums: S_g [G], candidate minus baseline hits of each group.
        sizes: n_g [G], images of each group, above 0.
        alpha: one-sided.
        seeds: variance over retraining.
    """
    total = float(sizes.sum())
    difference = float(sums.sum()) / total
    within = float(((sums - difference * sizes) ** 2).sum()) / total**2
    extra = seeds.total if seeds else 0.0
    freedom = _freedom(within, len(sums), seeds)
    critical = _quantile(1 - alpha, freedom) ** 2
    a, b, k = (float(x) for x in ((sums**2).sum(), (sums * sizes).sum(), (sizes**2).sum()))
    square = total**2 - critical * k
    half = total**2 * difference - critical * b
    constant = total**2 * difference**2 - critical * (a + extra * total**2)
    error = math.sqrt(a / total**2 + extra)
    p_regressed = _below(difference / error, freedom) if error > 0 else 1.0
    if square <= 0:
        return Bounds(difference=difference, low=-1.0, high=1.0, p_regressed=1.0)
    root = math.sqrt(max(0.0, half**2 - square * constant))
    return Bounds(
        difference=difference,
        low=max(-1.0, min(difference, (half - root) / square)),
        high=min(1.0, max(difference, (half + root) / square)),
        p_regressed=p_regressed,
    )


def bootstrap_bounds(
    differences: Numbers, alpha: float, n_groups: int, seeds: SeedVariance | None = None
) -> Bounds:
    """Percentile bounds of a paired bootstrap, widened by the seeds' variance where there is one.

    Args:
        differences: [R + 1] candidate minus baseline under each resample, the data first; no NaN.
        alpha: one-sided.
        n_groups: lesion groups, for the degrees of freedom.
        seeds: variance over retraining, joined to each side as in MOVER.
    """
    difference, resampled = float(differences[0]), differences[1:]
    low, high = (float(x) for x in np.quantile(resampled, [alpha, 1 - alpha]))
    p_regressed = (1 + int((resampled >= 0).sum())) / (len(resampled) + 1)
    if seeds is not None and seeds.total > 0:
        within = float(np.var(resampled))
        freedom = _freedom(within, n_groups, seeds)
        factor = _quantile(1 - alpha, freedom) / _quantile(1 - alpha, math.inf)
        reach = _quantile(1 - alpha, freedom) * math.sqrt(seeds.total)
        low = difference - math.hypot(factor * max(0.0, difference - low), reach)
        high = difference + math.hypot(factor * max(0.0, high - difference), reach)
        p_regressed = _below(difference / math.sqrt(within + seeds.total), freedom)
    return Bounds(difference=difference, low=low, high=high, p_regressed=p_regressed)


def holm(p_values: list[float]) -> list[float]:
    """Adjusted p-values (Holm 1979) in the order given."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, running = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = running
    return adjusted
