"""Every metric of one set of images under every replicate, in windows that fit in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.errors import UnknownNameError, UsageError
from skinbench.records import MetricEntry
from skinbench.score.draws import left_out_windows, windows
from skinbench.score.images import ScoredImages
from skinbench.score.replicates import ReplicateSet

Request = tuple[str, int | None]
"""(metric name, class index; None for a metric over all classes)."""
Values = dict[Request, npt.NDArray[np.float64]]


def requests(classes: Sequence[str], names: Sequence[str] | None = None) -> list[Request]:
    """Every metric (all of the registry by default) with every class that it is taken for."""
    found: list[Request] = []
    for name in registry.metrics.names() if names is None else names:
        entry = registry.metrics.get(name)
        if entry.per_class:
            about = [i for i, code in enumerate(classes) if not entry.only or code in entry.only]
            found.extend((name, index) for index in about)
        else:
            found.append((name, None))
    return found


def request(metric: str, class_: str | None, classes: Sequence[str]) -> Request:
    """One metric and class by name.

    Raises:
        UnknownNameError: no such metric, or a class that the label space does not have.
        UsageError: a per-class metric without a class, or a class for one over all classes.
    """
    entry = registry.metrics.get(metric)
    if not entry.per_class:
        if class_ is not None:
            raise UsageError(f"metric '{metric}' is over all classes; leave out class '{class_}'")
        return metric, None
    if entry.only and class_ not in entry.only:
        about = [code for code in classes if code in entry.only]
        if class_ is None and len(about) == 1:
            return metric, list(classes).index(about[0])
        raise UsageError(
            f"metric '{metric}' is about {', '.join(sorted(entry.only))}, of which these classes "
            f"have {', '.join(about) or 'none'}"
        )
    if class_ is None:
        raise UsageError(f"metric '{metric}' is per class; name one of {', '.join(classes)}")
    if class_ not in classes:
        raise UnknownNameError(f"unknown class '{class_}'; {registry.suggest(class_, classes)}")
    return metric, list(classes).index(class_)


def replicate_values(
    images: ScoredImages,
    asked: Sequence[Request],
    *,
    replicates: int,
    seed: int,
    universe: npt.NDArray[Any] | None = None,
) -> Values:
    """Values [replicates + 1] of each metric asked for, the data itself first.

    Metrics of decisions pool the folds; ranking metrics are taken within each fold and averaged,
    undefined where any fold is. A metric that gets fewer resamples has as many values fewer.

    Args:
        images: the set of images.
        asked: metrics and classes.
        replicates: bootstrap resamples.
        seed: of the resamples.
        universe: sorted group ids to draw from; None for those of `images`.
    """
    known = images.group_codes[0] if universe is None else universe
    counts = {item: _most(item[0], replicates) + 1 for item in asked}

    def made(part: ScoredImages) -> ReplicateSet:
        return _replicate_set(part, replicates, seed, known)

    return _computed(images, made, windows(len(images), replicates), counts)


def left_out_values(
    images: ScoredImages,
    asked: Sequence[Request],
    *,
    universe: npt.NDArray[Any] | None = None,
) -> Values:
    """Values [G] of each metric without one lesion group at a time, in the order of `universe`.

    Metrics that do not get every resample have none.
    """
    known = images.group_codes[0] if universe is None else universe
    usual = [item for item in asked if registry.metrics.get(item[0]).most_replicates is None]
    counts = dict.fromkeys(usual, len(known))

    def made(part: ScoredImages) -> ReplicateSet:
        return _replicate_set(part, 0, 0, known, leave_out=True)

    return _computed(images, made, left_out_windows(len(images), len(known)), counts)


def _computed(
    images: ScoredImages,
    made: Callable[[ScoredImages], ReplicateSet],
    parts: Sequence[range],
    counts: Mapping[Request, int],
) -> Values:
    """The first replicates, as many as asked of each metric, window by window."""
    values = {item: np.full(size, np.nan) for item, size in counts.items()}
    if not len(images):
        return values
    pooled, folds = made(images), []
    if len(np.unique(images.folds)) > 1:
        folds = [made(images.subset(images.folds == fold)) for fold in np.unique(images.folds)]
    for part in parts:
        sets: dict[int, list[ReplicateSet]] = {}
        for item, size in counts.items():
            stop = min(part.stop, size)
            if stop <= part.start:
                continue
            if stop not in sets:
                sets[stop] = [each.window(range(part.start, stop)) for each in (pooled, *folds)]
            entry = registry.metrics.get(item[0])
            whole, *each = sets[stop]
            used = each if entry.folds == "averaged" and each else [whole]
            found = [_defined(entry, one, item[1]) for one in used]
            values[item][part.start : stop] = np.mean(found, axis=0)
    return values


def _defined(
    entry: MetricEntry, item: ReplicateSet, class_index: int | None
) -> npt.NDArray[np.float64]:
    """Values of one metric.

    What is conditional on the true class is resampled within each class, which loses none. Any
    other mean over classes is NaN in a resample that loses one: the mean over those that are
    left would be another quantity than the table's. On balanced classes every metric over all
    images is conditional on the class.
    """
    if entry.given_class or (item.balanced and entry.conditions_on == "all"):
        return entry.compute(item.within_classes, class_index)
    found = entry.compute(item, class_index)
    return np.where(item.lost_class, np.nan, found) if entry.over_classes else found


def _most(metric: str, replicates: int) -> int:
    """Resamples that a metric gets."""
    most = registry.metrics.get(metric).most_replicates
    return replicates if most is None else min(most, replicates)


def _replicate_set(
    images: ScoredImages,
    replicates: int,
    seed: int,
    universe: npt.NDArray[Any],
    *,
    leave_out: bool = False,
) -> ReplicateSet:
    return ReplicateSet(
        images.labels,
        images.probabilities,
        images.groups,
        replicates=replicates,
        seed=seed,
        decisions=images.decisions,
        weights=images.weights,
        balanced=images.balanced,
        universe=universe,
        classes=images.classes,
        leave_out=leave_out,
    )
