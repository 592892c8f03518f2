"""Metrics of every subgroup, and of what is not in it, under every resample at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from skinbench import registry
from skinbench.score.draws import draws, windows
from skinbench.score.evaluate import Request, replicate_values
from skinbench.score.images import ScoredImages
from skinbench.score.weak_spots.estimates import Settings

_DECISIONS = ("accuracy", "balanced_accuracy", "precision", "recall", "specificity")
"""Metrics that the counts of a confusion matrix give."""

Numbers = npt.NDArray[Any]
Values = dict[Request, npt.NDArray[np.float64]]
"""By metric: [subgroups, replicates + 1], the data first."""


@dataclass(frozen=True, kw_only=True)
class Slice:
    """How a test set falls into subgroups."""

    name: str
    groups: tuple[str, ...]
    """Names of the subgroups, sorted."""
    codes: npt.NDArray[np.int64]
    """[N] place in `groups`; -1 for images whose subgroup is not known."""
    asked: tuple[Request, ...]

    def mask(self, index: int, *, inside: bool) -> npt.NDArray[np.bool_]:
        """The images of a subgroup [N], or those of all other known ones."""
        same = self.codes == index
        return np.asarray(same if inside else ~same & (self.codes >= 0))


@dataclass(frozen=True, kw_only=True)
class _Counts:
    """What a metric of decisions reads of a ReplicateSet."""

    confusion: Numbers
    """[R, C, C]."""


def sliced(name: str, images: ScoredImages, values: Mapping[str, str | None]) -> Slice:
    """A test set in subgroups, with nothing asked yet."""
    column = [values.get(str(image)) for image in images.image_ids]
    groups = tuple(sorted({item for item in column if item is not None}))
    place: dict[str | None, int] = {group: index for index, group in enumerate(groups)}
    codes = np.array([place.get(item, -1) for item in column], dtype=np.int64)
    return Slice(name=name, groups=groups, codes=codes, asked=())


def subgroup_values(
    images: ScoredImages, slices: Sequence[Slice], settings: Settings
) -> list[tuple[Values, Values]]:
    """For each slice the metrics inside each subgroup, and outside it.

    Metrics of decisions come from one product of counts with the draws of lesion groups, so that
    these are made once for all slices; others from the images of each subgroup, which share the
    draws of the whole.
    """
    found = []
    for item in slices:
        empty = np.full((len(item.groups), settings.replicates + 1), np.nan)
        found.append(
            ({one: empty.copy() for one in item.asked}, {one: empty.copy() for one in item.asked})
        )
    _from_counts(images, slices, settings, found)
    universe = np.unique(images.groups)
    for item, sides in zip(slices, found, strict=True):
        for one in item.asked:
            if one[0] in _DECISIONS:
                continue
            for index in range(len(item.groups)):
                for values, inside in zip(sides, (True, False), strict=True):
                    values[one][index] = replicate_values(
                        images.subset(item.mask(index, inside=inside)),
                        [one],
                        replicates=settings.replicates,
                        seed=settings.seed,
                        universe=universe,
                    )[one]
    return found


def _from_counts(
    images: ScoredImages,
    slices: Sequence[Slice],
    settings: Settings,
    into: Sequence[tuple[Values, Values]],
) -> None:
    universe, lesions = np.unique(images.groups, return_inverse=True)
    matrix = _matrix(images, slices, lesions, len(universe))
    size = len(images.classes)
    for window in windows(len(images), settings.replicates):
        drawn = draws(len(universe), window.start, window.stop, settings.seed)
        counts = np.asarray(matrix @ drawn).T.reshape(len(window), -1, size, size)
        start = 0
        for item, sides in zip(slices, into, strict=True):
            own = counts[:, start : start + len(item.groups)]
            start += len(item.groups)
            for index, values, one, found in _computed(own, item, sides):
                values[one][index][window.start : window.stop] = found


def _matrix(
    images: ScoredImages, slices: Sequence[Slice], lesions: Numbers, n_lesions: int
) -> sparse.csr_array:
    """What each lesion adds to each subgroup's confusion matrix [subgroups C C, lesions]."""
    size, start = len(images.classes), 0
    cells, columns, weights = [], [], []
    for item in slices:
        known = item.codes >= 0
        codes = item.codes[known] + start
        start += len(item.groups)
        cells.append((codes * size + images.labels[known]) * size + images.decisions[known])
        columns.append(lesions[known])
        weights.append(images.weights[known])
    shape = (start * size * size, n_lesions)
    joined = (np.concatenate(weights), (np.concatenate(cells), np.concatenate(columns)))
    return sparse.csr_array(joined, shape=shape)


def _computed(
    counts: Numbers, item: Slice, sides: tuple[Values, Values]
) -> Iterator[tuple[int, Values, Request, Numbers]]:
    whole = counts.sum(axis=1)
    for index in range(len(item.groups)):
        own = counts[:, index]
        for values, confusion in zip(sides, (own, whole - own), strict=True):
            for one in item.asked:
                if one[0] in _DECISIONS:
                    compute = registry.metrics.get(one[0]).compute
                    yield index, values, one, compute(_Counts(confusion=confusion), one[1])
