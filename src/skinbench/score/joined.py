"""Intervals of what recall and specificity give together, from the intervals of both (MOVER).

They are of different images, so that the variance of a function of both adds up. Where either
rests on few mistakes its own interval is Wilson's, and a bootstrap of the function would be as
much too narrow as theirs: at a recall of 1 it has no width at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from skinbench.records import Score


@dataclass(frozen=True, kw_only=True)
class Bounded:
    """An estimate with the bounds of its interval."""

    value: float
    low: float
    high: float

    def turned(self) -> Bounded:
        """Of 1 less the share."""
        return Bounded(value=1 - self.value, low=1 - self.high, high=1 - self.low)


def bounded(score: Score) -> Bounded | None:
    """A score with its interval; None where it has none."""
    if score.value is None or score.low is None or score.high is None:
        return None
    return Bounded(value=score.value, low=score.low, high=score.high)


def ratio_bounds(top: Bounded, bottom: Bounded) -> tuple[float, float]:
    """Bounds of the ratio of two independent estimates, infinite where the lower bottom is 0.

    Newcombe 2016, Stat Methods Med Res 25:1774 (MOVER-R): the ratios r for which the interval of
    top - r bottom, made of both intervals, touches 0.

    Args:
        top: at least 0.
        bottom: above 0.
    """
    product = top.value * bottom.value

    def edge(own: float, other: float, sign: int) -> float:
        """`own` is a bound of the top, `other` the opposite one of the bottom."""
        square = other * (2 * bottom.value - other)
        rest = own * (2 * top.value - own)
        if abs(square) < 1e-12:
            return math.inf if sign > 0 else rest / (2 * product) if product else 0.0
        return (product + sign * math.sqrt(max(0.0, product**2 - square * rest))) / square

    return max(0.0, edge(top.low, bottom.high, -1)), edge(top.high, bottom.low, 1)
