"""Columns of the page's leaderboard: scores first, then what a reader may add."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from skinbench import registry
from skinbench.errors import UnknownNameError
from skinbench.records import Comparison
from skinbench.report import numbers
from skinbench.report.axes import Axis
from skinbench.report.board import BoardColumn, TestSet
from skinbench.report.row_facts import RunDetail
from skinbench.report.tables import FURTHER_METRICS, PER_CLASS_ORDER

Group = Literal["score", "more", "made", "gap", "count", "cost"]
GROUP_TITLES: Mapping[Group, str] = {
    "score": "Scores",
    "more": "Further scores",
    "gap": "Leak gap",
    "count": "Images",
    "cost": "Cost",
    "made": "Made of",
}
_MADE = ("model", "input", "technique", "kind")


@dataclass(frozen=True, kw_only=True)
class PageColumn:
    """One column."""

    key: str
    title: str
    group: Group
    shown: bool
    """From the start."""
    first: Literal["ascending", "descending"]
    """What the first press of its head sorts by: the better first, words from A."""
    numeric: bool = True
    unit: str = ""
    """Of the numbers that its fields sort by, where their text has another."""
    axis: Axis | None = None
    """Of its bars, the same for every row; None where nothing is drawn."""


def columns_of(
    table: TestSet, runs: Mapping[str, RunDetail], several: bool
) -> tuple[PageColumn, ...]:
    """Every column of a table: those of the terminal first, what none of its rows has left out.

    Args:
        table: rows of one test set.
        runs: by name, what stands beside the scores of each run.
        several: whether rows of several runs are shown.
    """
    shown = {column.key for column in table.columns}
    scored = _scored(table, runs)
    order = [*table.columns, *(column for column in scored if column.key not in shown)]
    found = [_score_column(column, column.key in shown) for column in order]
    found += _gap_columns(table, runs)
    differ = len({row.n for row in table.rows} - {None}) > 1  # else the table's head says it
    found.append(_column("n", "n", "count", shown=differ))
    if table.focus:
        found.append(_column("n_positive", f"n {table.focus}", "count", shown=differ))
    costs = [runs[row.run].costs.get(row.row) for row in table.rows]
    if any(costs):
        found += [
            _column("seconds", "training time", "cost", shown=True, unit="s"),
            *(
                [_column("pace", "images/s", "cost", shown=True, first="descending")]
                if any(cost is not None and cost.pace is not None for cost in costs)
                else []  # a run of an older version
            ),
            _column("parameters", "parameters", "cost", shown=True),
            _column("trainable", "trainable parameters", "cost"),
            _column("size", "size as float32", "cost", unit="bytes"),
            _column("speed", "images/s in training", "cost", first="descending"),
        ]
    words = [*(["run"] if several else []), *_MADE]
    return tuple(found) + tuple(
        _column(word, word, "made", shown=word == "run", numeric=False) for word in words
    )


def _column(
    key: str,
    title: str,
    group: Group,
    *,
    shown: bool = False,
    first: Literal["ascending", "descending"] = "ascending",
    numeric: bool = True,
    unit: str = "",
) -> PageColumn:
    return PageColumn(
        key=key,
        title=numbers.one_line(title),
        group=group,
        shown=shown,
        first=first,
        numeric=numeric,
        unit=unit,
    )


def _scored(table: TestSet, runs: Mapping[str, RunDetail]) -> list[BoardColumn]:
    """Metrics that some row of the table has: over all classes, of the focus class, recall."""
    found: dict[tuple[str, str | None], None] = {}
    for row in table.rows:
        where = (row.row, table.dataset, table.condition)
        for score in runs[row.run].scores.of(where):
            wanted = score.class_ in (None, table.focus) or score.metric == "recall"
            if score.slice is None and score.value is not None and wanted:
                found[score.metric, score.class_] = None
    ordered = sorted(found, key=lambda item: _importance(item, table))
    return [BoardColumn(metric=metric, class_=class_) for metric, class_ in ordered]


def _importance(item: tuple[str, str | None], table: TestSet) -> tuple[int, int]:
    metric, class_ = item
    if class_ is None:
        return (1, 0)
    if class_ != table.focus:
        return (3, table.classes.index(class_) if class_ in table.classes else 0)
    if metric in FURTHER_METRICS:
        return (2, 0)
    return (0, PER_CLASS_ORDER.index(metric) if metric in PER_CLASS_ORDER else 99)


def _score_column(column: BoardColumn, shown: bool) -> PageColumn:
    higher = True
    with contextlib.suppress(UnknownNameError):  # of a user's plug-in that is not loaded here
        higher = registry.metrics.get(column.metric).higher_is_better
    return _column(
        column.key,
        column.title,
        "score" if shown else "more",
        shown=shown,
        first="descending" if higher else "ascending",
    )


def _gap_columns(table: TestSet, runs: Mapping[str, RunDetail]) -> list[PageColumn]:
    rows = [(row.row, runs[row.run].gaps) for row in table.rows]
    found: dict[str, Comparison] = {}
    for name, gaps in rows:
        found.update({key: item for (row, key), item in gaps.items() if row == name})
    best = next((key for key in ("balanced_accuracy", "accuracy") if key in found), "")
    return [
        _column(
            f"gap:{key}",
            f"leak gap, {numbers.short_title(item.metric, item.class_)}",
            "gap",
            shown=key == best,
            first="descending",
        )
        for key, item in found.items()
    ]
