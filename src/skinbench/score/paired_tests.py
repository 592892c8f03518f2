"""Tests of the difference between two models on the same images, by lesion group.

Shares of images that the truth selects: sign flips of the lesions' sums of differences, all of
them counted, which is the exact McNemar test where each lesion has one image. AUROC: Obuchowski's
variance for clustered data, which is DeLong's where each lesion has one image. Anything else: the
difference over the standard deviation of the paired bootstrap, as in pROC's bootstrap test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from skinbench.score.images import ScoredImages

Numbers = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

SIGN_FLIPS = "sign flips by lesion"
MCNEMAR = "McNemar, exact"
OBUCHOWSKI = "Obuchowski (DeLong by lesion)"
DELONG = "DeLong"
BOOTSTRAP = "paired bootstrap by lesion"
UNPAIRED = "unpaired bootstrap"

MOST_SUMS = 20_000
"""Sum of differences up to which every sign flip is counted; above, their normal limit serves."""
FLIPS = 20_000
"""Sign flips that are drawn where differences are no whole numbers."""


@dataclass(frozen=True, kw_only=True)
class TestResult:
    """A two-sided p-value, or the reason why there is none."""

    __test__ = False  # no pytest class

    name: str
    p: float | None
    reason: str = ""


def sign_flip_p(sums: Numbers, seed: int = 0) -> float:
    """Two-sided p of sums of paired differences by group: share of sign flips as extreme.

    Whole numbers: the distribution over all 2^G flips is convolved from binomials, one for each
    size of difference, and nothing is drawn. Fractions (weights that are no counts): `FLIPS`
    drawn flips, the data itself counted as one of them (Phipson and Smyth 2010). Where sizes sum
    to more than `MOST_SUMS`, the normal limit of the flips.

    Args:
        sums: [G] differences summed within each group; zeros carry no information.
        seed: of drawn flips.
    """
    sizes = np.abs(np.asarray(sums, dtype=np.float64))
    observed = abs(float(np.sum(sums)))
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return 1.0
    whole = bool(np.all(sizes == np.rint(sizes)))
    if (sizes.sum() if whole else len(sizes)) > MOST_SUMS:
        return _normal_p(observed, math.sqrt(float((sizes**2).sum())))
    if whole:
        return _counted_flips(sizes.astype(np.int64), round(observed))
    generator = np.random.default_rng([seed, len(sizes)])
    extreme, rows = 0, max(1, 4_000_000 // len(sizes))
    for start in range(0, FLIPS, rows):
        signs = generator.integers(0, 2, size=(min(rows, FLIPS - start), len(sizes))) * 2 - 1
        flipped = np.abs(np.einsum("rg,g->r", signs, sizes))
        extreme += int((flipped >= observed * (1 - 1e-12)).sum())
    return (1 + extreme) / (FLIPS + 1)


def _counted_flips(sizes: npt.NDArray[np.int64], observed: int) -> float:
    """P(|sum of signs times sizes| >= observed) under fair signs."""
    whole = np.ones(1)
    for size, count in zip(*np.unique(sizes, return_counts=True), strict=True):
        steps = np.arange(count + 1)
        logs = special.gammaln(count + 1) - special.gammaln(steps + 1)
        logs -= special.gammaln(count - steps + 1)
        spread = np.zeros(int(size * count) + 1)
        spread[:: int(size)] = np.exp(logs - count * math.log(2))
        whole = _convolved(whole, spread)
    # Place t of `whole` is the sum of the sizes whose sign is positive; the flipped sum is
    # 2 t - total.
    total = int(sizes.sum())
    at_least = (observed + total + 1) // 2
    tail = float(whole[at_least:].sum())
    return min(1.0, 2 * tail) if observed else 1.0


def _convolved(left: Floats, right: Floats) -> Floats:
    """Shifted sums in a fixed order: a library's product would change with its threads."""
    short, long = sorted((left, right), key=np.count_nonzero)
    found = np.zeros(len(left) + len(right) - 1)
    for place in np.flatnonzero(short):
        found[place : place + len(long)] += short[place] * long
    return found


@dataclass(frozen=True, kw_only=True)
class Placements:
    """One model's AUROC and what each group adds to its deviation from the truth."""

    auc: float
    """NaN where undefined in any fold."""
    positives: Floats
    """[G] sum over the group's positives of (share of negatives below - AUROC) / positives."""
    negatives: Floats
    """[G] the same of its negatives."""
    has_positive: npt.NDArray[np.bool_]
    has_negative: npt.NDArray[np.bool_]
    single: bool
    """No group has more than one image."""

    @property
    def variance(self) -> float:
        """Obuchowski 1997, Biometrics 53:567; DeLong et al. 1988 with one image a group."""
        return clustered_variance(self, self.positives, self.negatives)


def placements(seeds: Sequence[ScoredImages], class_index: int, universe: Numbers) -> Placements:
    """AUROC of a class against the rest, taken within each fold, averaged over folds and seeds.

    Args:
        seeds: the same images scored by one or several seeds.
        class_index: the positive class.
        universe: sorted group ids, G of them.
    """
    size = len(universe)
    auc, found = 0.0, np.zeros((2, size))
    for images in seeds:
        folds = np.unique(images.folds)
        share = 1 / (len(seeds) * len(folds))
        for fold in folds:
            part = images if len(folds) == 1 else images.subset(images.folds == fold)
            value, deviations = _fold_placements(part, class_index, universe)
            auc += share * value
            found += share * deviations
    truth = seeds[0].labels == class_index
    codes = seeds[0].places(universe)
    counts = [np.bincount(codes[mask], minlength=size) for mask in (truth, ~truth)]
    return Placements(
        auc=auc,
        positives=found[0],
        negatives=found[1],
        has_positive=counts[0] > 0,
        has_negative=counts[1] > 0,
        single=len(truth) > 0 and int((counts[0] + counts[1]).max()) == 1,
    )


