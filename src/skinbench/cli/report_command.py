"""`skinbench report`."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import click

from skinbench.cli.options import RunPath, json_option, print_json


@click.command()
@click.argument(
    "runs",
    nargs=-1,
    required=True,
    metavar="RUN...",
    type=RunPath(file_okay=True),
)
@click.option("--sort", metavar="METRIC", help="Order by a metric instead of the suite's order.")
@click.option("--markdown", type=click.Path(path_type=Path, dir_okay=False), help="Write a file.")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a file.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in a browser.")
@click.option("--serve", is_flag=True, help="Serve the page to this machine until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), help="Of --serve. [default: a free one]")
@json_option
def command(
    runs: tuple[Path, ...],
    sort: str | None,
    markdown: Path | None,
    html: Path | None,
    open_page: bool,
    serve: bool,
    port: int | None,
    as_json: bool,
) -> None:
    """Leaderboard over one or several runs.

    RUN is a folder such as reports/quickstart, or the URL of one, which is fetched. Rows of
    different test sets stand in different tables. The reports of the runs themselves are written
    anew from their files. For rows in several runs it says which moved, and since when.

    JSON: the Leaderboard record.
    """
    import dataclasses

    from rich.console import Console

    from skinbench.pipeline import render
    from skinbench.pipeline.run_history import run_history
    from skinbench.report.leaderboard import (
        leaderboard,
        to_html,
        to_markdown,
        to_plain,
        to_terminal,
    )
    from skinbench.store import RunFolder, write_text

    if port is not None and not serve:
        raise click.UsageError("--port is of --serve")
    folders = [RunFolder(path) for path in run_folders(runs)]
    board = leaderboard(folders, sort=sort)
    if len(folders) > 1:
        board = dataclasses.replace(board, history=run_history(folders, board))
    for folder in folders:
        render(folder)
    if markdown is not None:
        write_text(markdown, to_markdown(board))
    if html is not None:
        write_text(html, to_html(board, folders, html))
    if as_json:
        print_json(to_plain(board))
    else:
        console = Console()
        to_terminal(board, console)
        for page in [html] if html else [folder.html for folder in folders]:
            console.print(f"Report: {page}", soft_wrap=True, highlight=False)
    show(html or folders[0].html, open_page=open_page, serve=serve, port=port)


def run_folders(paths: Sequence[Path]) -> list[Path]:
    """The run folders among several paths, such as those of `reports/*`; others are named.

    Raises:
        click.UsageError: a file is all that was given.
    """
    found = [path for path in paths if (path / "scorecard.json").is_file()]
    if not found:  # one clear error about the first, as if it stood alone
        if paths[0].is_file():
            raise click.UsageError(f"'{paths[0]}' is a file; expected a run folder")
        return [paths[0]]
    for path in paths:
        if path not in found:
            click.echo(f"note: {path} is no run folder (no scorecard.json): left out", err=True)
    return found


def show(page: Path, *, open_page: bool, serve: bool, port: int | None) -> None:
    """Open a page from disk, or serve it until Ctrl-C."""
    if not serve:
        if open_page:
            click.launch(str(page))
        return
    from skinbench.cli.page_server import serve_page

    def started(address: str) -> None:
        click.echo(f"Serving {page} at {address} to this machine only; Ctrl-C ends.", err=True)
        if open_page:
            click.launch(address)

    # Also where a shell started it in the background, with Ctrl-C ignored.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    serve_page(page, port or 0, started)
    click.echo("Stopped.", err=True)
