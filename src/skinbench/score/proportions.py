"""Metrics that are a share of images, taken apart into hits per lesion group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench.records.malignancy import BENIGN_CODES
from skinbench.score.images import ScoredImages

Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Hits:
    """Which images a share is over, and which of them count."""

    selected: Bools
    """[N]."""
    hit: Bools
    """[N]; read only where selected."""


def _recall(images: ScoredImages, index: int) -> Hits:
    return Hits(selected=images.labels == index, hit=images.decisions == index)


def _specificity(images: ScoredImages, index: int) -> Hits:
    return Hits(selected=images.labels != index, hit=images.decisions != index)


def _precision(images: ScoredImages, index: int) -> Hits:
    return Hits(selected=images.decisions == index, hit=images.labels == index)


def _called_benign(images: ScoredImages, index: int) -> Hits:
    benign = [i for i, code in enumerate(images.classes) if code in BENIGN_CODES]
    return Hits(selected=images.labels == index, hit=np.isin(images.decisions, benign))


def _negative_predictive_value(images: ScoredImages, index: int) -> Hits:
    return Hits(selected=images.decisions != index, hit=images.labels != index)


def _accuracy(images: ScoredImages, _: int) -> Hits:
    return Hits(selected=np.ones(len(images), dtype=bool), hit=images.decisions == images.labels)


_PER_CLASS: dict[str, Callable[[ScoredImages, int], Hits]] = {
    "recall": _recall,
    "specificity": _specificity,
    "precision": _precision,
    "negative_predictive_value": _negative_predictive_value,
    "called_benign": _called_benign,
    "melanoma_called_benign": _called_benign,
}
GIVEN_TRUTH = ("accuracy", "recall", "specificity")
"""Shares of images that the truth alone selects: two models are compared image by image."""


def hits(metric: str, images: ScoredImages, class_index: int | None) -> Hits | None:
    """The share that a metric is, or None for a metric that is no share of images."""
    if metric == "accuracy":
        return _accuracy(images, 0)
    if metric in _PER_CLASS and class_index is not None:
        return _PER_CLASS[metric](images, class_index)
    return None


def class_recalls(metric: str, images: ScoredImages) -> list[Hits]:
    """The recalls that balanced accuracy is the mean of, of the classes that occur."""
    if metric != "balanced_accuracy":
        return []
    return [_recall(images, index) for index in np.unique(images.labels).tolist()]


@dataclass(frozen=True, kw_only=True)
class GroupSums:
    """Weighted hits and images of each lesion group, in lowest terms.

    Whole numbers are divided by their greatest common divisor: repeating every image changes
    nothing, not even a rounding.
    """

    hits: npt.NDArray[np.float64]
    """[G] S_g."""
    images: npt.NDArray[np.float64]
    """[G] n_g."""
    most: float = float("inf")
    """Independent images that unlike weights can stand for at best, see `kish`."""


def group_sums(images: ScoredImages, share: Hits, universe: Numbers) -> GroupSums:
    """Sum a share by lesion group over the sorted ids of `universe` (zeros where none)."""
    chosen = share.selected
    codes = images.places(universe)[chosen]
    weights = images.scored_weights()[chosen]
    if images.balanced and len(weights):
        weights = weights / weights.min()  # whole again where one class is chosen
    size = len(universe)
    hit = np.bincount(codes, weights * share.hit[chosen], minlength=size).astype(np.float64)
    all_ = np.bincount(codes, weights, minlength=size).astype(np.float64)
    if np.all(all_ == np.rint(all_)) and np.all(hit == np.rint(hit)):
        whole = np.concatenate([hit, all_]).astype(np.int64)
        divisor = max(1, int(np.gcd.reduce(whole))) if len(whole) else 1
        hit, all_ = hit / divisor, all_ / divisor
    most = float("inf")
    if len(weights) and weights.min() < weights.max():
        _, place = np.unique(images.image_ids[chosen].astype(str), return_inverse=True)
        most = kish(np.bincount(place, weights).astype(np.float64))
    return GroupSums(hits=hit, images=all_, most=most)


def kish(weights: npt.NDArray[np.float64]) -> float:
    """Number of equally weighted images with the same variance, (sum w)^2 / sum w^2 (Kish 1965).

    Copies of an image are one weight here, so that no copy counts as another image.
    """
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def effective_n(seeds: Sequence[GroupSums]) -> tuple[float, float]:
    """Share and the number of independent images that its clustered variance stands for.

    The design effect is the variance by lesion group over that of independent images, at least
    1. All right or all wrong, it cannot be estimated: the images of a lesion then count as one
    (the effective number of groups, (sum n_g)^2 / sum n_g^2).

    Args:
        seeds: the same images decided by one or several seeds; shares are averaged.

    Returns:
        (share, effective n); (NaN, 0) without images.
    """
    if not seeds or any(not part.images.sum() for part in seeds):
        return float("nan"), 0.0
    shares = [float(part.hits.sum() / part.images.sum()) for part in seeds]
    share = float(np.mean(shares))
    deviations = np.mean(
        [
            (part.hits - own * part.images) / part.images.sum()
            for part, own in zip(seeds, shares, strict=True)
        ],
        axis=0,
    )
    variance = float((deviations**2).sum())
    sizes = np.sum([part.images for part in seeds], axis=0)
    if share in (0.0, 1.0) or variance <= 0.0:
        return share, float(sizes.sum() ** 2 / (sizes**2).sum())
    most = min(min(float(part.images.sum()), part.most) for part in seeds)
    return share, min(most, share * (1 - share) / variance)
