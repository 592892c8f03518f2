"""Differences between two rows: paired where both were judged on the same images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.errors import counted
from skinbench.records import Cell, CellOutcome, Comparison, Contrast, Row
from skinbench.records.resampling import USUAL_RESAMPLES, Resamples
from skinbench.score.evaluate import Request, replicate_values, request
from skinbench.score.evidence import difference_test, gathered
from skinbench.score.images import Key, ScoredImages
from skinbench.score.intervals import FEWEST_GROUPS, percentile
from skinbench.score.paired_tests import TestResult, bootstrap_test, holm
from skinbench.score.predictions import Predictions
from skinbench.score.row_images import RowImages, row_images

_UNPAIRED = "unpaired: other test images, whose resamples are drawn apart"


def compare_rows(
    contrasts: Sequence[Contrast],
    rows: Sequence[Row],
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
    *,
    resamples: Resamples = USUAL_RESAMPLES,
) -> tuple[Comparison, ...]:
    """Row minus reference, metric by metric, for every contrast that a suite asks for.

    Both rows on the same images, groups and labels: the resamples of lesion groups are the
    same for both, so the interval is of the paired difference. Otherwise each has resamples of
    its own and the comparison says that it is unpaired. Seeds are averaged, within each row;
    their spread is a second source of variance and stands beside the interval, not in it.
    Each difference has a test (see `paired_tests`); Holm's correction runs over the comparisons
    of one family and metric.

    Args:
        contrasts: what to compare; their metrics are `name` or `name:class`.
        rows: the rows that contrasts name, and any others.
        predictions: cell name to its checked predictions.
        cells: all cells of the rows, finished or not.
        resamples: how intervals are made.

    Raises:
        UnknownNameError: a metric or class that does not exist.
    """
    by_name = {row.name: row for row in rows}
    found: dict[str, RowImages] = {}
    for contrast in contrasts:
        for name in (contrast.row, contrast.against):
            if name not in found:
                found[name] = row_images(by_name[name], predictions, cells)
    return _corrected(
        [
            result
            for contrast in contrasts
            for result in _contrast(contrast, by_name[contrast.row], found, resamples)
        ]
    )


def _corrected(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """With Holm's p-values over each family and metric, in the order given."""
    families: dict[tuple[str, str, str | None], list[int]] = {}
    for index, item in enumerate(comparisons):
        families.setdefault((item.family, item.metric, item.class_), []).append(index)
    found = list(comparisons)
    for members in families.values():
        adjusted = holm([found[index].p for index in members])
        tested = sum(p is not None for p in adjusted)
        for index, p in zip(members, adjusted, strict=True):
            found[index] = replace(found[index], p_holm=p, compared=tested)
    return tuple(found)


def _contrast(
    contrast: Contrast, row: Row, found: Mapping[str, RowImages], resamples: Resamples
) -> Iterator[Comparison]:
    left, right = (_own(found[name]) for name in (contrast.row, contrast.against))
    problem = _problem(contrast, found, left, right)
    paired = not problem and _same_images(left, right)
    asked = [_parse(metric, row) for metric in contrast.metrics]
    sides: list[dict[Request, npt.NDArray[np.float64]]] = []
    if not problem:
        apart = resamples.seed if paired else resamples.seed + 1
        sides = [
            _values(left, asked, resamples, resamples.seed),
            _values(right, asked, resamples, apart),
        ]
    for item in asked:
        class_ = None if item[1] is None else row.classes[item[1]]
        if problem:
            yield Comparison(
                name=contrast.name,
                row=contrast.row,
                against=contrast.against,
                metric=item[0],
                class_=class_,
                difference=None,
                n=0,
                reason=problem,
                family=contrast.family,
            )
        else:
            stacked = (sides[0][item], sides[1][item])
            yield _comparison(contrast, (item, class_), (left, right), stacked, resamples)


