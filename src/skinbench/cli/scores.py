"""Scores of foreign predictions on the terminal; fits 80 columns."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from skinbench.records.official import ForeignScores
from skinbench.report import numbers
from skinbench.report.foreign import elsewhere, foreign_tables, head, intervals
from skinbench.report.tables import Entry, Table


def print_scores(found: ForeignScores, console: Console | None = None) -> None:
    """Head, tables, notes."""
    out = console or Console(highlight=False)
    out.print(Text(head(found), style="bold"))
    for table in foreign_tables(found):
        out.print()
        out.print(Text(table.caption, style="bold"))
        out.print(_rich(table))
        for note in table.notes:
            out.print(Text(note, style="dim"))
    out.print()
    out.print(Text(intervals(found), style="dim"))
    out.print(Text(elsewhere(found), style="dim"))
    for note in found.notes:
        out.print(Text(f"- {numbers.one_line(note)}", style="yellow"))


def _rich(table: Table) -> RichTable:
    rich = RichTable(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1))
    for index, column in enumerate(table.columns):
        rich.add_column(
            column.title,
            justify="right" if column.numeric else "left",
            overflow="fold",
            min_width=10 if index == 0 else None,
        )
    for row in table.rows:
        rich.add_row(*map(_cell, row))
    return rich


def _cell(entry: Entry) -> Text:
    text = Text(entry.text, style="" if entry.text != numbers.MISSING else "dim")
    for more in (entry.detail, entry.why):
        if more:
            text.append(f"\n{more}", style="dim")
    return text
