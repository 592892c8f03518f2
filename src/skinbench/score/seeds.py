"""One metric over the seeds of a row: its mean, interval and spread, and why where it has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.errors import counted
from skinbench.records import MetricEntry, Score
from skinbench.records.resampling import Resamples
from skinbench.score.distinct import BINS, EXACT_ROWS
from skinbench.score.evaluate import Request, Values, replicate_values
from skinbench.score.evidence import RANKED
from skinbench.score.images import ScoredImages
from skinbench.score.intervals import FEW_RANKED, USUAL, Basis, Method, chosen_interval
from skinbench.score.paired_tests import placements
from skinbench.score.proportions import class_recalls, group_sums, hits


@dataclass(frozen=True, kw_only=True)
class SeedValues:
    """One seed on one dataset, condition and slice."""

    images: ScoredImages
    values: Values
    universe: npt.NDArray[Any]
    left_out: Values
    """Without one lesion group at a time, where BCa is asked for."""


def score_of_seeds(
    place: Mapping[str, Any],
    asked: Request,
    entry: MetricEntry,
    parts: Sequence[SeedValues],
    *,
    level: float,
    method: Method = USUAL,
) -> Score:
    """The mean over seeds.

    Args:
        place: `row`, `dataset`, `condition`, `metric`, `class_`, `slice` and `seed` of the score.
        asked: metric and class.
        entry: of the metric.
        parts: seeds, at least one.
        level: of the interval.
        method: of the interval.
    """
    class_index = asked[1]
    first = parts[0].images
    stacked = np.stack([part.values[asked] for part in parts])
    values = stacked.mean(axis=0)
    groups = min(part.images.count_given(entry.conditions_on, class_index) for part in parts)
    universe = parts[0].universe
    paired = all(
        part.universe is universe or np.array_equal(part.universe, universe) for part in parts
    )
    name = ""
    if entry.most_replicates == 0:
        bound_low, bound_high, reason = None, None, f"no interval: {entry.few}"
    elif paired:
        basis = _basis(asked, parts, groups)
        bounds = chosen_interval(values, level, basis, method)
        bound_low, bound_high, reason = bounds.low, bounds.high, bounds.reason
        name = bounds.name
    else:
        bound_low, bound_high, reason = None, None, "no interval: seeds differ in their images"
    value = None if np.isnan(values[0]) else float(values[0])
    spread = float(np.std(stacked[:, 0], ddof=1)) if len(parts) > 1 and value is not None else None
    notes = [_undefined(entry, asked, parts) if value is None else reason]
    notes += [_absent(entry, first), _unlabelled(first), _binned(entry, first)]
    return Score(
        **place,
        value=value,
        low=bound_low if value is not None else None,
        high=bound_high if value is not None else None,
        n=first.count(),
        n_positive=None if class_index is None else first.count_positive(class_index),
        n_groups=groups,
        sd_seeds=spread,
        reason="; ".join(note for note in notes if note),
        interval=name if bound_low is not None and value is not None else "",
    )


def score_sets(
    place: Mapping[str, Any],
    sets: Mapping[int, ScoredImages],
    asked: Sequence[Request],
    *,
    classes: Sequence[str],
    resamples: Resamples,
) -> list[Score]:
    """Scores of images at hand, means over seeds: for decisions that no cell made itself.

    Args:
        place: `row`, `dataset` and `condition` of the scores.
        sets: seed to its images, at least one.
        asked: metrics and classes.
        classes: codes of the class indices.
        resamples: how intervals are made.
    """
    parts = []
    for images in sets.values():
        universe = np.unique(images.groups)
        values = replicate_values(
            images, asked, replicates=resamples.replicates, seed=resamples.seed, universe=universe
        )
        parts.append(SeedValues(images=images, values=values, universe=universe, left_out={}))
    scores = []
    for item in asked:
        code = None if item[1] is None else classes[item[1]]
        where = {**place, "metric": item[0], "class_": code, "slice": None, "seed": None}
        entry = registry.metrics.get(item[0])
        scores.append(score_of_seeds(where, item, entry, parts, level=resamples.level))
    return scores


def _basis(asked: Request, parts: Sequence[SeedValues], groups: int) -> Basis:
    """What an interval needs of a metric beside its bootstrap values."""
    metric, class_index = asked
    first = parts[0]
    recalls = [class_recalls(metric, part.images) for part in parts]
    left_out = [part.left_out[asked] for part in parts if asked in part.left_out]
    ranked = None
    if metric == RANKED and class_index is not None:
        truth = first.images.labels == class_index
        of_both = [first.images.count_given(on, class_index) for on in ("positives", "negatives")]
        few = min(of_both) < FEW_RANKED
        if few and truth.any() and not truth.all():
            ranked = placements([part.images for part in parts], class_index, first.universe)
    return Basis(
        n_groups=groups,
        share=[
            group_sums(part.images, share, part.universe)
            for part in parts
            if (share := hits(metric, part.images, class_index)) is not None
        ],
        classes=[
            [
                group_sums(part.images, own[place], part.universe)
                for part, own in zip(parts, recalls, strict=True)
            ]
            for place in range(len(recalls[0]))
        ],
        ranked=ranked,
        left_out=np.mean(left_out, axis=0) if left_out else np.zeros(0),
    )


def _undefined(entry: MetricEntry, asked: Request, parts: Sequence[SeedValues]) -> str:
    """Why a score is None: the metric's own reason, and in which fold."""
    metric, class_index = asked
    reason = entry.undefined or f"{metric} is undefined here"
    images = parts[0].images
    folds = np.unique(images.folds)
    if entry.folds == "averaged" and class_index is not None and len(folds) > 1:
        without = [
            str(fold)
            for fold in folds
            if len(set((images.labels[images.folds == fold] == class_index).tolist())) < 2
        ]
        if without and len(without) < len(folds):
            reason += f" in fold {', '.join(without)}"
    return reason


def _absent(entry: MetricEntry, images: ScoredImages) -> str:
    """Which classes a metric over all classes had to do without."""
    if entry.per_class or not len(images):
        return ""
    absent = [
        code for index, code in enumerate(images.classes) if not (images.labels == index).any()
    ]
    return f"no image of {', '.join(absent)}" if absent else ""


def _binned(entry: MetricEntry, images: ScoredImages) -> str:
    if entry.folds != "averaged" or len(images) <= EXACT_ROWS:
        return ""
    return f"more than {EXACT_ROWS:,} images: ranked in {BINS:,} bins of scores"


def _unlabelled(images: ScoredImages) -> str:
    count = images.unlabelled
    return f"{counted(count, 'image')} without a label left out" if count else ""
