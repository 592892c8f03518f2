"""Scores within subgroups, the gap of each to the other images, and the worst of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.errors import counted
from skinbench.records import GroupScore, WorstGroup
from skinbench.score.evaluate import Request, request
from skinbench.score.images import ScoredImages
from skinbench.score.weak_spots.estimates import (
    Settings,
    Side,
    coded,
    gap,
    metric_sums,
    own_interval,
)
from skinbench.score.weak_spots.subgroups import Slice, sliced, subgroup_values

BY_CLASS = "dx_type"
"""How a diagnosis was made: compared within each class, for classes differ in it by design."""

Values = Mapping[str, str | None]
"""Image id to subgroup."""


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One subgroup, or all others: its images by seed, and values by metric."""

    images: Sequence[ScoredImages]
    values: Mapping[Request, npt.NDArray[np.float64]]


def group_scores(
    place: tuple[str, str],
    seeds: Sequence[ScoredImages],
    slices: Mapping[str, Values],
    settings: Settings,
    focus: str | None,
) -> tuple[list[GroupScore], list[WorstGroup]]:
    """Score every subgroup of every slice, each beside the other images of known subgroup.

    All subgroups of a slice, and all seeds, share the resamples of the whole test set's lesion
    groups, so a gap is resampled as one number. `dx_type` is taken within each class that has
    several: recall of the class by how its diagnosis was made.

    Args:
        place: (row, dataset).
        seeds: the same images decided by each seed.
        slices: name to image id to subgroup.
        settings: metrics, floor, replicates and level.
        focus: class of the default metrics; None takes balanced accuracy.
    """
    seeds = [coded(images) for images in seeds]
    chosen = []
    for name, values in slices.items():
        item = sliced(name, seeds[0], values)
        asked = _asked(item, seeds[0], settings, focus)
        if len(item.groups) > 1 and asked:
            chosen.append(replace(item, asked=asked))
    if not chosen:
        return [], []
    by_seed = [subgroup_values(images, chosen, settings) for images in seeds]
    scores: list[GroupScore] = []
    worst: list[WorstGroup] = []
    for place_of, item in enumerate(chosen):
        inside, outside = (
            [_part(seeds, item, index, [found[place_of][side] for found in by_seed], side == 0)
             for index in range(len(item.groups))]
            for side in (0, 1)
        )  # fmt: skip
        for one in item.asked:
            found = [
                _Judged(where=(*place, item.name), group=group, asked=one, part=part, rest=rest)
                for group, part, rest in zip(item.groups, inside, outside, strict=True)
                if part.images[0].count(_conditioned(part.images[0], one))
            ]
            lines = [judged.score(settings) for judged in found]
            scores.extend(lines)
            if found:
                worst.append(_worst(found, lines, settings))
            else:
                worst.append(_unseen((*place, item.name), one, seeds[0].classes))
    return scores, worst


def _part(
    seeds: Sequence[ScoredImages],
    item: Slice,
    index: int,
    values: Sequence[Mapping[Request, npt.NDArray[np.float64]]],
    inside: bool,
) -> _Part:
    """A subgroup, or what is not in it, with the mean over seeds of each metric."""
    mask = item.mask(index, inside=inside)
    return _Part(
        images=[images.subset(mask) for images in seeds],
        values={
            one: np.mean([found[one][index] for found in values], axis=0) for one in item.asked
        },
    )


def _asked(
    item: Slice, images: ScoredImages, settings: Settings, focus: str | None
) -> tuple[Request, ...]:
    if item.name == BY_CLASS:
        return tuple(
            ("recall", index)
            for index in range(len(images.classes))
            if len(set(item.codes[(images.labels == index) & (item.codes >= 0)].tolist())) > 1
        )
    found: list[Request] = []
    for metric in settings.metrics:
        title, _, class_ = metric.partition(":")
        if not class_ or class_ in images.classes:
            found.append(request(title, class_ or None, images.classes))
    if settings.metrics:
        return tuple(found)
    if focus is None:
        return (request("balanced_accuracy", None, images.classes),)
    return tuple(request(metric, focus, images.classes) for metric in ("recall", "specificity"))


