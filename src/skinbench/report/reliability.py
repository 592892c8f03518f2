"""Reliability diagrams: how often it came true, against how likely it was called."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skinbench.records.operating import Reliability
from skinbench.report import numbers
from skinbench.report.figures import BLUE, GRID, INK, MUTED, STYLE, Drawing, made_drawing


def reliability_figure(name: str, row: str, items: Sequence[Reliability]) -> Drawing | None:
    """A panel for the decided class and one for the focus class, of the first seed.

    Args:
        name: file name without its ending.
        row: name of the row.
        items: its diagrams on one test set.
    """
    first = min((item.seed for item in items if item.bins), default=None)
    shown = [item for item in items if item.bins and item.seed == first]
    if not shown:
        return None
    with rc_context(STYLE):
        figure = Figure(figsize=(3.3 * len(shown), 3.1))
        panels = figure.subplots(1, len(shown), squeeze=False)[0]
        for axes, item in zip(panels, shown, strict=True):
            _panel(axes, item)
        figure.subplots_adjust(left=0.09, right=0.985, bottom=0.15, top=0.88, wspace=0.2)
        said = "; ".join(
            f"{_of(item)}: mean distance {numbers.number(item.error)}, a calibrated model "
            f"{numbers.number(item.expected)}"
            for item in shown
        )
        alt = f"Reliability of {row}, {numbers.counted(shown[0].n, 'image')}: {said}"
        return made_drawing(figure, name, f"Reliability: {row}", alt, clipped=False)


def _of(item: Reliability) -> str:
    return "decided class" if item.class_ is None else f"p({item.class_})"


def _panel(axes: Axes, item: Reliability) -> None:
    axes.plot([0, 1], [0, 1], color=GRID, lw=1.2)
    for point in item.bins:
        if point.low is not None and point.high is not None:
            ends = [point.low, point.high]
            axes.plot([point.score, point.score], ends, color=BLUE, lw=2, alpha=0.45)
    scores, shares = zip(*((point.score, point.share) for point in item.bins), strict=True)
    axes.plot(scores, shares, "o", ms=4.5, color=BLUE)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_xlabel("probability")
    axes.set_ylabel("share")
    axes.set_title(numbers.one_line(_of(item)), loc="left", weight="bold", color=INK)
    axes.tick_params(length=0, labelcolor=MUTED)
    axes.spines[:].set_visible(False)
    axes.grid()
