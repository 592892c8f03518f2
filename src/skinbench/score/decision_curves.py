"""Decision curves (Vickers and Elkin 2006): net benefit over the risk from which on one acts.

At a stated prevalence and by prior shift alone, as `prevalence` has it for a single risk. All
risks of a curve are read from the same resamples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench.records import Cell, CellOutcome, DecisionCurve, Row
from skinbench.records.operating import PrevalenceRequest
from skinbench.records.resampling import Resamples
from skinbench.score.draws import windows
from skinbench.score.images import ScoredImages
from skinbench.score.intervals import FEWEST_GROUPS, interval
from skinbench.score.predictions import Predictions
from skinbench.score.prevalence import ValShares, net_benefit, shifted, val_shares
from skinbench.score.replicates import ReplicateSet
from skinbench.score.row_images import row_images

POINTS = 40
REACH, MOST = 5.0, 0.6
"""The largest risk drawn: five times the prevalence, and no more than 0.6."""

Floats = npt.NDArray[np.float64]


def decision_curves(
    rows: Sequence[Row],
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
    asked: Sequence[PrevalenceRequest],
    resamples: Resamples,
) -> tuple[DecisionCurve, ...]:
    """A curve for each row, unaltered test set and stated prevalence of one of its classes."""
    found: list[DecisionCurve] = []
    for row in rows:
        mine = [a for a in asked if a.class_ in row.classes and fnmatchcase(row.name, a.rows)]
        if not mine:
            continue
        images = row_images(row, predictions, cells)
        shares = val_shares(row, predictions, cells)
        keys = {key for sets in images.by_seed.values() for key in sets if key[1] == "none"}
        for key in sorted(keys):
            sets = {seed: own[key] for seed, own in images.by_seed.items() if key in own}
            for item in mine:
                found.extend(_curves(row, item, sets, shares, resamples))
    return tuple(found)


def risks_at(prevalence: float) -> Floats:
    """The risks that a curve is drawn over [POINTS], rising from near 0."""
    return np.linspace(0, min(MOST, REACH * prevalence), POINTS + 1)[1:]


def _curves(
    row: Row,
    item: PrevalenceRequest,
    sets: Mapping[int, ScoredImages],
    shares: ValShares,
    resamples: Resamples,
) -> Iterator[DecisionCurve]:
    index = row.classes.index(item.class_)
    first = next(iter(sets.values()))
    inside = first.labels == index
    facts: dict[str, Any] = {
        "row": row.name, "dataset": first.dataset, "class_": item.class_, "n": first.count(),
        "n_positive": first.count(inside),
        "n_groups": min(first.count_groups(inside), first.count_groups(~inside)),
    }  # fmt: skip
    for prevalence in item.at:
        risks = risks_at(prevalence)
        each = []
        for seed, images in sets.items():
            limits = _limits(images, shares, (seed, item.class_), (risks, prevalence))
            if limits is None:
                break
            recall, specificity = flagged(images, index, limits, resamples)
            each.append(net_benefit(recall, specificity, prevalence, risks[:, None]))
        if len(each) < len(sets) or not facts["n_groups"]:
            why = f"no val images to know how common {item.class_} was for the model"
            if not facts["n_groups"]:
                why = f"no image of {item.class_}, or of another class"
            yield DecisionCurve(**facts, prevalence=prevalence, reason=why)
            continue
        values = np.mean(each, axis=0)
        everyone = net_benefit(np.ones(POINTS), np.zeros(POINTS), prevalence, risks)
        low, high = _band(values, facts["n_groups"], resamples.level)
        yield DecisionCurve(
            **facts,
            prevalence=prevalence,
            risks=tuple(risks.tolist()),
            net_benefit=tuple(values[:, 0].tolist()),
            low=low,
            high=high,
            of_all=tuple(everyone.tolist()),
        )


def _limits(
    images: ScoredImages, shares: ValShares, about: tuple[int, str], at: tuple[Floats, float]
) -> Floats | None:
    """Thresholds on the model's own probability [T, N]: the shift turned back, by fold."""
    (seed, class_), (risks, prevalence) = about, at
    found = np.empty((len(risks), len(images)))
    for fold in np.unique(images.folds).tolist():
        before = shares.get((seed, fold), {}).get(class_, 0.0)
        if not 0 < before < 1:
            return None
        found[:, images.folds == fold] = shifted(risks, prevalence, before)[:, None]
    return found


def flagged(
    images: ScoredImages, index: int, limits: Floats, resamples: Resamples
) -> tuple[Floats, Floats]:
    """Recall and specificity of a class at rising thresholds under each replicate.

    Args:
        images: of one seed.
        index: of the class.
        limits: [T, N] thresholds of each image, rising along the first axis.
        resamples: of the lesion groups; the same as of any other score on these images.

    Returns:
        Two arrays [T, R + 1], the data first; NaN where a replicate has no image to count.
    """
    reached = (images.probabilities[:, index] >= limits).sum(axis=0)
    made = ReplicateSet(
        images.labels,
        reached[:, None],
        images.groups,
        replicates=resamples.replicates,
        seed=resamples.seed,
        decisions=np.zeros(len(images), dtype=np.int64),
        weights=images.weights,
        balanced=images.balanced,
    )
    parts = [
        _rates(made.window(part), index, len(limits))
        for part in windows(len(images), resamples.replicates)
    ]
    recall, alarms = (np.concatenate(sides, axis=1) for sides in zip(*parts, strict=True))
    return recall, 1 - alarms


def _rates(made: ReplicateSet, index: int, size: int) -> tuple[Floats, Floats]:
    """Share flagged of the class and of the rest at each threshold, two arrays [T, R]."""
    found = []
    for own in (True, False):

        def lines(own: bool = own) -> Floats:
            """Which images of a side reach each threshold; the side itself first [T + 1, N]."""
            chosen = (made.labels == index) == own
            reached = made.probabilities[:, 0] > np.arange(size)[:, None]
            return np.vstack([chosen, chosen & reached]).astype(np.float64)

        sums = made.sums(("flagged", index, size, own), lines).T
        share = np.full(sums[1:].shape, np.nan)
        np.divide(sums[1:], sums[0], out=share, where=sums[0] > 0)
        found.append(share)
    return found[0], found[1]


def _band(values: Floats, groups: int, level: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Bounds at each risk; none where the lesions are too few for one."""
    if groups < FEWEST_GROUPS:
        return (), ()
    bounds = [interval(line, level, n_groups=groups) for line in values]
    pairs = [
        (line[0], line[0]) if one.low is None or one.high is None else (one.low, one.high)
        for one, line in zip(bounds, values, strict=True)
    ]
    low, high = zip(*pairs, strict=True)
    return tuple(map(float, low)), tuple(map(float, high))
