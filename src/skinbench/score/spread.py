"""The largest standard deviation that scores in [0, 1] with a given mean can have."""

from __future__ import annotations

import math

_MOST_TRIED = 200
"""Numbers of scores tried one by one; beyond, a bound that only falls stands in."""


def greatest_deviation(low: float, high: float, count: int | None) -> float:
    """Maximum over means in [low, high], with divisor count - 1 (the larger of both).

    For k scores with sum s the squares are greatest with floor(s) ones, one rest and zeros. In
    between whole sums that is convex in the mean, so only whole sums and both ends can hold the
    maximum.

    Args:
        low: least mean that rounds to the published one.
        high: greatest such mean.
        count: scores averaged; None takes the worst over all numbers of two or more.
    """
    low, high = max(0.0, low), min(1.0, high)
    if count is not None:
        return _for_count(low, high, count)
    tried = max(_for_count(low, high, k) for k in range(2, _MOST_TRIED + 1))
    middle = min(max(0.5, low), high)
    beyond = math.sqrt(middle * (1 - middle) * (_MOST_TRIED + 1) / _MOST_TRIED)
    return max(tried, beyond)


def _for_count(low: float, high: float, count: int) -> float:
    if count < 2:
        return 0.0
    sums = {low * count, high * count}
    sums.update(range(math.ceil(low * count), math.floor(high * count) + 1))
    return max(_deviation(total, count) for total in sums)


def _deviation(total: float, count: int) -> float:
    ones = math.floor(total)
    squares = ones + (total - ones) ** 2
    return math.sqrt(max(0.0, squares - total**2 / count) / (count - 1))
