"""ROC and precision-recall of a cell as one drawing, with the decisions that the tables judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skinbench.report import numbers
from skinbench.report.figures import (
    BLUE,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    STYLE,
    Drawing,
    made_drawing,
)
from skinbench.score.curves import SeedCurves, mean_curve, thinned

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A number of a way of deciding, with its bounds."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A way of deciding for the class: argmax, or a threshold that val chose."""

    name: str
    recall: Interval
    specificity: Interval
    precision: Interval | None = None

    @property
    def said(self) -> str:
        """In words, for those who do not see the drawing."""
        return (
            f"{self.name}: recall {numbers.number(self.recall.value)} at specificity "
            f"{numbers.number(self.specificity.value)}"
        )


def curves_of_class(
    name: str,
    about: tuple[str, str],
    curves: Sequence[SeedCurves],
    decisions: Sequence[Decision],
    share: float,
) -> Drawing:
    """Recall against false alarms, and precision against recall.

    Args:
        name: file name without its ending.
        about: (row, class code).
        curves: one a seed, at least one; with several, thin lines and their mean.
        decisions: argmax first; marked with their intervals.
        share: of the class among the test images: what guessing has for precision.
    """
    row, class_ = about
    with rc_context(STYLE):
        figure = Figure(figsize=(6.6, 3.2))
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], color=GRID, lw=1.2)
        right.plot([0, 1], [share, share], color=GRID, lw=1.2)
        _lines(left, [seed.roc for seed in curves], steps=False)
        _lines(right, [seed.precision_recall for seed in curves], steps=True)
        for index, item in enumerate(decisions):
            _mark_roc(left, item, index)
            _mark_precision(right, item, index)
        _axes(left, "1 − specificity", "recall")  # noqa: RUF001 - the minus sign
        _axes(right, "recall", "precision")
        for index, item in enumerate(decisions):
            mark = f"{'●◆'[min(index, 1)]} {item.name}"
            left.text(index * 0.3, 1.05, mark, color=ORANGE, size=8, transform=left.transAxes)
        figure.subplots_adjust(left=0.075, right=0.985, bottom=0.145, top=0.91, wspace=0.2)
        seeds = numbers.counted(len(curves), "seed")
        said = "".join(f"; {item.said}" for item in decisions)
        alt = f"ROC and precision-recall of {class_} for {row}, {seeds}{said}"
        title = f"ROC and precision-recall of {class_}: {row}"
        return made_drawing(figure, name, title, alt, clipped=False)


def _lines(axes: Axes, lines: Sequence[Points], *, steps: bool) -> None:
    several = len(lines) > 1
    for line in lines:
        look = {"lw": 0.7, "alpha": 0.45} if several else {"lw": 1.6, "alpha": 1.0}
        axes.plot(*thinned(line).T, color=BLUE, **look)
    if several:
        axes.plot(*thinned(mean_curve(lines, steps=steps)).T, color=BLUE, lw=1.8)


def _mark_roc(axes: Axes, item: Decision, index: int) -> None:
    mirrored = _mirrored(item.specificity)
    _mark(axes, mirrored, item.recall, index)


def _mark_precision(axes: Axes, item: Decision, index: int) -> None:
    if item.precision is not None:
        _mark(axes, item.recall, item.precision, index)


def _mirrored(value: Interval) -> Interval:
    low = None if value.high is None else 1 - value.high
    high = None if value.low is None else 1 - value.low
    return Interval(value=1 - value.value, low=low, high=high)


def _mark(axes: Axes, across: Interval, up: Interval, index: int) -> None:
    """The point of a decision, with a bar along each axis for its interval."""
    if across.low is not None and across.high is not None:
        axes.plot([across.low, across.high], [up.value, up.value], color=ORANGE, lw=1.4, alpha=0.7)
    if up.low is not None and up.high is not None:
        axes.plot([across.value, across.value], [up.low, up.high], color=ORANGE, lw=1.4, alpha=0.7)
    marker = "o" if index == 0 else "D"
    axes.plot(
        across.value, up.value, marker, ms=5.5, color=ORANGE, markeredgecolor=PAPER, zorder=4
    )  # fmt: skip


def _axes(axes: Axes, across: str, up: str) -> None:
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    ticks = [0, 0.25, 0.5, 0.75, 1]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.tick_params(length=0, labelcolor=MUTED)
    axes.spines[:].set_visible(False)
    axes.title.set_color(INK)
    axes.grid()
