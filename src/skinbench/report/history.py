"""Which row moved, and since when, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from skinbench.records.run_history import Move, RowHistory, RunPoint
from skinbench.report import numbers
from skinbench.report.tables import Column, Entry, Table, words

_MOVED = ("higher", "lower")
_TONES = {"higher": "good", "lower": "bad"}


def history_table(items: Sequence[RowHistory], level: float) -> Table:
    """One line for each row and metric, those that moved first, the latest first."""
    ordered = sorted(items, key=_since, reverse=True)
    return Table(
        name="history",
        caption="Which row moved, and since when",
        columns=(
            Column(title="row"),
            Column(title="test set"),
            Column(title="metric"),
            Column(title="runs", numeric=True),
            Column(title="first", numeric=True),
            Column(title="now", numeric=True),
            Column(title=f"last move, {numbers.level(level)}", numeric=True),
            Column(title="what"),
            Column(title="since"),
        ),
        rows=tuple(_line(item) for item in ordered),
        notes=(
            "Each run against the one before it that has the row, paired on the same images; a row "
            "moved where the p-value, corrected by Holm over the rows of both runs, is below "
            f"{1 - level:.2g}. Rows of different test sets never follow each other.",
        ),
    )


def last_move(item: RowHistory) -> Move | None:
    """The latest step that is separable from none; else the latest step of all."""
    moved = [move for move in item.moves if move.verdict in _MOVED]
    steps = moved or list(item.moves)
    return steps[-1] if steps else None


def _since(item: RowHistory) -> tuple[bool, str]:
    move = last_move(item)
    moved = move is not None and move.verdict in _MOVED
    return (moved, _point(item, move.run).started if move and moved else "")


def _point(item: RowHistory, run: str) -> RunPoint:
    return next(point for point in item.points if point.run == run)


def _line(item: RowHistory) -> tuple[Entry, ...]:
    move = last_move(item)
    first, now = item.points[0], item.points[-1]
    return (
        words(item.row),
        words(f"{item.dataset}, split {item.split}"),
        words(numbers.short_title(item.metric, item.class_)),
        Entry(text=numbers.count(len(item.points)), sort=len(item.points)),
        _value(first),
        _value(now),
        Entry(
            text=numbers.signed(move.difference if move else None),
            detail=numbers.ends(move.low, move.high) if move else "",
            sort=move.difference if move else None,
        ),
        _verdict(item, move),
        words(said_of(_point(item, move.run)) if move and move.verdict in _MOVED else ""),
    )


def _value(point: RunPoint) -> Entry:
    return Entry(
        text=numbers.number(point.value),
        detail=numbers.bounds(point.low, point.high),
        sort=point.value,
    )


def _verdict(item: RowHistory, move: Move | None) -> Entry:
    if move is None:
        return Entry(text=numbers.MISSING)
    if move.verdict in _MOVED:
        return Entry(text=move.verdict, tone=_TONES[move.verdict])
    verdicts = {step.verdict for step in item.moves}
    if verdicts == {"unchanged"}:
        return Entry(text="unchanged")
    if "not compared" in verdicts:
        return Entry(text="not compared", why=numbers.one_line(move.reason))
    return Entry(text="not separable")


def said_of(point: RunPoint) -> str:
    """`2026-11-20 10:00 UTC (run b, skinbench 0.2.0, commit 1a2b3c4)`."""
    when = point.started.replace("T", " ").removesuffix("Z")[:16]
    about = [f"run {point.run}"]
    about += [f"skinbench {point.version}"] if point.version else []
    about += [f"commit {point.commit[:10]}"] if point.commit else []
    return numbers.one_line(f"{f'{when} UTC ' if when else ''}({', '.join(about)})")
