"""Reporting checklists, filled with what a run folder says. A filled list claims no compliance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from skinbench.report import numbers
from skinbench.report.card_facts import CardFacts
from skinbench.report.tables import Column, Entry, Table, words

NOT_STATED = "not stated"
Answer = Callable[[CardFacts], str]


@dataclass(frozen=True)
class Item:
    """One item of a checklist.

    Args:
        number: as in the checklist's own table.
        asked: what it asks for, in our words and short.
        answer: from the run; None where no file of a run can say.
    """

    number: str
    asked: str
    answer: Answer | None = None


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """A published list of what a report should say."""

    name: str
    title: str
    source: str
    items: tuple[Item, ...]


@dataclass(frozen=True, kw_only=True)
class Filled:
    """A checklist with a run's answers."""

    title: str
    summary: str
    table: Table


def fill(checklist: Checklist, facts: CardFacts) -> Filled:
    """Answer each item from the run folder, or say that it does not."""
    answers = [(item.answer(facts) if item.answer else "") for item in checklist.items]
    rows = tuple(
        (
            Entry(text=item.number),
            words(item.asked),
            words(answer) if answer else Entry(text=NOT_STATED, tone="warn"),
        )
        for item, answer in zip(checklist.items, answers, strict=True)
    )
    said = sum(bool(answer) for answer in answers)
    return Filled(
        title=checklist.title,
        summary=f"{said} of {len(rows)} items have an answer in the run folder; the others are "
        f"for the authors. A filled list claims no compliance.",
        table=Table(
            name=f"{checklist.name}-{facts.place.slug}",
            caption=f"{checklist.title}: {numbers.one_line(facts.place.row.name)}",
            columns=(Column(title="item"), Column(title="asks for"), Column(title="this run")),
            rows=rows,
            notes=(f"Items in our own words, numbered as in {checklist.source}.",),
        ),
    )
