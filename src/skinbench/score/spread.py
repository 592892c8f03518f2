"""The largest standard deviation that scores in [0, 1] with a given mean can have, exactly."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

HALF = Fraction(1, 2)


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The largest variances, as exact fractions, under each of the two divisors in use."""

    sample: Fraction
    """Divisor n - 1; the larger of the two."""
    population: Fraction
    """Divisor n."""


def greatest_spread(low: Fraction, high: Fraction, count: int | None) -> Spread:
    """The largest variance of scores in [0, 1] whose mean lies in [low, high].

    For n scores with sum s the squares are greatest with floor(s) ones, one rest and zeros. In
    between whole sums the variance is convex in the mean, so only whole sums and both ends can
    hold the maximum.

    Over all n: with divisor n it is m(1 - m) at the mean nearest to 1/2. With divisor n - 1 it is
    found by trying n upwards from 1/m (m is the mean, or 1 - m, that is nearest to 1/2): below,
    it is m * m * n, which rises with n; above, it is at most m(1 - m) n / (n - 1), which falls.

    Args:
        low: least mean, e.g. the least that rounds to a published one.
        high: greatest mean.
        count: how many scores were averaged; None takes the worst over two or more.

    Raises:
        ValueError: no mean in [low, high] lies in [0, 1], or `count` is below 2.
    """
    low, high = max(Fraction(0), low), min(Fraction(1), high)
    if low > high:
        raise ValueError("no mean of scores in [0, 1] lies there")
    if low > HALF:  # x -> 1 - x keeps the variance
        low, high = 1 - high, 1 - low
    if count is not None:
        return _for_count(low, high, count)
    middle = min(high, HALF)
    return Spread(sample=_over_all(low, high), population=middle * (1 - middle))


def deviation(variance: Fraction) -> float:
    """The standard deviation as a number to print."""
    return math.sqrt(variance)


def _for_count(low: Fraction, high: Fraction, count: int) -> Spread:
    if count < 2:
        raise ValueError("a standard deviation needs two scores or more")
    sums = {low * count, high * count}
    first, last = math.ceil(low * count), math.floor(high * count)
    if first <= last:  # s (n - s) is greatest at the whole sum nearest to n / 2
        sums.update(Fraction(min(max(near, first), last)) for near in (count // 2, -(-count // 2)))
    squares = max(_squares(total, count) for total in sums)
    return Spread(sample=squares / (count - 1), population=squares / count)


def _squares(total: Fraction, count: int) -> Fraction:
    """The largest sum of squared distances from the mean of `count` scores with this sum."""
    ones = math.floor(total)
    return ones + (total - ones) ** 2 - total**2 / count


def _over_all(low: Fraction, high: Fraction) -> Fraction:
    """The largest variance with divisor n - 1 over all n, for means of which one is below 1/2."""
    if high >= HALF:  # two scores, 0 and 1
        return HALF
    if high == 0:
        return Fraction(0)
    count = max(2, math.floor(1 / high))
    best = Fraction(0)
    while best < high * (1 - high) * count / (count - 1):
        best = max(best, _for_count(low, high, count).sample)
        count += 1
    return best
