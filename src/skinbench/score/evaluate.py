"""Every metric of one set of images under every replicate, in windows that fit in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.errors import UnknownNameError, UsageError
from skinbench.score.images import ScoredImages
from skinbench.score.replicates import ReplicateSet, windows

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
    known = np.unique(images.groups) if universe is None else universe
    counts = {item: _most(item[0], replicates) for item in asked}
    values = {item: np.full(counts[item] + 1, np.nan) for item in asked}
    if not len(images):
        return values
    pooled = _replicate_set(images, replicates, seed, known)
    folds = [pooled]
    if len(np.unique(images.folds)) > 1:
        folds = [
            _replicate_set(images.subset(images.folds == fold), replicates, seed, known)
            for fold in np.unique(images.folds)
        ]
    for part in windows(len(images), replicates):
        whole = pooled.window(part)
        each = [whole] if len(folds) == 1 else [fold.window(part) for fold in folds]
        fewer: dict[int, list[ReplicateSet]] = {}
        for name, class_index in asked:
            entry = registry.metrics.get(name)
            stop = min(part.stop, counts[name, class_index] + 1)
            if stop <= part.start:
                continue
            used = each if entry.folds == "averaged" else [whole]
            if stop < part.stop:
                if stop not in fewer:
                    short = range(part.start, stop)
                    fewer[stop] = [item.window(short) for item in (pooled, *folds)]
                used = fewer[stop][1:] if entry.folds == "averaged" else fewer[stop][:1]
            found = np.mean([entry.compute(item, class_index) for item in used], axis=0)
            values[name, class_index][part.start : stop] = found
    return values


def _most(metric: str, replicates: int) -> int:
    """Resamples that a metric gets."""
    most = registry.metrics.get(metric).most_replicates
    return replicates if most is None else min(most, replicates)


def _replicate_set(
    images: ScoredImages, replicates: int, seed: int, universe: npt.NDArray[Any]
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
    )
