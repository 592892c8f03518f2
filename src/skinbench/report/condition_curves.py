"""Scores by the strength of a condition: a drawing for each row, a panel for each condition."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from skinbench.records import ConditionDrop
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

MOST = 12
"""Drawings; further rows are in the tables."""
_ACROSS = 5
_PAIR = ("recall", "specificity")
_Metric = tuple[str, str | None]
_Panel = dict[int, ConditionDrop]
"""Strength to score."""


def condition_figures(drops: Sequence[ConditionDrop]) -> Iterator[Drawing]:
    """Recall with specificity of one class where both are there, else the first metric."""
    places: dict[tuple[str, str], list[ConditionDrop]] = {}
    for item in drops:
        places.setdefault((item.row, item.dataset), []).append(item)
    found = 0
    for (row, dataset), own in places.items():
        panels = _panels(own)
        if panels and found < MOST:
            found += 1
            yield _drawing(f"conditions-{found}", f"{row} on {dataset}", panels)


def _shown(items: Sequence[ConditionDrop]) -> list[_Metric]:
    """The metrics that are drawn: blue, orange."""
    there = list(dict.fromkeys((item.metric, item.class_) for item in items))
    for _, class_ in there:
        if class_ is not None and all((name, class_) in there for name in _PAIR):
            return [(name, class_) for name in _PAIR]
    return there[:1]


def _panels(items: Sequence[ConditionDrop]) -> dict[str, dict[_Metric, _Panel]]:
    """Condition to metric to scores by strength; of conditions with two strengths or more."""
    found: dict[str, dict[_Metric, _Panel]] = {}
    shown = _shown(items)
    for item in items:
        name, _, strength = item.condition.partition("@")
        metric = (item.metric, item.class_)
        if strength and metric in shown and item.value is not None:
            found.setdefault(name, {}).setdefault(metric, {})[int(strength)] = item
    return {
        name: {metric: by_metric[metric] for metric in shown if metric in by_metric}
        for name, by_metric in found.items()
        if max(map(len, by_metric.values())) > 1
    }


def _drawing(name: str, about: str, panels: Mapping[str, Mapping[_Metric, _Panel]]) -> Drawing:
    across = min(_ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    width, height = 1.95 * across + 0.5, 1.6 * down + 0.95
    metrics = list(next(iter(panels.values())))
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for place, (condition, lines) in enumerate(panels.items()):
            axes = grid.flat[place]
            for metric, colour in zip(metrics, (BLUE, ORANGE), strict=False):
                if metric in lines:
                    _line(axes, lines[metric], colour)
            _axes(axes, condition, last=place + across >= len(panels))
        figure.subplots_adjust(
            left=0.42 / width, right=1 - 0.1 / width, top=1 - 0.62 / height,
            bottom=0.42 / height, wspace=0.1, hspace=0.32,
        )  # fmt: skip
        left = 0.12
        for metric, colour in zip(metrics, (BLUE, ORANGE), strict=False):
            text = f"● {numbers.metric_title(*metric)}"
            figure.text(left / width, 1 - 0.22 / height, text, color=colour, size=9)
            left += 0.085 * len(text) + 0.25
        title = f"{about}: {' and '.join(numbers.metric_title(*m) for m in metrics)} by strength"
        said = "; ".join(_said(condition, lines) for condition, lines in panels.items())
        return made_drawing(figure, name, title, f"{title}: {said}")


def _line(axes: Axes, panel: _Panel, colour: str) -> None:
    before = next((item.before for item in panel.values() if item.before is not None), None)
    points = [] if before is None else [(0, before)]
    points += [(strength, float(panel[strength].value or 0.0)) for strength in sorted(panel)]
    axes.plot(*zip(*points, strict=True), color=colour, lw=1.5)
    for strength, item in panel.items():
        if item.low is not None and item.high is not None:
            axes.plot([strength] * 2, [item.low, item.high], color=colour, lw=1.6, alpha=0.45)
    axes.plot(
        *zip(*points, strict=True), "o", ms=3.6, color=colour, markeredgecolor=PAPER, zorder=3
    )  # fmt: skip


def _axes(axes: Axes, condition: str, *, last: bool) -> None:
    axes.set(xlim=(-0.4, 5.4), ylim=(-0.03, 1.03))
    axes.set_xticks(range(6), ["0", "1", "2", "3", "4", "5"])
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_title(condition.replace("_", " "), loc="left", weight="bold", color=INK, size=8.5)
    axes.tick_params(length=0, labelcolor=MUTED, labelbottom=last)
    axes.spines[:].set_visible(False)
    axes.grid(axis="y", color=GRID)
    if last:
        axes.set_xlabel("strength")


def _said(condition: str, lines: Mapping[_Metric, _Panel]) -> str:
    parts = []
    for metric, panel in lines.items():
        first, last = panel[min(panel)], panel[max(panel)]
        before = first.before if first.before is not None else first.value
        moved = f"{numbers.number(before)} to {numbers.number(last.value)}"
        parts.append(f"{metric[0].replace('_', ' ')} {moved}")
    return f"{condition.replace('_', ' ')} {', '.join(parts)}"
