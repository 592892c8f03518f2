"""The axis that all bars of one column share: long enough for them, and no longer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from skinbench.report.tables import Bar

_STEPS = ((0.5, 0.1), (0.2, 0.05), (0.08, 0.02), (0.0, 0.01))
"""(span, from which on ends are multiples of the step)."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A part of the scale from 0 to 1."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Where a value stands, 0 to 1 along the axis."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def beyond(self, value: float) -> Literal["", "under", "over"]:
        """On which side of the axis a value lies; empty on it."""
        return "under" if value < self.low else "over" if value > self.high else ""

    def scaled(self, bar: Bar) -> Bar:
        """An interval along the axis."""
        return Bar(value=self.at(bar.value), low=self.at(bar.low), high=self.at(bar.high))


def axis_of(values: Iterable[float]) -> Axis | None:
    """The shortest axis with round ends that holds all values in [0, 1]; None of no value."""
    known = sorted(values)
    if not known:
        return None
    first, last = known[0], known[-1]
    step = next(step for span, step in _STEPS if last - first >= span)
    low = max(0.0, round(math.floor(first / step + 1e-9) * step, 2))
    high = min(1.0, round(math.ceil(last / step - 1e-9) * step, 2))
    if low == high:  # one value, itself round
        low, high = max(0.0, round(low - step, 2)), min(1.0, round(high + step, 2))
    return Axis(low=low, high=high)
