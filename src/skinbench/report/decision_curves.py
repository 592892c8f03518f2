"""Decision curves: net benefit over the risk from which on one would act, a panel for each row."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from skinbench.records import DecisionCurve
from skinbench.report import numbers
from skinbench.report.figures import BLUE, GRID, INK, MUTED, ORANGE, STYLE, Drawing, made_drawing

MOST_ROWS = 12
"""Panels of a drawing; further rows are in scorecard.json."""
_ACROSS = 3


def decision_figures(curves: Sequence[DecisionCurve]) -> Iterator[Drawing]:
    """One drawing for each test set, class and prevalence that has a curve."""
    places: dict[tuple[str, str, float], list[DecisionCurve]] = {}
    for curve in curves:
        if curve.risks:
            places.setdefault((curve.dataset, curve.class_, curve.prevalence), []).append(curve)
    for index, found in enumerate(places.values(), 1):
        yield _drawing(f"decision-curves-{index}", found)


def decision_curve_notes(curves: Sequence[DecisionCurve]) -> tuple[str, ...]:
    """What a curve shows, why rows have none, and which are not drawn."""
    notes = []
    if any(curve.risks for curve in curves):
        notes.append(
            "Decision curves: net benefit for each one examined, by the risk from which on one "
            "would act; blue the row with its interval, orange acting on everyone, 0 acting on "
            "nobody. A row is of use where its line is above both."
        )
    notes += [f"{c.row}: no decision curve: {c.reason}." for c in curves if c.reason]
    drawn = {curve.row: None for curve in curves if curve.risks}
    if len(drawn) > MOST_ROWS:
        notes.append(
            f"Drawn are the first {MOST_ROWS} of {len(drawn)} rows; all are in scorecard.json."
        )
    return tuple(numbers.one_line(note) for note in dict.fromkeys(notes))


def _drawing(name: str, curves: Sequence[DecisionCurve]) -> Drawing:
    shown, first = curves[:MOST_ROWS], curves[0]
    across = min(_ACROSS, len(shown))
    down = math.ceil(len(shown) / across)
    width, height = 3.2 * across + 0.3, 2.0 * down + 0.85
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        panels = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        for place, axes in enumerate(panels.flat):
            if place < len(shown):
                _panel(axes, shown[place], last=place + across >= len(shown))
            else:
                axes.set_visible(False)
        figure.subplots_adjust(
            left=0.7 / width, right=1 - 0.15 / width, top=1 - 0.6 / height,
            bottom=0.45 / height, wspace=0.1, hspace=0.28,
        )  # fmt: skip
        title = f"Net benefit for {first.class_} at a prevalence of {first.prevalence:g}"
        shown_title = numbers.one_line(f"{title}, {first.dataset}")
        figure.text(0.12 / width, 1 - 0.2 / height, shown_title, color=MUTED, size=9)
        said = "; ".join(f"{curve.row} {_said(curve)}" for curve in shown)
        return made_drawing(figure, name, title, f"{title}, {first.dataset}: {said}")


def _panel(axes: Axes, curve: DecisionCurve, *, last: bool) -> None:
    top = curve.prevalence
    axes.axhline(0, color=MUTED, lw=0.9)
    axes.plot(curve.risks, curve.of_all, color=ORANGE, lw=1.2)
    if curve.low:
        axes.fill_between(curve.risks, curve.low, curve.high, color=BLUE, alpha=0.16, lw=0)
    axes.plot(curve.risks, curve.net_benefit, color=BLUE, lw=1.7)
    axes.set(xlim=(0, curve.risks[-1]), ylim=(-0.35 * top, 1.05 * top))
    axes.set_title(_short(curve.row), loc="left", weight="bold", color=INK, size=8.5)
    axes.tick_params(length=0, labelcolor=MUTED, labelbottom=last)
    axes.xaxis.set_major_locator(MaxNLocator(4, prune="upper"))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if last:
        axes.set_xlabel("risk from which on one acts")
    if axes.get_subplotspec() is not None and axes.get_subplotspec().is_first_col():
        axes.set_ylabel("net benefit")
    axes.spines[:].set_visible(False)
    axes.grid(color=GRID)


def _short(text: str, limit: int = 38) -> str:
    text = numbers.one_line(text)
    return text if len(text) <= limit else f"{text[: limit // 2]}…{text[-limit // 2 + 1 :]}"


def _said(curve: DecisionCurve) -> str:
    """From which risk to which the row is above acting on everyone and on nobody."""
    useful = [
        risk
        for risk, own, everyone in zip(curve.risks, curve.net_benefit, curve.of_all, strict=True)
        if own > max(0.0, everyone)
    ]
    if not useful:
        return "is nowhere above acting on everyone and on nobody"
    return f"is above both at risks of {useful[0]:.3g} to {useful[-1]:.3g}"