def _conditioned(images: ScoredImages, asked: Request) -> npt.NDArray[np.bool_]:
    return images.conditioned(registry.metrics.get(asked[0]).conditions_on, asked[1])


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """One metric of one subgroup with all that its intervals need."""

    where: tuple[str, str, str]
    group: str
    asked: Request
    part: _Part
    rest: _Part

    @property
    def class_(self) -> str | None:
        index = self.asked[1]
        return None if index is None else self.part.images[0].classes[index]

    def side(self, part: _Part) -> Side:
        on = registry.metrics.get(self.asked[0]).conditions_on
        counts = [images.count_given(on, self.asked[1]) for images in part.images]
        return Side(
            values=part.values[self.asked],
            n_groups=min(counts, default=0),
            sums=lambda: metric_sums(self.asked, part.images),
        )

    def score(self, settings: Settings, level: float | None = None) -> GroupScore:
        """The subgroup's score and gap; at another level than the settings' where given."""
        coverage = settings.level if level is None else level
        own, rest = self.side(self.part), self.side(self.rest)
        first = self.part.images[0]
        fields: dict[str, Any] = {
            "row": self.where[0],
            "dataset": self.where[1],
            "slice": self.where[2],
            "group": self.group,
            "metric": self.asked[0],
            "class_": self.class_,
            "n": first.count(_conditioned(first, self.asked)),
            "n_groups": own.n_groups,
        }
        if own.n_groups < settings.floor:
            few = counted(own.n_groups, "lesion group")
            return GroupScore(
                **fields, value=None, reason=f"{few}, fewer than the floor of {settings.floor}"
            )
        if np.isnan(own.values[0]):
            reason = registry.metrics.get(self.asked[0]).undefined or "undefined here"
            return GroupScore(**fields, value=None, reason=reason)
        bounds = own_interval(own, coverage)
        scored = GroupScore(
            **fields,
            value=float(own.values[0]),
            low=bounds.low,
            high=bounds.high,
            reason=bounds.reason,
        )
        return self._with_gap(scored, (own, rest), coverage, settings)

    def _with_gap(
        self, scored: GroupScore, sides: tuple[Side, Side], level: float, settings: Settings
    ) -> GroupScore:
        own, rest = sides
        fields = {name: getattr(scored, name) for name in scored.__dataclass_fields__}
        reason = self._no_gap(rest, settings)
        if reason:
            return GroupScore(**{**fields, "gap_reason": reason})
        bounds = gap(own, rest, level)
        made = {
            "gap": float(own.values[0] - rest.values[0]),
            "gap_low": bounds.low,
            "gap_high": bounds.high,
            "gap_reason": bounds.reason,
        }
        return GroupScore(**{**fields, **made})

    def _no_gap(self, rest: Side, settings: Settings) -> str:
        if rest.n_groups < settings.floor:
            few = counted(rest.n_groups, "lesion group")
            return f"the other images have {few}, fewer than the floor of {settings.floor}"
        if np.isnan(rest.values[0]):
            return "undefined for the other images"
        if self.asked[1] is None:
            present = [set(p.images[0].labels.tolist()) for p in (self.part, self.rest)]
            if present[0] != present[1]:
                codes = self.part.images[0].classes
                lacking = ", ".join(codes[index] for index in sorted(present[0] ^ present[1]))
                return f"only one side has {lacking}: means over other classes"
        return ""


def _worst(found: Sequence[_Judged], lines: Sequence[GroupScore], settings: Settings) -> WorstGroup:
    """The lowest value (the highest where lower is better), ties by name."""
    metric = lines[0].metric
    sign = 1.0 if registry.metrics.get(metric).higher_is_better else -1.0
    usable = [i for i, line in enumerate(lines) if line.value is not None]
    fields: dict[str, Any] = {
        "row": lines[0].row,
        "dataset": lines[0].dataset,
        "slice": lines[0].slice,
        "metric": metric,
        "class_": lines[0].class_,
        "compared": len(usable),
        "below_floor": len(lines) - len(usable),
    }
    if len(usable) < 2:
        said = counted(len(usable), "subgroup")
        return WorstGroup(**fields, group=None, reason=f"{said} with a value")
    index = min(usable, key=lambda i: (sign * cast("float", lines[i].value), lines[i].group))
    wide = found[index].score(settings, 1 - (1 - settings.level) / len(usable))
    return WorstGroup(
        **fields,
        group=wide.group,
        value=wide.value,
        low=wide.low,
        high=wide.high,
        gap=wide.gap,
        gap_low=wide.gap_low,
        gap_high=wide.gap_high,
        n=wide.n,
        n_groups=wide.n_groups,
        reason="; ".join(filter(None, (wide.reason, wide.gap_reason))),
    )


def _unseen(where: tuple[str, str, str], asked: Request, classes: Sequence[str]) -> WorstGroup:
    """No subgroup has an image that the metric is a mean over."""
    metric, index = asked
    return WorstGroup(
        row=where[0],
        dataset=where[1],
        slice=where[2],
        metric=metric,
        class_=None if index is None else classes[index],
        group=None,
        compared=0,
        below_floor=0,
        reason=registry.metrics.get(metric).undefined or "undefined here",
    )


def slice_notes(
    slices: Mapping[str, Mapping[str, str]],
    asked: Sequence[str],
    lacking: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """Which of the slices asked for no image, or no image of a dataset, has a value for."""
    for name in asked:
        title = _TITLES.get(name, name)
        if not slices.get(name):
            yield f"{title}: no dataset of this run says it of any image"
        elif lacking.get(name):
            yield f"{title}: not said of any image of {', '.join(lacking[name])}"


_TITLES = {
    "fitzpatrick": "Fitzpatrick skin type",
    "source": "acquisition source",
    "lesion_size": "lesion size (share of the frame inside a lesion mask)",
    "dx_type": "how the diagnosis was made (dx_type)",
}
