"""Quotients that are NaN, never 0, where nothing is counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import Replicates

Values = npt.NDArray[np.float64]


def ratio(numerator: npt.NDArray[Any], denominator: npt.NDArray[Any]) -> Values:
    """Divide; NaN where the denominator is 0."""
    quotient = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient


def mean_defined(values: Values) -> Values:
    """Mean over the last axis of what is not NaN; NaN where nothing is."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))


def weighted_mean(replicates: Replicates, key: str, make: Callable[[], Values]) -> Values:
    """Mean [R] of one value an image.

    Args:
        replicates: of the images.
        key: of the values among all metrics'.
        make: gives the values [N]; called once for all replicates.
    """
    return ratio(replicates.sums((key,), lambda: make()[None])[:, 0], replicates.totals)


def one_against_rest(confusion: npt.NDArray[Any], index: int) -> tuple[Values, ...]:
    """Hits, misses, false alarms and what is rightly not decided for a class, each [R].

    Added up, never taken off a total: of fractional weights a difference may leave 1e-17 where
    nothing is, and a quotient of that is no number.
    """
    others = [i for i in range(confusion.shape[1]) if i != index]
    row, column = confusion[:, index], confusion[:, :, index]
    return (
        row[:, index],
        row[:, others].sum(axis=1),
        column[:, others].sum(axis=1),
        confusion[:, others][:, :, others].sum(axis=(1, 2)),
    )


def none_if_tiny(differences: Values, totals: Values) -> Values:
    """Differences of sums as 0 where they are only what rounding leaves of `totals`."""
    return np.where(np.abs(differences) <= 1e-12 * totals, 0.0, differences)
