"""Bounds of a difference of balanced accuracy between two models, by lesion group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from skinbench.gate.paired import Bounds, PairedShare, SeedVariance, paired_share
from skinbench.score.images import ScoredImages

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class ClassPairs:
    """Both models on the images of one class."""

    pairs: PairedShare
    groups: int
    """Lesion groups."""
    most: float
    """Images, as many as their weights stand for."""

    @property
    def independent(self) -> float:
        """Independent images that the lesions stand for."""
        share = self.pairs
        moment = share.gained + share.lost - share.difference**2
        clustered = share.squares - 2 * share.difference * share.cross
        clustered += share.difference**2 * share.sizes
        if moment <= 1e-12 or clustered <= 1e-15:
            return float(1 / share.sizes)  # nothing differs between images: lesions as a whole
        return float(min(self.most, moment / clustered))


def class_pairs(
    candidate: Sequence[ScoredImages], baseline: Sequence[ScoredImages]
) -> list[ClassPairs]:
    """Both models on each class that occurs, hits averaged over seeds."""
    first = candidate[0]
    ours, theirs = (
        np.mean([images.decisions == images.labels for images in side], axis=0)
        for side in (candidate, baseline)
    )
    found = []
    for index in np.unique(first.labels):
        chosen = first.labels == index
        weights, mine, other = first.weights[chosen], ours[chosen], theirs[chosen]
        universe, codes = np.unique(first.groups[chosen], return_inverse=True)
        total = weights.sum()
        pairs = paired_share(
            np.bincount(codes, weights * (mine - other)),
            np.bincount(codes, weights),
            gained=float((weights * mine * (1 - other)).sum() / total),
            lost=float((weights * other * (1 - mine)).sum() / total),
        )
        alike = np.unique(np.column_stack([codes, mine, other]), axis=0, return_counts=True)[1]
        # Every image k times, under its own lesion, is no further image.
        most = float(total**2 / (weights**2).sum()) / int(np.gcd.reduce(alike))
        found.append(ClassPairs(pairs=pairs, groups=len(universe), most=most))
    return found


def mean_bounds(
    classes: Sequence[ClassPairs], alpha: float, seeds: SeedVariance | None = None
) -> Bounds:
    """Adjusted Wald bounds of the mean over K classes of paired differences of recall.

    1 / K gained and 1 / K lost images are added to every class before its variance is taken, in
    the manner of Bonett and Price (2012, J Educ Behav Stat 37:479) for a single paired difference;
    images count as the independent ones that their lesions stand for; Student's t with
    Satterthwaite's degrees of freedom. The percentile bootstrap passes a loss of the margin in up
    to 10 % where a class has some 15 lesions (tests/prove/gate_ranked.py).

    Args:
        classes: those that occur, at least one.
        alpha: one-sided.
        seeds: variance over retraining.
    """
    size = len(classes)
    difference = sum(item.pairs.difference for item in classes) / size
    centre, parts = 0.0, []
    for item in classes:
        share, n, added = item.pairs, item.independent, 1 / size
        gained = (share.gained * n + added) / (n + 2 * added)
        lost = (share.lost * n + added) / (n + 2 * added)
        centre += (gained - lost) / size
        variance = (gained + lost - (gained - lost) ** 2) / (n + 2 * added) / size**2
        freedom = max(1, item.groups - 1)
        parts.append((variance * (freedom + 1) / freedom, freedom))
    if seeds is not None:
        parts += [(part, seeds.seeds - 1) for part in (seeds.candidate, seeds.baseline)]
    whole = sum(part for part, _ in parts)
    freedom_ = whole**2 / sum(part**2 / own for part, own in parts)
    error = math.sqrt(whole)
    reach = float(special.stdtrit(freedom_, 1 - alpha)) * error
    return Bounds(
        difference=float(difference),
        low=max(-1.0, centre - reach),
        high=min(1.0, centre + reach),
        p_regressed=float(special.stdtr(freedom_, centre / error)),
    )
