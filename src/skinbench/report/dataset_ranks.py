"""Mean ranks of rows over datasets: a table, and a diagram of the critical difference."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.figure import Figure

from skinbench.records import DatasetRanks
from skinbench.report import numbers
from skinbench.report.figures import BLUE, INK, MUTED, STYLE, Drawing, made_drawing
from skinbench.report.standings import probability
from skinbench.report.tables import Column, Entry, Table, words


def dataset_ranks_table(ranks: Sequence[DatasetRanks]) -> Table:
    """Mean ranks over datasets, one line a row."""
    rows = []
    for item in ranks:
        title = numbers.metric_title(item.metric, item.class_)
        for place in item.ranks:
            best = item.ranks[0].rank
            near = item.critical_difference is None or (
                place.rank - best < item.critical_difference
            )
            rows.append(
                (
                    words(place.row),
                    words(title),
                    Entry(text=numbers.number(place.rank, 2), sort=place.rank),
                    words("" if place is item.ranks[0] else _near(near)),
                )
            )
    return Table(
        name="dataset-ranks",
        caption="Mean ranks over datasets",
        columns=(
            Column(title="row"),
            Column(title="metric"),
            Column(title="mean rank", numeric=True),
            Column(title="from the first"),
        ),
        rows=tuple(rows),
        notes=tuple(_ranks_note(item) for item in ranks),
    )


def _near(near: bool) -> str:
    return "not separable" if near else "separable"


def _ranks_note(item: DatasetRanks) -> str:
    if item.reason:
        return numbers.one_line(item.reason)
    return numbers.one_line(
        f"{numbers.counted(len(item.datasets), 'dataset')} ({', '.join(item.datasets)}): Friedman "
        f"chi-squared {numbers.number(item.statistic, 2)}, p {probability(item.p)}; Nemenyi's "
        f"critical difference {numbers.number(item.critical_difference, 2)} at "
        f"{1 - item.level:.2g}. Datasets count as independent of each other."
    )


def critical_difference_figure(name: str, item: DatasetRanks) -> Drawing | None:
    """Mean ranks on a line, 1 the best at the left; a bar joins rows that are not separable."""
    if not item.ranks or item.critical_difference is None:
        return None
    half = (len(item.ranks) + 1) // 2
    bars = joined_ranks([place.rank for place in item.ranks], item.critical_difference)
    height = 0.9 + 0.2 * len(bars) + 0.24 * half
    with rc_context(STYLE):
        figure = Figure(figsize=(8.2, height))
        axes = figure.add_axes((0.3, 0.02, 0.4, 0.96))
        last = len(item.ranks)
        lowest = -(1.3 + 0.5 * len(bars) + half)
        axes.set(xlim=(1, last), ylim=(lowest, 2.2))
        axes.axis("off")
        axes.plot([1, last], [0, 0], color=INK, lw=1)
        for tick in range(1, last + 1):
            axes.plot([tick, tick], [0, 0.25], color=INK, lw=1)
            axes.text(tick, 0.4, str(tick), color=MUTED, size=8, ha="center", va="bottom")
        reach = min(1 + item.critical_difference, last)
        axes.plot([1, reach], [1.6, 1.6], color=INK, lw=1.6)
        difference = numbers.number(item.critical_difference, 2)
        axes.text(1, 1.75, f"critical difference {difference}", color=INK, size=8, va="bottom")
        for index, (low, high) in enumerate(bars):
            ends = [item.ranks[low].rank - 0.04, item.ranks[high].rank + 0.04]
            axes.plot(ends, [-0.4 - 0.5 * index] * 2, color=BLUE, lw=3.5, solid_capstyle="round")
        for index, place in enumerate(item.ranks):
            left = index < half
            line = index if left else len(item.ranks) - 1 - index
            depth = -(0.9 + 0.5 * len(bars) + line)
            end = 1 if left else last
            axes.plot([place.rank, place.rank, end], [0, depth, depth], color=MUTED, lw=0.8)
            text = f"{numbers.one_line(place.row)[:40]}  {numbers.number(place.rank, 2)}"
            gap = -0.01 if left else 1.01
            axes.text(
                gap, depth, text, color=INK, size=8, ha="right" if left else "left", va="center",
                transform=axes.get_yaxis_transform(),
            )  # fmt: skip
        title = f"Mean ranks over {numbers.counted(len(item.datasets), 'dataset')}"
        shown = ", ".join(f"{p.row} {numbers.number(p.rank, 2)}" for p in item.ranks)
        return made_drawing(
            figure, name, title, f"{title}, critical difference {difference}: {shown}"
        )


def joined_ranks(ranks: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """Longest runs of sorted ranks (first and last place) that lie within the difference."""
    found: list[tuple[int, int]] = []
    for low, rank_ in enumerate(ranks):
        high = max(i for i, other in enumerate(ranks) if other - rank_ < difference)
        if high > low and not any(b >= high for _, b in found):
            found.append((low, high))
    return found
