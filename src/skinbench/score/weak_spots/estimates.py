"""Shares of images with intervals by lesion group: what every look at weak spots is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from skinbench.records.resampling import Resamples
from skinbench.score.draws import draws, windows
from skinbench.score.evaluate import Request
from skinbench.score.images import ScoredImages
from skinbench.score.intervals import FEW_GROUPS, Interval, interval, percentile, wilson
from skinbench.score.proportions import GroupSums, effective_n, group_sums, hits

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Settings(Resamples):
    """How weak spots are looked for."""

    floor: int = 30
    """Lesion groups below which a subgroup has no value."""
    metrics: tuple[str, ...] = ()
    """`metric` or `metric:class`; empty: recall and specificity of the focus class."""
    hardest: int = 20
    """Images listed of each kind on each test set."""
    malignant: frozenset[str] = field(default_factory=frozenset)
    """Class codes that count as malignant, to choose the focus class from."""


@dataclass(frozen=True, kw_only=True)
class ShareEstimate:
    """A share with its interval."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n_groups: int = 0
    reason: str = ""


def focus_class(classes: Sequence[str], malignant: frozenset[str]) -> str | None:
    """`mel`, else the first malignant class, else None."""
    if "mel" in classes:
        return "mel"
    return next((code for code in classes if code in malignant), None)


def same_images(left: ScoredImages, right: ScoredImages) -> bool:
    """Whether two models were judged on the same images, labels, groups, folds and classes."""
    return left.classes == right.classes and all(
        np.array_equal(getattr(left, name), getattr(right, name))
        for name in ("image_ids", "labels", "groups", "folds")
    )


def coded(images: ScoredImages) -> ScoredImages:
    """The same images with lesion groups as numbers in the order of their ids: quick to sort."""
    codes: Any = np.unique(images.groups, return_inverse=True)[1]
    return replace(images, groups=codes)


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of items (images, lesions), decided by one or several seeds."""

    hits: Sequence[Bools]
    """Which items count [N], one for each seed."""
    selected: Sequence[Bools] = ()
    """Which items the share is over [N], one for each seed; empty: all."""


def share(groups: Numbers, counting: Sequence[Bools], settings: Settings) -> ShareEstimate:
    """One share over all items, averaged over seeds, with its interval."""
    return shares(groups, [Share(hits=counting)], settings)[0]


def shares(groups: Numbers, asked: Sequence[Share], settings: Settings) -> list[ShareEstimate]:
    """Shares of the same items, each averaged over seeds, with their intervals.

    Args:
        groups: lesion group of each item [N].
        asked: what counts, and of what.
        settings: replicates, level and seed.
    """
    universe, codes = np.unique(groups, return_inverse=True)
    size, found = len(universe), []
    if not size:
        return [ShareEstimate(value=None, reason=_NOTHING) for _ in asked]
    for start in range(0, len(asked), _AT_ONCE):
        parts = [_sums(one, codes, size) for one in asked[start : start + _AT_ONCE]]
        values = _resampled(parts, len(codes), settings)
        found += [_estimate(p, v, settings) for p, v in zip(parts, values, strict=True)]
    return found


_NOTHING = "no image to take it over"
_AT_ONCE = 16
"""Shares resampled together: each costs a row of numbers as long as there are lesion groups."""


def _sums(one: Share, codes: Numbers, size: int) -> list[GroupSums]:
    chosen = one.selected or [np.ones(len(codes), dtype=bool)] * len(one.hits)
    return [
        GroupSums(
            hits=np.bincount(codes, hit & over, minlength=size).astype(np.float64),
            images=np.bincount(codes, over, minlength=size).astype(np.float64),
        )
        for hit, over in zip(one.hits, chosen, strict=True)
    ]


def _estimate(parts: Sequence[GroupSums], values: Floats, settings: Settings) -> ShareEstimate:
    n_groups = min(int((part.images > 0).sum()) for part in parts)
    if not n_groups:
        return ShareEstimate(value=None, reason=_NOTHING)
    bounds = interval(values, settings.level, n_groups=n_groups, share=parts)
    return ShareEstimate(
        value=float(values[0]),
        low=bounds.low,
        high=bounds.high,
        n_groups=n_groups,
        reason=bounds.reason,
    )


def _resampled(
    asked: Sequence[Sequence[GroupSums]], items: int, settings: Settings
) -> list[Floats]:
    """Values [replicates + 1] of each share averaged over seeds, the data itself first."""
    flat = [part for parts in asked for part in parts]
    size, found = len(flat[0].images), []
    # Whole numbers of at most the images of a lesion: 32 bits hold any resample.
    rows = [part.hits for part in flat] + [part.images for part in flat]
    counted = sparse.csr_array(np.stack(rows).astype(np.int32))
    for window in windows(items, settings.replicates):  # as whoever draws for these items
        drawn = draws(size, window.start, window.stop, settings.seed)
        above, below = np.split(np.asarray(counted @ drawn), 2)
        ratio = np.full(above.shape, np.nan)
        np.divide(above, below, out=ratio, where=below > 0)
        found.append(ratio)
    each = np.concatenate(found, axis=1)
    cuts = np.cumsum([len(parts) for parts in asked])[:-1]
    return [part.mean(axis=0) for part in np.split(each, cuts)]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of two sets of images that a metric is compared between."""

    values: Floats
    """[replicates + 1], the data first."""
    n_groups: int
    sums: Callable[[], Sequence[GroupSums]] = tuple
    """Hits by lesion group, one for each seed, where the metric is a share of images."""


def gap(left: Side, right: Side, level: float) -> Interval:
    """The interval of left - right, both resampled together.

    The percentile bootstrap; where the metric is a share and a side has fewer than 50 lesion
    groups or is all right or all wrong, Newcombe's hybrid score interval (1998, Stat Med 17:873,
    method 10) from the Wilson bounds over each side's effective number of images.
    """
    few = min(left.n_groups, right.n_groups) < FEW_GROUPS
    extreme = left.values[0] in (0.0, 1.0) or right.values[0] in (0.0, 1.0)
    if few or extreme:
        sums = left.sums(), right.sums()
        if all(sums):
            return newcombe(*sums, level)
    return percentile(left.values - right.values, level)


def metric_sums(asked: Request, seeds: Sequence[ScoredImages]) -> list[GroupSums]:
    """Hits by lesion group, one for each seed; nothing for a metric that is no share of images."""
    found = []
    for images in seeds:
        hit = hits(asked[0], images, asked[1])
        if hit is not None and len(images):
            found.append(group_sums(images, hit, np.unique(images.groups)))
    return found


def own_interval(side: Side, level: float) -> Interval:
    """The interval of one side by itself, see `intervals.interval`."""
    few = side.n_groups < FEW_GROUPS or side.values[0] in (0.0, 1.0)
    return interval(side.values, level, n_groups=side.n_groups, share=side.sums() if few else ())


def newcombe(left: Sequence[GroupSums], right: Sequence[GroupSums], level: float) -> Interval:
    """Newcombe's hybrid score interval of the difference of two shares."""
    one, n_one = effective_n(left)
    two, n_two = effective_n(right)
    if not n_one or not n_two:
        return Interval(reason="no interval: no image on one side")
    low_one, high_one = wilson(one, n_one, level)
    low_two, high_two = wilson(two, n_two, level)
    difference = one - two
    return Interval(
        low=difference - math.hypot(one - low_one, high_two - two),
        high=difference + math.hypot(high_one - one, two - low_two),
    )
