"""Bounds of a difference between two models on the same images, by lesion group."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

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


@dataclass(frozen=True, kw_only=True)
class PairedShare:
    """What the clustered score test of a paired share reads; numbers, or arrays of simulations.

    The test of a true difference d0 is (d - d0) / se(d0) with

        se(d0)^2 = sum over groups of (S_g - d0 n_g)^2 / N^2 x v(d0) / m(d0)

    S_g the candidate's hits minus the baseline's in a group and n_g its images. The first factor
    is the clustered second moment about d0. m(d0) is the second moment of single images about d0,
    v(d0) the variance that they have where d0 is true: `null_variance`. The quotient is 1 at
    d0 = 0. Without it, where few images change, a lucky draw with few losses also looks precise
    and a loss of the margin passes too often (8 % at a recall of 0.95, 30 % for 60 images that
    can only lose). With one image a group this is the score test of Tango 1998.
    """

    difference: Any
    """d = sum of S_g / N."""
    squares: Any
    """Sum of S_g^2 / N^2."""
    cross: Any
    """Sum of S_g n_g / N^2."""
    sizes: Any
    """Sum of n_g^2 / N^2."""
    gained: Any
    """Share of images that only the candidate gets right, averaged over seeds."""
    lost: Any
    """Share of images that only the baseline gets right."""

    def squared_error(self, d0: Numbers | float) -> Numbers:
        """se(d0)^2."""
        clustered = self.squares - 2 * d0 * self.cross + np.square(d0) * self.sizes
        moment = self.gained + self.lost - 2 * d0 * self.difference + np.square(d0)
        expected = null_variance(self.gained, self.lost, d0)
        # No image changed and d0 is 0: nothing varies, and the clustered sum is 0 as well.
        quotient = np.divide(expected, moment, out=np.ones_like(expected), where=moment > 0)
        return np.asarray(np.maximum(0.0, clustered) * quotient)


def null_variance(gained: Any, lost: Any, d0: Any) -> Numbers:
    """Variance of one image's difference where the true mean difference is d0.

    The share that only the baseline gets right is the one likeliest among those that differ by d0
    (Tango 1998, Statistics in Medicine 17:891-908, the constrained estimate).

    Args:
        gained: share of images that only the candidate gets right.
        lost: share that only the baseline gets right.
        d0: in [-1, 1].
    """
    half = -gained - lost + (2 - gained + lost) * np.asarray(d0, dtype=np.float64)
    root = np.sqrt(np.maximum(0.0, half**2 + 8 * lost * d0 * (1 - np.asarray(d0))))
    return np.asarray(np.maximum(0.0, (root - half) / 2 + d0 * (1 - np.asarray(d0))))


def paired_share(sums: Numbers, sizes: Numbers, *, gained: float, lost: float) -> PairedShare:
    """The test's sums from groups.

    Args:
        sums: S_g [G], candidate minus baseline hits of each group.
        sizes: n_g [G], images of each group, above 0.
        gained: share of images that only the candidate gets right.
        lost: share that only the baseline gets right.
    """
    # Divided last: whole numbers are summed exactly, whatever the order of the groups.
    total = float(sizes.sum())
    return PairedShare(
        difference=float(sums.sum()) / total,
        squares=float((sums**2).sum()) / total**2,
        cross=float((sums * sizes).sum()) / total**2,
        sizes=float((sizes**2).sum()) / total**2,
        gained=gained,
        lost=lost,
    )


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


def degrees_of_freedom(variance: float, n_groups: int, seeds: SeedVariance | None) -> float:
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
    pairs: PairedShare, alpha: float, n_groups: int, seeds: SeedVariance | None = None
) -> Bounds:
    """Invert the clustered score test of a mean paired difference of hits.

    A bound is the outermost d0 on its side that the test of `PairedShare` does not reject, sought
    on a grid and then between two of its points: with lesions of very unequal size the statistic
    need not fall steadily, and a d0 inside the bounds may then be rejected, never one outside kept.

    Args:
        pairs: the sums that the test needs.
        alpha: one-sided.
        n_groups: lesion groups, for the degrees of freedom.
        seeds: variance over retraining.
    """
    difference = float(pairs.difference)
    extra = seeds.total if seeds else 0.0
    freedom = degrees_of_freedom(float(pairs.squared_error(difference)), n_groups, seeds)
    return inverted_bounds(difference, pairs.squared_error, alpha, freedom, extra)


def inverted_bounds(
    difference: float,
    squared_error: Callable[[Numbers | float], Numbers],
    alpha: float,
    freedom: float,
    extra: float,
) -> Bounds:
    """Bounds that a score test does not reject.

    Args:
        difference: as it is seen.
        squared_error: of a true difference d0 in [-1, 1], for numbers and arrays.
        alpha: one-sided.
        freedom: of Student's t; infinite for the normal.
        extra: variance to add to any squared error.
    """
    critical = _quantile(1 - alpha, freedom)

    def excess(d0: Numbers | float) -> Numbers:
        """Above 0 where the test rejects a true difference of d0."""
        return np.asarray(np.abs(difference - d0) - critical * np.sqrt(squared_error(d0) + extra))

    error = math.sqrt(float(squared_error(0.0)) + extra)
    return Bounds(
        difference=difference,
        low=_outermost(excess, difference, -1.0),
        high=_outermost(excess, difference, 1.0),
        p_regressed=_below(difference / error, freedom) if error > 0 else 1.0,
    )


_GRID = 1001
"""Points of the grid on which a bound is sought."""


def _outermost(excess: Callable[[Numbers | float], Numbers], inner: float, end: float) -> float:
    """The point nearest to `end` that is not rejected, from `inner` on."""
    grid = np.linspace(end, inner, _GRID)
    kept = np.flatnonzero(excess(grid) <= 0)
    if not len(kept) or kept[0] == 0:
        return float(grid[kept[0]]) if len(kept) else inner
    outside, inside = float(grid[kept[0] - 1]), float(grid[kept[0]])
    return float(optimize.brentq(lambda d0: float(excess(d0)), outside, inside, xtol=1e-12))


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
        freedom = degrees_of_freedom(within, n_groups, seeds)
        factor = _quantile(1 - alpha, freedom) / _quantile(1 - alpha, math.inf)
        reach = _quantile(1 - alpha, freedom) * math.sqrt(seeds.total)
        low = difference - math.hypot(factor * max(0.0, difference - low), reach)
        high = difference + math.hypot(factor * max(0.0, high - difference), reach)
        p_regressed = _below(difference / math.sqrt(within + seeds.total), freedom)
    return Bounds(difference=difference, low=low, high=high, p_regressed=p_regressed)
