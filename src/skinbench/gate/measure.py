"""One check of one row: candidate and baseline on the same images, and what follows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from skinbench import registry
from skinbench.errors import counted
from skinbench.gate.checks import Check
from skinbench.gate.means import class_pairs, mean_bounds
from skinbench.gate.paired import (
    Bounds,
    PairedShare,
    SeedVariance,
    bootstrap_bounds,
    clustered_bounds,
    paired_share,
    seed_variance,
)
from skinbench.gate.ranked import auc_against_floor, paired_auc, ranked_bounds
from skinbench.records.resampling import Resamples
from skinbench.score.evaluate import Request, replicate_values
from skinbench.score.images import ScoredImages
from skinbench.score.intervals import MOST_UNDEFINED, wilson
from skinbench.score.paired_tests import placements
from skinbench.score.proportions import GIVEN_TRUTH, effective_n, group_sums, hits

SHARES = (*GIVEN_TRUTH, "called_benign", "melanoma_called_benign")
"""Shares of images that the truth alone selects: judged by the clustered score test."""
FEWEST_LESIONS = 30
"""Lesion groups of those that a metric conditions on, below which nothing is judged."""

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both models on identical images, the same seeds in the same order."""

    candidate: Sequence[ScoredImages]
    baseline: Sequence[ScoredImages]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a check found; `problem` where it could not be judged."""

    n: int = 0
    n_positive: int | None = None
    n_groups: int = 0
    candidate: float | None = None
    baseline: float | None = None
    difference: Bounds | None = None
    """Oriented: above 0 the candidate is better."""
    own: Bounds | None = None
    """The candidate's own value against the floor, oriented likewise."""
    pairs: PairedShare | None = None
    """For a share of images of one seed or two: what the paired test read."""
    same: bool = False
    """Both sides are one model: the same decisions and probabilities, to the bit."""
    problem: str = ""


def measure(check: Check, asked: Request, pair: Pair, resampling: Resamples) -> Measured:
    """Bounds of the paired difference, and of the candidate's own value where there is a floor."""
    counted = _count(asked, pair)
    if counted["problem"]:
        return Measured(**counted)
    try:
        values = _values(check, asked, pair, resampling)
    except UndefinedError as error:
        return Measured(**{**counted, "problem": str(error)})
    if one_model(pair):
        values = {**values, "difference": _UNCHANGED, "same": True}
    return Measured(**{**counted, **values})


_UNCHANGED = Bounds(difference=0.0, low=0.0, high=0.0, p_regressed=1.0)
_FEWEST_VALUES = 30
"""Different probabilities below which equal predictions may be chance, as where all are 0 or 1."""


def one_model(pair: Pair) -> bool:
    """Whether both sides are the same predictions to the bit, and so the same model.

    Nothing is then estimated: on whatever images, the difference is 0. Equal decisions alone say
    less, and neither do probabilities of few values.
    """
    for ours, theirs in zip(pair.candidate, pair.baseline, strict=True):
        kept = ~np.isnan(theirs.probabilities)
        mine, other = (side.probabilities[kept].astype(np.float32) for side in (ours, theirs))
        if not np.array_equal(ours.decisions, theirs.decisions) or not np.array_equal(mine, other):
            return False
        if len(np.unique(mine[(mine > 0) & (mine < 1)])) < _FEWEST_VALUES:
            return False
    return True


class UndefinedError(Exception):
    """A metric is undefined on these images; becomes a missing check."""


def _count(asked: Request, pair: Pair) -> dict[str, Any]:
    """Images and lesion groups that the check rests on, and whether they are enough."""
    metric, index = asked
    entry = registry.metrics.get(metric)
    first = pair.candidate[0]
    masks = [
        images.conditioned(entry.conditions_on, index)
        for images in (*pair.candidate, *pair.baseline)
    ]
    if index is not None and entry.conditions_on != "negatives":
        masks.append(first.labels == index)
    if entry.folds == "averaged" and index is not None:
        masks.append(first.labels != index)
    groups = [first.count_groups(mask) for mask in masks]
    fewest = min(groups) if len(first) else 0
    what = "" if index is None else f" for {first.classes[index]}"
    problem = ""
    if not len(first):
        problem = "no image to judge"
    elif fewest < FEWEST_LESIONS:
        problem = f"{counted(fewest, 'lesion group')}{what}, at least {FEWEST_LESIONS} are needed"
    return {
        "n": first.count(masks[0]),
        "n_positive": None if index is None else first.count(first.labels == index),
        "n_groups": fewest,
        "problem": problem,
    }


