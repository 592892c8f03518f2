"""Which networks do not beat the baselines without a network on the same images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.errors import counted
from skinbench.records import AgainstPlain, Row
from skinbench.score.evaluate import replicate_values, request
from skinbench.score.images import ScoredImages
from skinbench.score.intervals import FEWEST_GROUPS, percentile
from skinbench.score.weak_spots.estimates import Settings, coded, same_images

METRIC = "balanced_accuracy"
"""What networks and baselines are compared by: always calling the commonest class gains nothing
in it, which in plain accuracy is 0.669 on HAM10000."""


def against_plain(
    row: Row,
    plain: Sequence[Row],
    images: Mapping[str, Mapping[int, ScoredImages]],
    settings: Settings,
    known: dict[str, npt.NDArray[np.float64]],
) -> list[AgainstPlain]:
    """A row minus each baseline of its split, means over seeds, resampled together.

    A row beats the baselines where the interval of every difference lies above 0. To hold
    against all of them needs no correction: each must be beaten (an intersection-union test).

    Args:
        row: a row with a network, or derived.
        plain: baselines to compare with.
        images: row name to images by seed, all of one dataset without any condition.
        settings: replicates, level and seed.
        known: values by row, filled as rows are seen.
    """
    own = images.get(row.name, {})
    found = []
    for baseline in plain:
        other = images.get(baseline.name, {})
        if own and other:
            found.append(_one(row, baseline, (own, other), settings, known))
    return found


def _one(
    row: Row,
    baseline: Row,
    sides: tuple[Mapping[int, ScoredImages], Mapping[int, ScoredImages]],
    settings: Settings,
    known: dict[str, npt.NDArray[np.float64]],
) -> AgainstPlain:
    first = sides[0][min(sides[0])]
    groups = first.count_groups()
    fields: dict[str, Any] = {
        "row": row.name,
        "baseline": baseline.name,
        "dataset": first.dataset,
        "metric": METRIC,
        "n": first.count(),
        "n_groups": groups,
    }
    every = [images for side in sides for images in side.values()]
    if not all(same_images(first, images) for images in every):
        return AgainstPlain(
            **fields, difference=None, beats=False, reason="not judged on the same images"
        )
    for name, side in ((row.name, sides[0]), (baseline.name, sides[1])):
        if name not in known:
            known[name] = _values(side, settings)
    difference = known[row.name] - known[baseline.name]
    bounds = percentile(difference, settings.level)
    low, high, reason = bounds.low, bounds.high, bounds.reason
    if groups < FEWEST_GROUPS:
        few = counted(groups, "lesion group")
        low, high = None, None
        reason = f"no interval: {few}, at least {FEWEST_GROUPS} are needed"
    return AgainstPlain(
        **fields,
        difference=None if np.isnan(difference[0]) else float(difference[0]),
        low=low,
        high=high,
        beats=low is not None and low > 0,
        reason=reason,
    )


def _values(side: Mapping[int, ScoredImages], settings: Settings) -> npt.NDArray[np.float64]:
    each = []
    for seed in sorted(side):
        images = coded(side[seed])
        asked = request(METRIC, None, images.classes)
        values = replicate_values(
            images, [asked], replicates=settings.replicates, seed=settings.seed
        )
        each.append(values[asked])
    mean: npt.NDArray[np.float64] = np.mean(each, axis=0)
    return mean


def metric_title() -> str:
    """The metric's name for a reader."""
    return registry.metrics.get(METRIC).title or METRIC
