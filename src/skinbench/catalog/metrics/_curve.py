"""Points and areas of the ROC curve of one class, for every replicate at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench.catalog.metrics._ratios import Values, ratio
from skinbench.records.entries import Replicates

Numbers = npt.NDArray[Any]
Places = npt.NDArray[np.intp]


def first_at_least(numbers: Numbers, totals: Numbers, share: float) -> Places:
    """First column of each row of rising numbers [R, T] that is at least a share of its total.

    A bisection over columns, all rows together; T where there is none.
    """
    rows = np.arange(len(numbers))
    low = np.zeros(len(numbers), dtype=np.intp)
    high = np.full(len(numbers), numbers.shape[1], dtype=np.intp)
    while (low < high).any():
        middle = (low + high) // 2
        reached = numbers[rows, np.minimum(middle, numbers.shape[1] - 1)] / totals >= share
        open_ = low < high
        high = np.where(open_ & reached, middle, high)
        low = np.where(open_ & ~reached, middle + 1, low)
    return low


def defined(positive: Numbers, negative: Numbers) -> npt.NDArray[np.bool_]:
    """Replicates that have images of the class and of others [R]."""
    if not positive.shape[1]:
        return np.zeros(len(positive), dtype=bool)
    return np.asarray((positive[:, -1] > 0) & (negative[:, -1] > 0))


def recall_at_specificity(replicates: Replicates, class_index: int, level: float) -> Values:
    """Highest recall [R] among thresholds whose specificity is at least `level`."""
    positive, negative, found, kept = _parts(replicates, class_index)
    if not kept.any():
        return found
    rows = np.arange(len(positive))
    # specificity falls with the column: count the columns that still have enough of it
    turned = negative[:, -1:] - negative[:, ::-1]
    short = first_at_least(turned, negative[:, -1], level)
    last = negative.shape[1] - 1 - short
    hits = np.where(last >= 0, positive[rows, np.maximum(last, 0)], 0)
    found[kept] = hits / positive[:, -1]
    return found


def specificity_at_recall(replicates: Replicates, class_index: int, level: float) -> Values:
    """Highest specificity [R] among thresholds whose recall is at least `level`."""
    positive, negative, found, kept = _parts(replicates, class_index)
    if not kept.any():
        return found
    place = first_at_least(positive, positive[:, -1], level)
    total = negative[:, -1]
    found[kept] = (total - negative[np.arange(len(positive)), place]) / total
    return found


def _parts(
    replicates: Replicates, class_index: int
) -> tuple[Numbers, Numbers, Values, npt.NDArray[np.bool_]]:
    """Counts of the replicates that have both, room for all values, and which have both."""
    positive, negative = replicates.ranking(class_index)
    kept = defined(positive, negative)
    found = np.full(len(positive), np.nan)
    if kept.all():
        return positive, negative, found, kept
    return positive[kept], negative[kept], found, kept


def area_above(replicates: Replicates, class_index: int, recall: float) -> tuple[Values, Values]:
    """Area [R] under the part of the curve above a recall, and the false positive rate there [R].

    From that part down to the axis, not normalised. The curve between two thresholds is straight,
    so the point at `recall` itself is found by interpolation.
    """
    found: tuple[Values, Values] = replicates.once(
        ("area_above", class_index, recall), lambda: _area_above(replicates, class_index, recall)
    )
    return found


def _area_above(replicates: Replicates, class_index: int, recall: float) -> tuple[Values, Values]:
    positive, negative, area, kept = _parts(replicates, class_index)
    rate = area.copy()
    if not kept.any():
        return area, rate
    rows = np.arange(len(positive))
    place = first_at_least(positive, positive[:, -1], recall)
    before = np.maximum(place - 1, 0)
    first = place == 0
    p0 = np.where(first, 0, positive[rows, before]).astype(np.float64)
    n0 = np.where(first, 0, negative[rows, before]).astype(np.float64)
    p1 = positive[rows, place].astype(np.float64)
    n1 = negative[rows, place].astype(np.float64)
    p_total, n_total = positive[:, -1].astype(np.float64), negative[:, -1].astype(np.float64)
    crossed = recall * p_total
    at = n0 + ratio(crossed - p0, p1 - p0) * (n1 - n0)
    rest = _areas_after(positive, negative, place)
    area[kept] = (rest + (n1 - at) * (crossed + p1)) / (2 * p_total * n_total)
    rate[kept] = at / n_total
    return area, rate


def _areas_after(positive: Numbers, negative: Numbers, place: Places) -> Values:
    """Twice the area [R] behind a column of each row, in units of one pair of images."""
    start = int(place.min())
    wide = np.float64 if positive.dtype.kind == "f" else np.int64
    width = np.diff(negative[:, start:], axis=1)
    width[np.arange(start + 1, positive.shape[1])[None, :] <= place[:, None]] = 0
    height = positive[:, start + 1 :] + positive[:, start:-1]
    doubled = np.einsum("rt,rt->r", width.astype(wide), height.astype(wide))
    return np.asarray(doubled, dtype=np.float64)
