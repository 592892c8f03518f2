"""The table of differences between rows that a suite asked for under `compare:`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skinbench.records import Comparison
from skinbench.report import numbers
from skinbench.report.standings import probability
from skinbench.report.tables import Column, Entry, Table, words


def comparisons_table(
    comparisons: Sequence[Comparison], level: float, reduced: Mapping[str, str]
) -> Table:
    """One line for each metric of each comparison.

    Args:
        comparisons: of one scorecard.
        level: coverage of the intervals, e.g. 0.95.
        reduced: row to what it was reduced in.
    """
    rows = tuple(
        (
            words(item.name),
            words(f"{item.row} \u2212 {item.against}"),
            words(numbers.metric_title(item.metric, item.class_)),
            Entry(
                text=numbers.signed(item.difference),
                detail=numbers.ends(item.low, item.high),
                sort=item.difference,
            ),
            Entry(text=probability(item.p), detail=item.test, sort=item.p),
            Entry(text=probability(item.p_holm), detail=_family(item), sort=item.p_holm),
            Entry(
                text=numbers.count(item.n or None),
                detail=_judged_on(item),
                sort=item.n or None,
            ),
            Entry(
                text=numbers.count(item.seeds or None),
                detail="" if item.sd_seeds is None else f"(SD {numbers.number(item.sd_seeds)})",
                sort=item.seeds or None,
            ),
            words(_remark(item, level, reduced)),
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
            Column(title="p", numeric=True),
            Column(title="p, Holm", numeric=True),
            Column(title="n", numeric=True),
            Column(title="seeds", numeric=True),
            Column(title="remark"),
        ),
        rows=rows,
    )


def _judged_on(item: Comparison) -> str:
    """Whether both rows saw the same images, and how many of a class."""
    if item.difference is None:
        return ""
    said = ["paired" if item.paired else "unpaired"]
    said += [] if item.n_positive is None else [f"{item.n_positive:,} positive"]
    return f"({', '.join(said)})"


def _family(item: Comparison) -> str:
    """How many comparisons are corrected together."""
    return f"of {item.compared}" if item.p_holm is not None else ""


def _remark(item: Comparison, level: float, reduced: Mapping[str, str]) -> str:
    """What test or interval says, and any reason why it is not there."""
    near = item.p_holm is not None and item.p_holm > 1 - level
    if item.p_holm is None and item.low is not None and item.high is not None:
        near = item.low <= 0 <= item.high
    said = ["not separable from 0"] if near else []
    less = [name for name in (item.row, item.against) if name in reduced]
    if less:
        said.append("of reduced rows" if len(less) > 1 else f"{less[0]} was reduced")
    return "; ".join([*said, item.reason] if item.reason else said)