def _values(check: Check, asked: Request, pair: Pair, resampling: Resamples) -> dict[str, Any]:
    if asked[0] in SHARES:
        return _shares(check, asked, pair)
    if asked[0] == "auroc":
        return _ranked(check, asked, pair)
    if asked[0] == "balanced_accuracy":
        return _mean(check, asked, pair, resampling)
    return _resampled(check, asked, pair, resampling)


def _shares(check: Check, asked: Request, pair: Pair) -> dict[str, Any]:
    """A share of images that the truth selects: the clustered score test, inverted."""
    by_seed = [_weighted_share(asked, side) for side in (pair.candidate, pair.baseline)]
    seeds = seed_variance(*by_seed)
    pairs, universe = _pairs(asked, pair)
    own = None
    if check.floor is not None:
        parts = [
            group_sums(images, part, universe)
            for images in pair.candidate
            if (part := hits(*_hit_arguments(asked, images))) is not None
        ]
        own = _share_against_floor(effective_n(parts), check, seeds)
        if direction(asked[0]) < 0:
            own = _turned(own)
    return {
        "candidate": float(np.mean(by_seed[0])),
        "baseline": float(np.mean(by_seed[1])),
        "difference": clustered_bounds(pairs, check.alpha, len(universe), seeds),
        "own": own,
        "pairs": pairs if seeds is None else None,
    }


def _pairs(asked: Request, pair: Pair) -> tuple[PairedShare, Numbers]:
    """The sums of the paired test, and the lesion groups that they are over.

    With several seeds an image counts as gained in the share of pairs of seeds in which only the
    candidate gets it right.
    """
    first = pair.candidate[0]
    share = hits(*_hit_arguments(asked, first))
    assert share is not None  # SHARES are
    chosen = share.selected
    ours = _mean_hits(asked, pair.candidate)[chosen]
    theirs = _mean_hits(asked, pair.baseline)[chosen]
    if direction(asked[0]) < 0:
        ours, theirs = 1 - ours, 1 - theirs
    weights = first.weights[chosen]
    universe, codes = np.unique(first.groups[chosen], return_inverse=True)
    sums = np.bincount(codes, weights * (ours - theirs), minlength=len(universe))
    sizes = np.bincount(codes, weights, minlength=len(universe))
    gained = float((weights * ours * (1 - theirs)).sum() / weights.sum())
    lost = float((weights * theirs * (1 - ours)).sum() / weights.sum())
    return paired_share(sums, sizes, gained=gained, lost=lost), universe


def _hit_arguments(asked: Request, images: ScoredImages) -> tuple[str, ScoredImages, int | None]:
    return asked[0], images, asked[1]


def _mean_hits(asked: Request, side: Sequence[ScoredImages]) -> Numbers:
    """Hits of each image, averaged over seeds [N]."""
    found = [hits(*_hit_arguments(asked, images)) for images in side]
    each = [part.hit.astype(np.float64) for part in found if part is not None]
    return np.asarray(np.mean(each, axis=0))


def _weighted_share(asked: Request, side: Sequence[ScoredImages]) -> Numbers:
    """The metric of each seed [S]."""
    values = []
    for images in side:
        share = hits(*_hit_arguments(asked, images))
        assert share is not None  # SHARES are
        weights = images.weights[share.selected]
        values.append((weights * share.hit[share.selected]).sum() / weights.sum())
    return np.array(values)


def _share_against_floor(
    estimate: tuple[float, float], check: Check, seeds: SeedVariance | None
) -> Bounds:
    """Wilson's one-sided bounds of a share over the design effect, and its test at the floor."""
    value, n = estimate
    variance = value * (1 - value)
    if seeds is not None and seeds.candidate > 0 and variance > 0:
        n = variance / (variance / n + seeds.candidate)
    low, high = wilson(value, n, 1 - 2 * check.alpha)
    floor = float(check.floor or 0.0)
    error = math.sqrt(max(0.0, floor * (1 - floor)) / n)
    p = float(special.ndtr((value - floor) / error)) if error > 0 else float(value >= floor)
    return Bounds(difference=value, low=low, high=high, p_regressed=p)


