"""What the comparison of rows needs of each: gathered while the row is scored, small to keep."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.records import Row
from skinbench.score.evaluate import Request, Values, request
from skinbench.score.images import Key, ScoredImages
from skinbench.score.paired_tests import (
    MCNEMAR,
    SIGN_FLIPS,
    Placements,
    TestResult,
    auc_test,
    bootstrap_test,
    placements,
    sign_flip_p,
)
from skinbench.score.proportions import GIVEN_TRUTH, hits

Numbers = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

RANKED = "auroc"
"""The metric that Obuchowski's test is of."""


@dataclass(frozen=True, kw_only=True)
class HitSums:
    """Hits of a share that the truth selects, by group."""

    sums: Floats
    """[G] weighted hits, summed over seeds."""
    seeds: int
    single: bool
    """No group has more than one of the selected images."""


@dataclass(frozen=True, kw_only=True)
class MetricEvidence:
    """One metric of one row."""

    values: Floats
    """[R + 1] under each resample, means over seeds; the data first."""
    groups: int
    """Lesion groups that the metric conditions on."""
    hits: HitSums | None = None
    placements: Placements | None = None


@dataclass(frozen=True, kw_only=True)
class RowEvidence:
    """One row on one test set."""

    row: str
    images: str
    """Digest of image ids, folds, labels, groups and weights: rows with the same one are paired."""
    metrics: Mapping[Request, MetricEvidence]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is gathered of every row that is scored.

    Args:
        metrics: `name` or `name:class`; those that a row's classes lack are left out of it.
    """

    metrics: tuple[str, ...]
    rows: dict[tuple[str, Key], RowEvidence] = field(default_factory=dict)
    """By row name and (dataset, condition)."""

    def of_row(
        self,
        row: Row,
        seeds: Sequence[ScoredImages],
        values: Sequence[Values],
        universe: Numbers,
    ) -> RowEvidence | None:
        """One row: its seeds and their replicate values; None where their images differ."""
        if not seeds or any(not _same(seeds[0], other) for other in seeds[1:]):
            return None
        asked = [item for name in self.metrics if (item := known_request(name, row)) is not None]
        found = {
            item: _metric(item, seeds, [part[item] for part in values], universe)
            for item in asked
            if all(item in part for part in values)
        }
        return RowEvidence(row=row.name, images=_digest(seeds[0]), metrics=found)


def known_request(name: str, row: Row) -> Request | None:
    """A metric as `name` or `name:class` for the classes of a row; None where it has no such."""
    metric, _, class_ = name.partition(":")
    try:
        return request(metric, class_ or None, row.classes)
    except UsageError:
        return None


def _metric(
    asked: Request, seeds: Sequence[ScoredImages], values: Sequence[Floats], universe: Numbers
) -> MetricEvidence:
    metric, class_index = asked
    entry = registry.metrics.get(metric)
    return MetricEvidence(
        values=np.mean(values, axis=0),
        groups=min(images.count_given(entry.conditions_on, class_index) for images in seeds),
        hits=hit_sums(asked, seeds, universe) if metric in GIVEN_TRUTH else None,
        placements=placements(seeds, class_index, universe)
        if metric == RANKED and class_index is not None
        else None,
    )


def hit_sums(asked: Request, seeds: Sequence[ScoredImages], universe: Numbers) -> HitSums:
    """Hits by group of a metric in GIVEN_TRUTH."""
    total, most = np.zeros(len(universe)), 0
    for images in seeds:
        share = hits(asked[0], images, asked[1])
        assert share is not None  # GIVEN_TRUTH metrics are shares
        chosen = share.selected
        codes = images.places(universe)[chosen]
        weights = images.scored_weights()[chosen]
        weights = weights / weights.min() if len(weights) else weights
        total += np.bincount(codes, weights * share.hit[chosen], minlength=len(universe))
        most = max(most, int(np.bincount(codes, minlength=1).max()))
    return HitSums(sums=total, seeds=len(seeds), single=most <= 1)


def difference_test(left: MetricEvidence, right: MetricEvidence) -> TestResult:
    """The test that fits the metric; both rows on the same images, labels and groups."""
    if left.hits is not None and right.hits is not None:
        joint = math.lcm(left.hits.seeds, right.hits.seeds)
        sums = left.hits.sums * (joint // left.hits.seeds)
        sums = sums - right.hits.sums * (joint // right.hits.seeds)
        name = MCNEMAR if left.hits.single and joint == 1 else SIGN_FLIPS
        return TestResult(name=name, p=sign_flip_p(sums))
    if left.placements is not None and right.placements is not None:
        return auc_test(left.placements, right.placements)
    return bootstrap_test(left.values - right.values)


def _same(first: ScoredImages, other: ScoredImages) -> bool:
    names = ("image_ids", "labels", "groups", "folds", "weights")
    return all(np.array_equal(getattr(first, name), getattr(other, name)) for name in names)


def _digest(images: ScoredImages) -> str:
    made = hashlib.sha256()
    for ids in (images.image_ids, images.groups):
        made.update("\n".join(ids.tolist()).encode() + b"\0")
    for numbers in (images.labels, images.folds, images.weights):
        made.update(np.ascontiguousarray(numbers).tobytes())
    return made.hexdigest()


def gathered(
    asked: Request,
    sides: tuple[Sequence[ScoredImages], Sequence[ScoredImages]],
    values: tuple[Floats, Floats],
) -> tuple[MetricEvidence, MetricEvidence]:
    """Evidence of two rows on the same images from their images and replicate values.

    Args:
        asked: the metric.
        sides: each row's seeds.
        values: each row's [S, R + 1].
    """
    universe = sides[0][0].group_codes[0]
    found = [
        _metric(asked, side, list(stacked), universe)
        for side, stacked in zip(sides, values, strict=True)
    ]
    return found[0], found[1]
