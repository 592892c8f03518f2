"""`skinbench card`."""

from __future__ import annotations

from pathlib import Path

import click

from skinbench.cli.options import RunPath, json_option, print_json


@click.command()
@click.argument("run", type=RunPath())
@click.argument("cell")
@click.option("--on", metavar="DATA[,CONDITION]", help="Test set, where the row has several.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a file.")
@json_option
def command(run: Path, cell: str, on: str | None, out: Path | None, as_json: bool) -> None:
    """Model card of one cell, with reporting checklists filled in.

    RUN is a folder such as reports/quickstart; CELL is a row of it, on its first test set unless
    --on names another one, or the address of its page in report.html (cell-...). Markdown, from
    the files of the run folder alone: data, licence, splits, scores with intervals, subgroups,
    limits, what was not measured; STARD-AI and CLEAR Derm item by item, "not stated" where the
    run cannot say. A filled list claims no compliance.

    JSON: {row, dataset, slug, card: ModelCard}.
    """
    from skinbench.report.card_page import read_card, to_markdown
    from skinbench.report.private import names_of
    from skinbench.store import RunFolder, write_text

    names = names_of(RunFolder(run))
    card = read_card(RunFolder(run), cell, on)
    text = to_markdown(card) if names is None else names.hidden(to_markdown(card))
    if out is not None:
        write_text(out, text)
    if as_json:
        page = card.page
        about = {"row": page.row, "dataset": page.dataset, "slug": page.slug}
        print_json({**about, "card": card.card if names is None else names.record(card.card)})
    elif out is None:
        click.echo(text, nl=False)
    else:
        click.echo(f"Model card: {out}")
