"""`skinbench claims`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinbench.cli.options import json_option, print_json

if TYPE_CHECKING:
    from skinbench.report.tables import Table

_WIDE = 150
"""Columns from which the reason of every claim has a place in the table."""
_STYLES = {"bad": "red", "warn": "yellow", "good": "green"}


@click.command()
@click.argument("file")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Write a file.")
@json_option
def command(file: str, markdown: Path | None, as_json: bool) -> None:
    """Hold a paper's numbers against each other, by arithmetic alone.

    FILE is a suite with claims (a path, or a name such as paper_tables), or a file of claims of
    your own: YAML with a list `claims:`, or CSV, each claim with row, metric, class, value, n,
    n_positive, sd, folds, source (see `skinbench schema --claims`). Nothing is run.

    Impossible: a ± that no scores in [0, 1] can have. Contradictory: two numbers for one row; a
    total that its classes do not give. Numbers are taken with the digits in print.

    JSON: {file, rows, counts: {verdict: number}, claims: [{row, metric, class, printed, source,
    verdict, reason}]}.
    """
    from skinbench.pipeline.claiming import check_claims_file
    from skinbench.report.claim_checks import checks_table, summary, to_markdown
    from skinbench.store import write_text

    found = check_claims_file(file)
    table = checks_table(found.checks)
    if markdown is not None:
        write_text(markdown, to_markdown(found.file, found.rows, found.counts, table))
    if as_json:
        print_json(
            {
                "file": found.file,
                "rows": found.rows,
                "counts": found.counts,
                "claims": found.checks,
            }
        )
        return
    _print(table, summary(found.rows, found.counts))


def _print(table: Table, said: str) -> None:
    """A line a claim; on a narrow terminal the reasons of those that fail stand below."""
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(highlight=False)
    wide = console.width >= _WIDE
    rich = RichTable(box=None, pad_edge=False, header_style="bold")
    shown = table.columns if wide else table.columns[:-1]
    for column in shown:
        rich.add_column(
            column.title, overflow="fold", no_wrap=column.title in ("verdict", "in print")
        )
    for row in table.rows:
        cells = row[: len(shown)]
        rich.add_row(*(Text(entry.text, style=_STYLES.get(entry.tone, "")) for entry in cells))
    console.print(rich)
    if not wide:
        for row in table.rows:
            if row[-2].tone != "good":
                name = f"{row[0].text}, {row[1].text}: "
                console.print(Text.assemble((name, _STYLES[row[-2].tone]), row[-1].text))
    console.print(Text(said, style="bold"))