def _comparison(
    contrast: Contrast,
    what: tuple[Request, str | None],
    images: tuple[Mapping[int, ScoredImages], Mapping[int, ScoredImages]],
    stacked: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    resamples: Resamples,
) -> Comparison:
    (metric, class_index), class_ = what
    left, right = images
    first, paired = left[min(left)], _same_images(left, right)
    difference = stacked[0].mean(axis=0) - stacked[1].mean(axis=0)
    spread = None
    if paired and len(left) > 1 and left.keys() == right.keys():
        spread = float(np.std(stacked[0][:, 0] - stacked[1][:, 0], ddof=1))
    conditions = registry.metrics.get(metric).conditions_on
    groups = min(side[min(side)].count_given(conditions, class_index) for side in images)
    value = None if np.isnan(difference[0]) else float(difference[0])
    bounds = percentile(difference, resamples.level)
    notes = ["" if paired else _UNPAIRED]
    low, high = bounds.low, bounds.high
    if value is None:
        notes.append("undefined for one of the rows")
    elif groups < FEWEST_GROUPS:
        low = high = None
        notes.append(
            f"no interval: {counted(groups, 'lesion group')}, at least {FEWEST_GROUPS} are needed"
        )
    else:
        notes.append(bounds.reason)
    tested = value is not None and groups >= FEWEST_GROUPS
    test = _test((metric, class_index), images, stacked, paired=paired) if tested else None
    return Comparison(
        name=contrast.name,
        row=contrast.row,
        against=contrast.against,
        metric=metric,
        class_=class_,
        difference=value,
        low=low if value is not None else None,
        high=high if value is not None else None,
        paired=paired,
        n=first.count(),
        n_positive=None if class_index is None else first.count(first.labels == class_index),
        n_groups=groups,
        seeds=min(len(left), len(right)),
        sd_seeds=spread,
        reason="; ".join(note for note in notes if note),
        test=test.name if test else "",
        p=test.p if test else None,
        family=contrast.family,
    )


def _test(
    asked: Request,
    images: tuple[Mapping[int, ScoredImages], Mapping[int, ScoredImages]],
    stacked: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    *,
    paired: bool,
) -> TestResult:
    """The paired test that fits the metric, or the bootstrap's where images differ."""
    if not paired:
        return bootstrap_test(stacked[0].mean(axis=0) - stacked[1].mean(axis=0), paired=False)
    left, right = ([side[seed] for seed in sorted(side)] for side in images)
    return difference_test(*gathered(asked, (left, right), stacked))


def _own(found: RowImages) -> dict[int, ScoredImages]:
    """A row's images by seed on its own test set, without any condition."""
    keys: list[Key] = sorted({key for sets in found.by_seed.values() for key in sets})
    plain = [key for key in keys if key[1] == "none"]
    if not plain:
        return {}
    # A row's further test sets stand under other splits: its own is the one all seeds have.
    return {seed: sets[plain[0]] for seed, sets in found.by_seed.items() if plain[0] in sets}


def _problem(
    contrast: Contrast,
    found: Mapping[str, RowImages],
    left: Mapping[int, ScoredImages],
    right: Mapping[int, ScoredImages],
) -> str:
    for name in (contrast.row, contrast.against):
        problems = found[name].problems
        if problems:
            return "; ".join(problems[seed] for seed in sorted(problems))
    for name, side in ((contrast.row, left), (contrast.against, right)):
        if not side or not any(len(images) for images in side.values()):
            return f"row {name} has no test predictions"
    if left[min(left)].classes != right[min(right)].classes:
        return f"{contrast.row} and {contrast.against} have other classes"
    return ""


def _same_images(left: Mapping[int, ScoredImages], right: Mapping[int, ScoredImages]) -> bool:
    """Whether every seed of both rows was judged on the same images, labels and groups."""
    sides = [*left.values(), *right.values()]
    first = sides[0]
    return all(
        np.array_equal(first.image_ids, other.image_ids)
        and np.array_equal(first.labels, other.labels)
        and np.array_equal(first.groups, other.groups)
        and np.array_equal(first.folds, other.folds)
        for other in sides[1:]
    )


def _values(
    side: Mapping[int, ScoredImages], asked: Sequence[Request], resamples: Resamples, seed: int
) -> dict[Request, npt.NDArray[np.float64]]:
    """Replicate values of every seed, by metric [S, replicates + 1]."""
    each = [
        replicate_values(side[key], asked, replicates=resamples.replicates, seed=seed)
        for key in sorted(side)
    ]
    return {item: np.stack([values[item] for values in each]) for item in asked}


def _parse(metric: str, row: Row) -> Request:
    name, _, class_ = metric.partition(":")
    return request(name, class_ or None, row.classes)
