"""ROC and precision-recall curves of one class: exact, then thinned to what an eye can see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skinbench.score.images import ScoredImages

Points = npt.NDArray[np.float64]
"""[P, 2]: x and y of a line's corners, both in [0, 1]."""
TOLERANCE = 0.002
"""Thinning moves no point of a line farther than this."""
MOST_POINTS = 200
GRID = 101
"""Places at which curves of several seeds are averaged."""


@dataclass(frozen=True, kw_only=True)
class SeedCurves:
    """Of one seed, folds pooled."""

    roc: Points
    """False positive rate, recall; straight between corners, from (0, 0) to (1, 1)."""
    precision_recall: Points
    """Recall, precision; steps, as average precision adds them up."""


def seed_curves(images: ScoredImages, class_index: int) -> SeedCurves | None:
    """Both curves of one class against all others; None without images of it or of others."""
    true = images.labels == class_index
    scores, weights = images.probabilities[:, class_index], images.scored_weights()
    if not true.any() or true.all() or not np.isfinite(scores).all():
        return None
    hits, alarms = _at_thresholds(true, scores, weights)
    recall, precision = hits / hits[-1], hits / (hits + alarms)
    start = np.zeros(1)
    roc = np.column_stack([np.concatenate([start, alarms / alarms[-1]]),
                           np.concatenate([start, recall])])  # fmt: skip
    before = np.concatenate([start, recall[:-1]])
    wide = recall > before  # a threshold that finds nothing more is a step without width
    steps = np.column_stack([before, precision, recall, precision])[wide].reshape(-1, 2)
    return SeedCurves(roc=roc, precision_recall=steps)


def _at_thresholds(
    true: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weight of hits and of false alarms from each distinct score on, highest first."""
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    hits = np.cumsum(np.where(true[order], weights[order], 0.0))[last_of_tie]
    alarms = np.cumsum(np.where(true[order], 0.0, weights[order]))[last_of_tie]
    return hits, alarms


def thinned(points: Points, tolerance: float = TOLERANCE) -> Points:
    """A line with fewer corners that runs within `tolerance` of the one given, and it of this.

    The corners of the new line are corners of the old one or middles of its pieces: through the
    middles of small stairs a straight line runs closer to all of them than through their corners.
    Each piece reaches as far as the tolerance lets it.
    """
    if len(points) < 3:
        return points
    middles = (points[:-1] + points[1:]) / 2
    finer = np.empty((2 * len(points) - 1, 2))
    finer[::2], finer[1::2] = points, middles
    kept = [0]
    while kept[-1] < len(finer) - 1:
        kept.append(_farthest(finer, kept[-1], tolerance))
    return np.asarray(finer[kept])


def _farthest(points: Points, first: int, tolerance: float) -> int:
    """The last point that one straight piece from `first` reaches, found by halving."""

    def fits(last: int) -> bool:
        between = points[first + 1 : last]
        return bool((_distances(between, points[first], points[last]) <= tolerance).all())

    end = len(points) - 1
    reach = 1
    while first + 2 * reach <= end and fits(first + 2 * reach):
        reach *= 2
    good, bad = first + reach, min(first + 2 * reach, end + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good


def _distances(points: Points, start: Points, end: Points) -> npt.NDArray[np.float64]:
    """Of each point from the piece of a line between two points."""
    along = end - start
    length = float(along @ along)
    share = np.clip((points - start) @ along / length, 0.0, 1.0) if length else 0.0
    nearest = start + np.multiply.outer(share, along) if length else start
    return np.asarray(np.hypot(*(points - nearest).T))


def mean_curve(curves: Sequence[Points], *, steps: bool) -> Points:
    """Mean height of several seeds' lines at the same places [GRID, 2].

    Args:
        curves: at least one, each from x = 0 to x = 1.
        steps: heights hold to the left of each corner, as in precision-recall; else straight.
    """
    places = np.linspace(0.0, 1.0, GRID)
    heights = [_heights(points, places, steps=steps) for points in curves]
    return np.column_stack([places, np.mean(heights, axis=0)])


def _heights(points: Points, places: Points, *, steps: bool) -> Points:
    x, y = points[:, 0], points[:, 1]
    if steps:  # the first step that reaches the place; float noise at 1 stays inside
        return np.asarray(y[np.minimum(np.searchsorted(x, places - 1e-12), len(y) - 1)])
    # A vertical piece is taken at its upper end, as the ROC of a threshold is.
    right = np.searchsorted(x, places, side="right") - 1
    following = np.minimum(right + 1, len(x) - 1)
    width = x[following] - x[right]
    share = np.divide(places - x[right], width, out=np.zeros_like(places), where=width > 0)
    return np.asarray(y[right] + share * (y[following] - y[right]))
