"""What altered test images cost: each condition beside the same images without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.errors import counted
from skinbench.records import ConditionDrop, ConditionFlips
from skinbench.score.evaluate import Request, replicate_values, request
from skinbench.score.images import Key, ScoredImages
from skinbench.score.intervals import FEWEST_GROUPS, interval
from skinbench.score.weak_spots.estimates import (
    Settings,
    Side,
    coded,
    metric_sums,
    own_interval,
    same_images,
    share,
)

BySeed = Mapping[int, ScoredImages]
Floats = npt.NDArray[np.float64]


def under_conditions(
    row: str, sets: Mapping[Key, BySeed], settings: Settings, focus: str | None
) -> tuple[list[ConditionDrop], list[ConditionFlips]]:
    """Every condition of a row against none: metrics, and images decided otherwise.

    The same images and the same resamples on both sides, so each change is paired.

    Args:
        row: the row's name.
        sets: images by seed for each dataset and condition, `none` among them.
        settings: replicates and level.
        focus: class of recall and specificity; None: balanced accuracy alone.
    """
    drops: list[ConditionDrop] = []
    flips: list[ConditionFlips] = []
    for dataset in dict.fromkeys(key[0] for key in sets):
        plain = sets.get((dataset, "none"), {})
        altered = {key[1]: seeds for key, seeds in sets.items() if key[0] == dataset}
        altered.pop("none", None)
        if not plain or not altered:
            continue
        plain = {seed: coded(images) for seed, images in plain.items()}
        asked = _asked(plain, focus)
        before = _values(plain, asked, settings)
        for condition, found in altered.items():
            place = (row, dataset, condition)
            seeds = {seed: coded(images) for seed, images in found.items()}
            alike = set(seeds) == set(plain) and all(
                same_images(plain[seed], seeds[seed]) for seed in seeds
            )
            after = _values(seeds, asked, settings)
            for item in asked:
                pair = (before[item], after[item])
                drops.append(_drop(place, item, pair, seeds, alike=alike, settings=settings))
            if alike:
                flips.append(_flips(place, plain, seeds, settings))
    return drops, flips


def _asked(plain: BySeed, focus: str | None) -> list[Request]:
    classes = plain[min(plain)].classes
    found = [request("balanced_accuracy", None, classes)]
    if focus is not None:
        found += [request(metric, focus, classes) for metric in ("recall", "specificity")]
    return found


def _values(seeds: BySeed, asked: Sequence[Request], settings: Settings) -> dict[Request, Floats]:
    each = [
        replicate_values(seeds[seed], asked, replicates=settings.replicates, seed=settings.seed)
        for seed in sorted(seeds)
    ]
    return {item: np.mean([values[item] for values in each], axis=0) for item in asked}


def _drop(
    place: tuple[str, str, str],
    asked: Request,
    pair: tuple[Floats, Floats],
    seeds: BySeed,
    *,
    alike: bool,
    settings: Settings,
) -> ConditionDrop:
    first, (before, after) = seeds[min(seeds)], pair
    mask = first.conditioned(registry.metrics.get(asked[0]).conditions_on, asked[1])
    fields: dict[str, Any] = {
        "row": place[0],
        "dataset": place[1],
        "condition": place[2],
        "metric": asked[0],
        "class_": None if asked[1] is None else first.classes[asked[1]],
        "n": first.count(mask),
        "n_groups": first.count_groups(mask),
    }
    if np.isnan(after[0]):
        return ConditionDrop(**fields, value=None, reason="undefined here")
    side = Side(
        values=after,
        n_groups=fields["n_groups"],
        sums=lambda: metric_sums(asked, [seeds[seed] for seed in sorted(seeds)]),
    )
    own = own_interval(side, settings.level)
    fields |= {"value": float(after[0]), "low": own.low, "high": own.high}
    if not alike:
        return ConditionDrop(**fields, reason="without a condition, other images were predicted")
    low, high, reason = _paired(after - before, fields["n_groups"], settings)
    return ConditionDrop(
        **fields,
        before=float(before[0]),
        change=float(after[0] - before[0]),
        change_low=low,
        change_high=high,
        reason=reason,
    )


def _paired(
    difference: Floats, n_groups: int, settings: Settings
) -> tuple[float | None, float | None, str]:
    """Percentile interval of a paired change; no change in any resample is a change of 0."""
    if n_groups < FEWEST_GROUPS:
        few = counted(n_groups, "lesion group")
        return None, None, f"no interval: {few}, at least {FEWEST_GROUPS} are needed"
    found = interval(difference, settings.level, n_groups=n_groups)
    return found.low, found.high, found.reason


def _flips(
    place: tuple[str, str, str], plain: BySeed, seeds: BySeed, settings: Settings
) -> ConditionFlips:
    first = plain[min(plain)]
    changed = [plain[seed].decisions != seeds[seed].decisions for seed in sorted(seeds)]
    estimate = share(first.groups, changed, settings)
    return ConditionFlips(
        row=place[0],
        dataset=place[1],
        condition=place[2],
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        n=first.count(),
        n_groups=estimate.n_groups,
        reason=estimate.reason,
    )
