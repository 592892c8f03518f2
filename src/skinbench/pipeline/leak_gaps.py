"""What a leaky split is worth to a row: its score minus that of its twin on a clean split."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from skinbench.records import Contrast, Plan, Row
from skinbench.score.calibration import focus_class
from skinbench.store import canonical_json, to_plain

NAME = "leak gap"
"""Of the comparisons, which are a family of their own."""


def leak_gaps(plan: Plan, leaky: Collection[str], asked: Sequence[Contrast]) -> list[Contrast]:
    """Each row of a leaky split against the same row on a clean split of the same data.

    Args:
        plan: rows, cells and fits.
        leaky: splits that leak.
        asked: comparisons that the suite names; what they hold is not compared again.
    """
    made = {row.name: _made(plan, row) for row in plan.rows}
    known = {(item.row, item.against): set(item.metrics) for item in asked}
    clean: dict[str, Row] = {}
    for row in plan.rows:
        if row.split not in leaky and made[row.name]:
            clean.setdefault(made[row.name], row)
    return [
        Contrast(name=NAME, row=row.name, against=twin.name, metrics=metrics, family=NAME)
        for row in plan.rows
        if row.split in leaky and (twin := clean.get(made[row.name])) is not None
        if (metrics := _metrics(row, known.get((row.name, twin.name), ())))
    ]


def _metrics(row: Row, known: Collection[str]) -> tuple[str, ...]:
    focus = focus_class(row.classes)
    wanted = ["balanced_accuracy", *([f"recall:{focus}"] if focus else [])]
    return tuple(metric for metric in wanted if metric not in known)


def _made(plan: Plan, row: Row) -> str:
    """Everything of a row but its split, as text; empty of a row without fits of its own."""
    cells = [cell for cell in plan.cells if cell.row == row.name and cell.fit in plan.fits]
    if not cells or row.kind == "derived" or row.of:
        return ""
    settings = dict(_settings(row))
    data = sorted(plan.fits[str(cells[0].fit)].datasets)
    seeds = sorted({cell.seed for cell in cells})
    made = [row.kind, row.model, row.input, row.technique, row.classes, settings, data, seeds]
    return canonical_json(to_plain(made))


def _settings(row: Row) -> Iterator[tuple[str, Any]]:
    for key, value in row.settings.items():
        if key not in ("split", "claims", "resources"):
            yield key, value
