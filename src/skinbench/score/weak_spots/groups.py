"""Scores within subgroups, the gap of each to the other images, and the worst of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from scipy import sparse

from skinbench import registry
from skinbench.errors import counted
from skinbench.records import GroupScore, WorstGroup
from skinbench.score.evaluate import Request, replicate_values, request
from skinbench.score.images import ScoredImages
from skinbench.score.replicates import draws, windows
from skinbench.score.weak_spots.estimates import (
    Settings,
    Side,
    coded,
    gap,
    metric_sums,
    own_interval,
)

BY_CLASS = "dx_type"
"""How a diagnosis was made: compared within each class, for classes differ in it by design."""
_DECISIONS = ("accuracy", "balanced_accuracy", "precision", "recall", "specificity")
"""Metrics that the counts of a confusion matrix give."""

Numbers = npt.NDArray[Any]
Values = Mapping[str, str | None]
"""Image id to subgroup."""


@dataclass(frozen=True, kw_only=True)
class _Counts:
    """What a metric of decisions reads of a ReplicateSet."""

    confusion: Numbers
    """[R, C, C]."""


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
    scores: list[GroupScore] = []
    worst: list[WorstGroup] = []
    seeds = [coded(images) for images in seeds]
    for name, values in slices.items():
        groups = [_column(images, values) for images in seeds]
        names = sorted({item for item in groups[0] if item is not None})
        asked = _asked(name, seeds[0], groups[0], settings, focus)
        if len(names) < 2 or not asked:
            continue
        parts, rests = _resampled(seeds, groups, names, asked, settings)
        for item in asked:
            found = [
                _Judged(where=(*place, name), group=group, asked=item, part=parts[i], rest=rests[i])
                for i, group in enumerate(names)
                if parts[i].images[0].count(_conditioned(parts[i].images[0], item))
            ]
            lines = [one.score(settings) for one in found]
            scores.extend(lines)
            worst.append(_worst(found, lines, settings))
    return scores, worst


def _column(images: ScoredImages, values: Values) -> Numbers:
    return np.array([values.get(str(image)) for image in images.image_ids], dtype=object)


def _asked(
    name: str, images: ScoredImages, groups: Numbers, settings: Settings, focus: str | None
) -> list[Request]:
    if name == BY_CLASS:
        return [
            ("recall", index)
            for index in range(len(images.classes))
            if len({item for item in groups[images.labels == index] if item is not None}) > 1
        ]
    found = []
    for metric in settings.metrics:
        title, _, class_ = metric.partition(":")
        if not class_ or class_ in images.classes:
            found.append(request(title, class_ or None, images.classes))
    if settings.metrics:
        return found
    if focus is None:
        return [request("balanced_accuracy", None, images.classes)]
    return [request(metric, focus, images.classes) for metric in ("recall", "specificity")]


def _conditioned(images: ScoredImages, asked: Request) -> npt.NDArray[np.bool_]:
    return images.conditioned(registry.metrics.get(asked[0]).conditions_on, asked[1])


def _resampled(
    seeds: Sequence[ScoredImages],
    groups: Sequence[Numbers],
    names: Sequence[str],
    asked: Sequence[Request],
    settings: Settings,
) -> tuple[list[_Part], list[_Part]]:
    """Every subgroup, and what is not in it, with the mean over seeds of each metric."""
    sums: list[list[dict[Request, Numbers]]] = [[], []]
    for images, column in zip(seeds, groups, strict=True):
        for side, found in zip(
            sums, _one_seed(images, column, names, asked, settings), strict=True
        ):
            side.append(found)
    made: list[list[_Part]] = []
    for side, inside in zip(sums, (True, False), strict=True):
        parts = []
        for index, name in enumerate(names):
            masks = [_mask(column, name, inside=inside) for column in groups]
            parts.append(
                _Part(
                    images=[i.subset(mask) for i, mask in zip(seeds, masks, strict=True)],
                    values={
                        item: np.mean([found[item][index] for found in side], axis=0)
                        for item in asked
                    },
                )
            )
        made.append(parts)
    return made[0], made[1]


def _mask(column: Numbers, name: str, *, inside: bool) -> npt.NDArray[np.bool_]:
    same = np.array([item == name for item in column], dtype=bool)
    if inside:
        return same
    known = np.array([item is not None for item in column], dtype=bool)
    return np.asarray(known & ~same)


def _one_seed(
    images: ScoredImages,
    column: Numbers,
    names: Sequence[str],
    asked: Sequence[Request],
    settings: Settings,
) -> tuple[dict[Request, Numbers], dict[Request, Numbers]]:
    """By metric: [groups, replicates + 1] of each subgroup, and of what is not in it."""
    inside = {item: np.full((len(names), settings.replicates + 1), np.nan) for item in asked}
    outside = {item: values.copy() for item, values in inside.items()}
    simple = [item for item in asked if item[0] in _DECISIONS]
    if simple:
        _from_counts(images, column, names, simple, settings, (inside, outside))
    universe = np.unique(images.groups)
    for item in asked:
        if item in simple:
            continue
        for index, name in enumerate(names):
            for target, within in ((inside, True), (outside, False)):
                part = images.subset(_mask(column, name, inside=within))
                target[item][index] = replicate_values(
                    part,
                    [item],
                    replicates=settings.replicates,
                    seed=settings.seed,
                    universe=universe,
                )[item]
    return inside, outside


def _from_counts(
    images: ScoredImages,
    column: Numbers,
    names: Sequence[str],
    asked: Sequence[Request],
    settings: Settings,
    into: tuple[dict[Request, Numbers], dict[Request, Numbers]],
) -> None:
    """Metrics of decisions, all subgroups in one product of counts with draws."""
    size = len(images.classes)
    place = {name: index for index, name in enumerate(names)}
    known = np.array([item is not None for item in column], dtype=bool)
    codes = np.array([place[item] for item in column[known]], dtype=np.int64)
    cells = (codes * size + images.labels[known]) * size + images.decisions[known]
    universe, lesions = np.unique(images.groups, return_inverse=True)
    shape = (len(names) * size * size, len(universe))
    matrix = sparse.csr_array((images.weights[known], (cells, lesions[known])), shape=shape)
    for window in windows(len(images), settings.replicates):
        drawn = draws(len(universe), window.start, window.stop, settings.seed)
        counts = np.asarray(matrix @ drawn).T.reshape(len(window), len(names), size, size)
        whole = counts.sum(axis=1)
        for index in range(len(names)):
            own = counts[:, index]
            for target, confusion in ((into[0], own), (into[1], whole - own)):
                for metric, class_index in asked:
                    found = registry.metrics.get(metric).compute(
                        _Counts(confusion=confusion), class_index
                    )
                    target[metric, class_index][index][window.start : window.stop] = found


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
        counts = [images.count_groups(_conditioned(images, self.asked)) for images in part.images]
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


def slice_notes(slices: Mapping[str, Mapping[str, str]], asked: Sequence[str]) -> Iterator[str]:
    """Which of the slices asked for no image has a value for."""
    for name in asked:
        if not slices.get(name):
            yield f"{_TITLES.get(name, name)}: no dataset of this run says it of any image"


_TITLES = {
    "fitzpatrick": "Fitzpatrick skin type",
    "source": "acquisition source",
    "lesion_size": "lesion size (share of the frame inside a lesion mask)",
    "dx_type": "how the diagnosis was made (dx_type)",
}
