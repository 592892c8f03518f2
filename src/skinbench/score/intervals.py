"""Intervals: the lesion-clustered percentile bootstrap, and Wilson's where that fails."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from skinbench.errors import counted
from skinbench.score.proportions import GroupSums, effective_n

FEWEST_GROUPS = 10
"""Lesion groups below which no interval is given."""
FEW_GROUPS = 50
"""Lesion groups below which a share gets Wilson's interval instead of the bootstrap's."""
MOST_UNDEFINED = 0.05
"""Share of resamples in which a metric may be undefined before its interval is withheld."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Bounds, or the reason why there are none."""

    low: float | None = None
    high: float | None = None
    reason: str = ""


def normal_quantile(probability: float) -> float:
    """Standard normal quantile, e.g. 1.96 at 0.975."""
    return float(special.ndtri(probability))


def wilson(share: float, n: float, level: float) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share of n independent images.

    Args:
        share: in [0, 1].
        n: above 0; a fraction where it is an effective number.
        level: coverage, e.g. 0.95.
    """
    z = normal_quantile((1 + level) / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if share == 0 else max(0.0, centre - half)
    high = 1.0 if share == 1 else min(1.0, centre + half)
    return low, high


def percentile(values: npt.NDArray[np.float64], level: float) -> Interval:
    """Percentile interval of a metric's bootstrap values.

    Args:
        values: [R + 1]; the first, the data itself, is left out. NaN where undefined.
        level: coverage.
    """
    resampled = values[1:]
    defined = resampled[~np.isnan(resampled)]
    if len(resampled) == 0:
        return Interval(reason="no interval: no bootstrap resamples were asked for")
    undefined = len(resampled) - len(defined)
    if undefined > MOST_UNDEFINED * len(resampled):
        share = undefined / len(resampled)
        return Interval(reason=f"no interval: undefined in {share:.0%} of the bootstrap resamples")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    if low == high:
        return Interval(reason="no interval: every bootstrap resample gives the same value")
    return Interval(low=float(low), high=float(high))


def interval(
    values: npt.NDArray[np.float64],
    level: float,
    *,
    n_groups: int,
    share: Sequence[GroupSums] = (),
) -> Interval:
    """The interval of one score, by the rule that fits it.

    Under 10 lesion groups none; a share of images over fewer than 50 groups, or all right or
    all wrong, Wilson's over the design effect; else the percentile bootstrap.

    Args:
        values: [R + 1] bootstrap values, the data first.
        level: coverage.
        n_groups: lesion groups among the images that the metric conditions on.
        share: hits by group for a metric that is a share of images, one for each seed.
    """
    if np.isnan(values[0]):
        return Interval()
    if n_groups < FEWEST_GROUPS:
        few = counted(n_groups, "lesion group")
        return Interval(reason=f"no interval: {few}, at least {FEWEST_GROUPS} are needed")
    if share and (n_groups < FEW_GROUPS or values[0] in (0.0, 1.0)):
        value, n = effective_n(share)
        low, high = wilson(value, n, level)
        return Interval(low=low, high=high)
    return percentile(values, level)
