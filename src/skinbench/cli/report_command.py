"""`skinbench report`."""

from __future__ import annotations

from pathlib import Path

import click

from skinbench.cli.options import json_option, print_json


@click.command()
@click.argument(
    "runs",
    nargs=-1,
    required=True,
    metavar="RUN...",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
)
@click.option("--sort", metavar="METRIC", help="Order by a metric instead of the suite's order.")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Write a file.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a file.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@json_option
def command(
    runs: tuple[Path, ...],
    sort: str | None,
    markdown: Path | None,
    html: Path | None,
    open_page: bool,
    as_json: bool,
) -> None:
    """Leaderboard over one or several runs.

    RUN is a folder such as reports/quickstart. Rows of different test sets stand in different
    tables. The reports of the runs themselves are written anew from their files.

    JSON: the Leaderboard record.
    """
    from rich.console import Console

    from skinbench.pipeline import render
    from skinbench.report.leaderboard import (
        leaderboard,
        to_html,
        to_markdown,
        to_plain,
        to_terminal,
    )
    from skinbench.store import RunFolder, write_text

    folders = [RunFolder(path) for path in runs]
    board = leaderboard(folders, sort=sort)
    for folder in folders:
        render(folder)
    if markdown is not None:
        write_text(markdown, to_markdown(board))
    if html is not None:
        write_text(html, to_html(board))
    if as_json:
        print_json(to_plain(board))
    else:
        console = Console()
        to_terminal(board, console)
        for page in [html] if html else [folder.html for folder in folders]:
            console.print(f"Report: {page}", soft_wrap=True, highlight=False)
    if open_page:
        click.launch(str(html or folders[0].html))
