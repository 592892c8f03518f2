"""The table of differences between rows that a suite asked for under `compare:`."""

from __future__ import annotations

from collections.abc import Sequence

from skinbench.records import Comparison
from skinbench.report import numbers
from skinbench.report.tables import Column, Entry, Table, integer, words


def comparisons_table(comparisons: Sequence[Comparison], level: float) -> Table:
    """One line for each metric of each comparison.

    Args:
        comparisons: of one scorecard.
        level: coverage of the intervals, e.g. 0.95.
    """
    rows = tuple(
        (
            words(item.name),
            words(f"{item.row} \u2212 {item.against}"),
            words(numbers.metric_title(item.metric, item.class_)),
            Entry(
                text=numbers.signed(item.difference),
                detail=numbers.bounds(item.low, item.high),
                sort=item.difference,
            ),
            Entry(text=_pairing(item)),
            integer(item.n or None),
            integer(item.n_positive),
            integer(item.seeds or None),
            Entry(text=numbers.number(item.sd_seeds), sort=item.sd_seeds),
            words(_remark(item)),
        )
        for item in comparisons
    )
    return Table(
        name="comparisons",
        caption="Differences between rows",
        columns=(
            Column(title="comparison"),
            Column(title="rows"),
            Column(title="metric"),
            Column(title=f"difference, {numbers.level(level)}", numeric=True),
            Column(title="images"),
            Column(title="n", numeric=True),
            Column(title="positives", numeric=True),
            Column(title="seeds", numeric=True),
            Column(title="seed SD", numeric=True),
            Column(title="remark"),
        ),
        rows=rows,
    )


def _pairing(item: Comparison) -> str:
    if item.difference is None:
        return numbers.MISSING
    return "the same: paired" if item.paired else "others: unpaired"


def _remark(item: Comparison) -> str:
    """What the interval says, and any reason why it is not there."""
    if item.reason:
        return item.reason
    if item.low is None or item.high is None:
        return ""
    return "not separable from 0" if item.low <= 0 <= item.high else ""