def _fold_placements(
    images: ScoredImages, class_index: int, universe: Numbers
) -> tuple[float, Floats]:
    """AUROC of one fold, and what each group's positives and negatives deviate by [2, G]."""
    codes = images.places(universe)
    scores, truth = images.probabilities[:, class_index], images.labels == class_index
    codes, truth, scores, weights = _merged(codes, truth, scores, images.scored_weights())
    size = len(universe)
    if truth.all() or not truth.any():
        return math.nan, np.full((2, size), np.nan)
    totals = weights[truth].sum(), weights[~truth].sum()
    placed = np.empty(len(scores))
    placed[truth] = _below(scores[truth], scores[~truth], weights[~truth]) / totals[1]
    placed[~truth] = 1 - _below(scores[~truth], scores[truth], weights[truth]) / totals[0]
    auc = float((weights[truth] * placed[truth]).sum() / totals[0])
    own = weights * (placed - auc) / np.where(truth, totals[0], totals[1])
    masks = (truth, ~truth)
    return auc, np.stack([np.bincount(codes[m], own[m], minlength=size) for m in masks])


def _merged(
    codes: Numbers, truth: Numbers, scores: Floats, weights: Floats
) -> tuple[Numbers, Numbers, Floats, Floats]:
    """Rows in canonical order, equal ones as one: order and repetition leave no trace."""
    order = np.lexsort((scores, truth, codes))
    codes, truth, scores, weights = codes[order], truth[order], scores[order], weights[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(codes) != 0) | (truth[1:] != truth[:-1]) | (np.diff(scores) != 0)
    starts = np.flatnonzero(new)
    summed = np.add.reduceat(weights, starts) if len(starts) else weights
    if len(summed) and np.all(summed == np.rint(summed)):
        summed = summed / np.gcd.reduce(summed.astype(np.int64))
    return codes[new], truth[new], scores[new], summed


def _below(scores: Floats, others: Floats, weights: Floats) -> Floats:
    """Weight of the others that score less than each score, ties by half."""
    order = np.argsort(others, kind="stable")
    ranked = others[order]
    cumulated = np.concatenate([[0.0], np.cumsum(weights[order])])
    low = np.searchsorted(ranked, scores, side="left")
    high = np.searchsorted(ranked, scores, side="right")
    return np.asarray((cumulated[low] + cumulated[high]) / 2)


def clustered_variance(about: Placements, positives: Floats, negatives: Floats) -> float:
    """Obuchowski's variance of what groups add to a deviation; NaN with a single group.

    Args:
        about: says which groups have images of the class, and of the rest.
        positives: [G] sums over each group's images of the class.
        negatives: [G] sums over its other images.
    """
    both = about.has_positive | about.has_negative
    groups = [int(mask.sum()) for mask in (about.has_positive, about.has_negative, both)]
    if min(groups) < 2:
        return math.nan
    first, second, joint = (count / (count - 1) for count in groups)
    return float(
        first * (positives**2).sum()
        + second * (negatives**2).sum()
        + 2 * joint * (positives * negatives).sum()
    )


def auc_test(left: Placements, right: Placements) -> TestResult:
    """Test that two models have the same AUROC on the same images and groups."""
    name = DELONG if left.single else OBUCHOWSKI
    difference = left.auc - right.auc
    variance = clustered_variance(
        left, left.positives - right.positives, left.negatives - right.negatives
    )
    if math.isnan(difference) or math.isnan(variance):
        return TestResult(name=name, p=None, reason="no test: AUROC is undefined")
    return TestResult(name=name, p=_normal_p(difference, math.sqrt(max(variance, 0.0))))


def bootstrap_test(differences: Floats, *, paired: bool = True) -> TestResult:
    """Test from bootstrap values of a difference [R + 1], the data first; NaN where undefined."""
    name = BOOTSTRAP if paired else UNPAIRED
    defined = differences[1:][~np.isnan(differences[1:])]
    if math.isnan(differences[0]) or len(defined) < 2:
        return TestResult(name=name, p=None, reason="no test: the difference is undefined")
    error = float(np.std(defined, ddof=1))
    if error <= 1e-12 and abs(differences[0]) > 1e-12:
        return TestResult(
            name=name, p=None, reason="no test: every bootstrap resample gives the same value"
        )
    return TestResult(name=name, p=_normal_p(float(differences[0]), error))


def _normal_p(difference: float, error: float) -> float:
    """Two-sided; a difference of nothing but rounding is none."""
    if abs(difference) <= 1e-12:
        return 1.0
    if error <= 0:
        return 0.0
    return float(2 * special.ndtr(-abs(difference) / error))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p-values (Holm 1979) in the order given; None takes no part."""
    known = [index for index, p in enumerate(p_values) if p is not None]
    order = sorted(known, key=lambda index: (p_values[index], index))
    adjusted: list[float | None] = [None] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, float(p_values[index] or 0.0) * (len(order) - rank)))
        adjusted[index] = running
    return adjusted
