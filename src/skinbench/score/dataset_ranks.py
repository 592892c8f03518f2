"""Rows ranked over datasets: Friedman's test, and Nemenyi's critical difference (Demsar 2006).

Datasets are the blocks: they are independent of each other. Seeds and folds share their images
and are refused: many of them would make any difference significant.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.errors import UsageError, counted
from skinbench.records import DatasetRanks, MeanRank, Row, Score

FEWEST_DATASETS = 5
FEWEST_ROWS = 3
"""Friedman's test of two rows is a sign test; two rows have their paired tests."""


def critical_difference(rows: int, datasets: int, level: float) -> float:
    """Nemenyi's: mean ranks that differ by less are not separable.

    q / sqrt(2) of the studentised range of `rows` groups with infinite degrees of freedom, times
    sqrt(k (k + 1) / (6 N)) (Demsar 2006, Journal of Machine Learning Research 7:1-30).
    """
    from scipy.stats import studentized_range

    quantile = float(studentized_range.ppf(level, rows, math.inf)) / math.sqrt(2)
    return quantile * math.sqrt(rows * (rows + 1) / (6 * datasets))


def friedman(
    values: Mapping[str, Mapping[str, float]],
    *,
    metric: str,
    class_: str | None = None,
    level: float = 0.95,
) -> DatasetRanks:
    """Rank rows within each dataset and compare their mean ranks.

    Args:
        values: row to dataset to score; every row on the same datasets.
        metric: says whether higher is better.
        class_: of a per-class metric.
        level: 1 - level is the size of test and critical difference.

    Raises:
        UsageError: rows were not scored on the same datasets.
    """
    from scipy.stats import friedmanchisquare, rankdata

    rows = list(values)
    datasets = tuple(next(iter(values.values()), {}))
    if any(set(values[row]) != set(datasets) for row in rows):
        raise UsageError("rows are ranked over datasets that each of them was scored on")
    place: dict[str, Any] = {
        "metric": metric, "class_": class_, "datasets": datasets, "level": level,
    }  # fmt: skip
    if len(datasets) < FEWEST_DATASETS:
        few = counted(len(datasets), "dataset")
        why = f"no ranks over datasets: {few}, at least {FEWEST_DATASETS} are needed"
        return DatasetRanks(**place, ranks=(), reason=why)
    if len(rows) < FEWEST_ROWS:
        few = counted(len(rows), "row")
        why = f"no ranks over datasets: {few}, at least {FEWEST_ROWS} are needed"
        return DatasetRanks(**place, ranks=(), reason=why)
    table: npt.NDArray[np.float64] = np.array([[values[r][d] for r in rows] for d in datasets])
    sign = -1.0 if registry.metrics.get(metric).higher_is_better else 1.0
    mean_ranks = rankdata(sign * table, axis=1).mean(axis=0)
    statistic, p = 0.0, 1.0  # every dataset ties all rows: the statistic is 0 / 0
    if np.any(np.ptp(table, axis=1) > 0):
        found = friedmanchisquare(*table.T)
        statistic, p = float(found.statistic), float(found.pvalue)
    ranks = sorted(
        (MeanRank(row=row, rank=float(rank)) for row, rank in zip(rows, mean_ranks, strict=True)),
        key=lambda item: item.rank,
    )
    return DatasetRanks(
        **place,
        ranks=tuple(ranks),
        statistic=statistic,
        p=p,
        critical_difference=critical_difference(len(rows), len(datasets), level),
    )


def rank_over_datasets(
    rows: Sequence[Row],
    scores: Sequence[Score],
    metric: str,
    *,
    level: float,
    asked: bool = False,
) -> tuple[DatasetRanks, ...]:
    """Ranks of the rows that were scored on five or more datasets, by one metric.

    Rows are joined by the datasets that they were scored on without any condition; none where no
    row has five, or the refusal where ranks were asked for.
    """
    name, _, class_ = metric.partition(":")
    found: dict[str, dict[str, float]] = {}
    for score in scores:
        plain = score.condition == "none" and score.seed is None and score.slice is None
        wanted = plain and (score.metric, score.class_ or "") == (name, class_)
        if wanted and score.value is not None:
            found.setdefault(score.row, {})[score.dataset] = score.value
    sets: dict[frozenset[str], dict[str, Mapping[str, float]]] = {}
    for row in rows:
        own = found.get(row.name, {})
        if len(own) >= FEWEST_DATASETS:
            members = sets.setdefault(frozenset(own), {})
            members[row.name] = {dataset: own[dataset] for dataset in sorted(own)}
    if asked and not sets:
        return (_refused(rows, found, (name, class_ or None), level),)
    return tuple(
        friedman(members, metric=name, class_=class_ or None, level=level)
        for members in sets.values()
    )


def _refused(
    rows: Sequence[Row],
    found: Mapping[str, Mapping[str, float]],
    metric: tuple[str, str | None],
    level: float,
) -> DatasetRanks:
    """Why there are no ranks: by the row with the most datasets."""
    own = max((found.get(row.name, {}) for row in rows), key=len, default={})
    few = counted(len(own), "dataset")
    return DatasetRanks(
        metric=metric[0],
        class_=metric[1],
        datasets=tuple(sorted(own)),
        ranks=(),
        level=level,
        reason=f"no ranks over datasets: the rows were scored on {few} at most, at least "
        f"{FEWEST_DATASETS} are needed; seeds and folds share their images and are no datasets",
    )
