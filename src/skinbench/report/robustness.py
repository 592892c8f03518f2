"""Altered test images, as tables by condition and strength."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from skinbench.records import ConditionDrop, ConditionFlips
from skinbench.report import numbers
from skinbench.report.tables import Column, Entry, Table, integer, words

T = TypeVar("T", ConditionDrop, ConditionFlips)
_Line = tuple[str, str, str]
"""Row, dataset, name of the condition."""


def drop_tables(items: Sequence[ConditionDrop], level: str) -> Iterator[Table]:
    """One table for each metric: rows and conditions down, strengths across."""
    metrics = list(dict.fromkeys((item.metric, item.class_) for item in items))
    for number, metric in enumerate(metrics, start=1):
        own = [item for item in items if (item.metric, item.class_) == metric]
        lines = _lines(own)
        strengths = _strengths(lines)
        rows = tuple(
            (
                words(line[0]),
                words(line[1]),
                words(line[2]),
                _plain(found),
                *(_drop(found.get(strength)) for strength in strengths),
                integer(next(iter(found.values())).n),
            )
            for line, found in lines.items()
        )
        title = numbers.metric_title(*metric)
        yield Table(
            name=f"robustness-{number}",
            caption=f"{title} by condition and strength",
            columns=(
                Column(title="row"),
                Column(title="data"),
                Column(title="condition"),
                Column(title="none", numeric=True),
                *(Column(title=_title(strength), numeric=True) for strength in strengths),
                Column(title="n", numeric=True),
            ),
            rows=rows,
            notes=(
                f"Below each value its change against the same images without a condition, "
                f"{level}, resampled together.",
            ),
        )


def flip_table(items: Sequence[ConditionFlips], level: str) -> Table:
    """Share of images that are decided otherwise."""
    lines = _lines(items)
    strengths = _strengths(lines)
    rows = tuple(
        (
            words(line[0]),
            words(line[1]),
            words(line[2]),
            *(_flip(found.get(strength)) for strength in strengths),
            integer(next(iter(found.values())).n),
        )
        for line, found in lines.items()
    )
    return Table(
        name="flips",
        caption=f"Share of images decided otherwise than without the condition, {level}",
        columns=(
            Column(title="row"),
            Column(title="data"),
            Column(title="condition"),
            *(Column(title=_title(strength), numeric=True) for strength in strengths),
            Column(title="n", numeric=True),
        ),
        rows=rows,
    )


def _lines(items: Sequence[T]) -> dict[_Line, dict[int, T]]:
    """Items by line, then by strength; 0 for a condition without one."""
    found: dict[_Line, dict[int, T]] = {}
    for item in items:
        name, _, strength = item.condition.partition("@")
        found.setdefault((item.row, item.dataset, name), {})[int(strength or 0)] = item
    return found


def _strengths(lines: Mapping[_Line, Mapping[int, object]]) -> list[int]:
    return sorted({strength for found in lines.values() for strength in found})


def _title(strength: int) -> str:
    return f"@{strength}" if strength else "altered"


def _plain(found: Mapping[int, ConditionDrop]) -> Entry:
    """The value without the condition, the same for every strength."""
    before = next((item.before for item in found.values() if item.before is not None), None)
    return Entry(text=numbers.number(before), sort=before)


def _drop(item: ConditionDrop | None) -> Entry:
    if item is None:
        return Entry(text="")
    if item.value is None:
        return Entry(text=numbers.MISSING, why=numbers.one_line(item.reason))
    bounds = numbers.ends(item.change_low, item.change_high)
    return Entry(
        text=numbers.number(item.value),
        detail="" if item.change is None else numbers.signed(item.change),
        why=bounds or ("" if item.change == 0 else numbers.one_line(item.reason)),
        sort=item.value,
    )


def _flip(item: ConditionFlips | None) -> Entry:
    if item is None:
        return Entry(text="")
    if item.value is None:
        return Entry(text=numbers.MISSING, why=numbers.one_line(item.reason))
    return Entry(
        text=numbers.number(item.value), detail=numbers.bounds(item.low, item.high), sort=item.value
    )