def _turned(bounds: Bounds) -> Bounds:
    """Of a share that should be low, as of one that should be high."""
    return Bounds(
        difference=-bounds.difference,
        low=-bounds.high,
        high=-bounds.low,
        p_regressed=1 - bounds.p_regressed,
    )


def _ranked(check: Check, asked: Request, pair: Pair) -> dict[str, Any]:
    """AUROC of a class: the score test by lesion, inverted."""
    index = int(asked[1] or 0)
    found, own = paired_auc(pair.candidate, pair.baseline, index)
    if math.isnan(found.difference) or math.isnan(found.spread):
        raise UndefinedError(f"undefined: {registry.metrics.get(asked[0]).undefined}")
    universe = pair.candidate[0].group_codes[0]
    each = [
        np.array([placements([images], index, universe).auc for images in side])
        for side in (pair.candidate, pair.baseline)
    ]
    seeds = seed_variance(*each)
    floor = check.floor
    return {
        "candidate": found.candidate,
        "baseline": found.baseline,
        "difference": ranked_bounds(found, check.alpha, seeds),
        "own": None if floor is None else auc_against_floor(own, floor, check.alpha, seeds),
    }


def _mean(check: Check, asked: Request, pair: Pair, resampling: Resamples) -> dict[str, Any]:
    """Balanced accuracy: the mean of the classes' own differences; a floor by the bootstrap."""
    each = [
        np.array([_value(images, asked, resampling) for images in side])
        for side in (pair.candidate, pair.baseline)
    ]
    classes = class_pairs(pair.candidate, pair.baseline)
    own = None if check.floor is None else _resampled(check, asked, pair, resampling)["own"]
    return {
        "candidate": float(each[0].mean()),
        "baseline": float(each[1].mean()),
        "difference": mean_bounds(classes, check.alpha, seed_variance(*each)),
        "own": own,
    }


def _value(images: ScoredImages, asked: Request, resampling: Resamples) -> float:
    """The metric of the data itself."""
    return float(replicate_values(images, [asked], replicates=0, seed=resampling.seed)[asked][0])


def _resampled(check: Check, asked: Request, pair: Pair, resampling: Resamples) -> dict[str, Any]:
    """Any other metric: the paired lesion bootstrap, the same resamples for both."""
    sign = direction(asked[0])
    sides = []
    for side in (pair.candidate, pair.baseline):
        each = [
            replicate_values(
                images, [asked], replicates=resampling.replicates, seed=resampling.seed
            )[asked]
            for images in side
        ]
        sides.append(np.stack(each))
    ours, theirs = sides[0].mean(axis=0), sides[1].mean(axis=0)
    if np.isnan(ours[0]) or np.isnan(theirs[0]):
        entry = registry.metrics.get(asked[0])
        raise UndefinedError(f"undefined: {entry.undefined or 'the metric has no value here'}")
    groups = pair.candidate[0].count_groups()
    seeds = seed_variance(sides[0][:, 0], sides[1][:, 0])
    own = None
    if check.floor is not None:
        alone = (
            None
            if seeds is None
            else SeedVariance(candidate=seeds.candidate, baseline=0.0, seeds=seeds.seeds)
        )
        shifted = bootstrap_bounds(
            _defined(sign * (ours - check.floor)), check.alpha, groups, alone
        )
        floor = sign * check.floor
        own = Bounds(
            difference=shifted.difference + floor,
            low=shifted.low + floor,
            high=shifted.high + floor,
            p_regressed=shifted.p_regressed,
        )
    return {
        "candidate": float(ours[0]),
        "baseline": float(theirs[0]),
        "difference": bootstrap_bounds(
            _defined(sign * (ours - theirs)), check.alpha, groups, seeds
        ),
        "own": own,
    }


def _defined(values: Numbers) -> Numbers:
    """Values without undefined resamples, of which there may be few."""
    keep = ~np.isnan(values)
    if not keep[0] or (~keep).mean() > MOST_UNDEFINED or keep.sum() < 2:
        raise UndefinedError("undefined in too many of the bootstrap resamples")
    return values[keep]


def direction(metric: str) -> float:
    """1 where a higher value is better, else -1."""
    return 1.0 if registry.metrics.get(metric).higher_is_better else -1.0


def oriented(metric: str, bounds: Bounds) -> tuple[float, float, float]:
    """(candidate - baseline, low, high) in the metric's own direction."""
    if direction(metric) > 0:
        return bounds.difference, bounds.low, bounds.high
    return -bounds.difference, -bounds.high, -bounds.low
