"""`skinbench run`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinbench.cli.options import (
    FolderOrUrl,
    Place,
    json_option,
    print_json,
    store_option,
    suite_options,
    typed_command,
)
from skinbench.errors import StoreError
from skinbench.store import Mirror, is_url, open_store

if TYPE_CHECKING:
    from skinbench.suite import Suite


@click.command()
@suite_options
@click.option(
    "--out",
    type=FolderOrUrl(),
    metavar="PLACE",
    help="Run folder, or its URL. [default: reports/<suite>]",
)
@store_option
@click.option("--address", default="local", show_default=True, help="Ray address.")
@click.option("--workers", type=click.IntRange(1), help="Fits and threads at a time.")
@click.option("--fail-fast", is_flag=True, help="Start no further fit after one has failed.")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Judge the run against this baseline (salted: SKINBENCH_SALT); its exit code counts.",
)
@json_option
def command(
    suite: str,
    sets: tuple[str, ...],
    profile: tuple[str, ...],
    only: tuple[str, ...],
    out: Place | None,
    store: Place | None,
    address: str,
    workers: int | None,
    fail_fast: bool,
    baseline: Path | None,
    as_json: bool,
) -> None:
    """Run a suite; run it again to continue.

    SUITE is a file, or the name of a suite that comes with skinbench (quickstart, ham10000).
    Finished fits are never trained again; a killed one goes on from its last epoch.

    Exit codes: 0 done, 1 a cell failed (the report is still written), 2 usage, 130 interrupted;
    with --baseline also the gate's 3 and 4.

    A run folder at a URL is written on this machine, and sent there at the end.

    JSON: {folder, html, seconds, cells: [CellOutcome], verdict}.
    """
    from skinbench.cli.display import open_display
    from skinbench.cli.extras import RUN_MODULES, require
    from skinbench.pipeline import Options, run_suite
    from skinbench.suite import load_suite

    require("run", RUN_MODULES, "run")
    # A scheduler's SIGTERM is a Ctrl-C: a clean stop, and the command that continues.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    loaded = load_suite(suite, sets=sets, profile=profile, only=only)
    mirror = _mirror(out)
    options = Options(
        folder=mirror.resume() if mirror else Path(out or Path("reports") / loaded.name),
        store=open_store(store),
        address=address,
        workers=workers,
        fail_fast=fail_fast,
        command=typed_command(),
        baseline=baseline,
        salt=os.environ.get("SKINBENCH_SALT") or None,  # an option would stand in the report
    )
    _say_what_is_replaced(options.folder, loaded)
    with open_display(loaded.name, to_stderr=as_json) as display:
        result = run_suite(loaded, options, display.listen)
    if mirror is not None:
        _send(mirror)
    verdict_code = result.verdict.exit_code if result.verdict else 0
    if as_json:
        print_json(
            {
                "folder": result.folder.root if mirror is None else mirror.url,
                "html": result.folder.html,
                "seconds": round(result.seconds, 2),
                "cells": result.outcomes,
                "verdict": result.verdict,
            }
        )
    else:
        _print_result(result.folder.root)
        if mirror is not None:
            click.echo(f"Sent to {mirror.url}")
        if result.verdict is not None:
            from skinbench.cli.verdicts import print_verdict

            print_verdict(result.verdict)
    raise SystemExit(1 if result.failed else verdict_code)


def _mirror(out: Place | None) -> Mirror | None:
    """Where a run folder is sent at the end, found to be writable before anything runs."""
    if out is None or not is_url(str(out)):
        return None
    mirror = Mirror(str(out))
    mirror.check()
    return mirror


def _send(mirror: Mirror) -> None:
    try:
        mirror.send()
    except StoreError as error:
        raise StoreError(
            f"{error}; the run is whole in {mirror.folder}, and the same command sends it"
        ) from error


def _say_what_is_replaced(folder: Path, suite: Suite) -> None:
    """Name rows of an earlier run in this folder that the new report will not have."""
    from skinbench.store import RunFolder, read_json

    plan = RunFolder(folder).plan
    if not plan.is_file():
        return
    kept = {row.name for row in suite.rows} | set(suite.file.derived)
    before = [row["name"] for row in read_json(plan)["rows"] if row["kind"] != "plain"]
    gone = [name for name in before if name not in kept]
    if gone:
        shown = ", ".join(gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
        click.echo(
            f"note: {folder} has {shown}, which this run leaves out of its report; "
            f"their files move to history/; use --out to keep both reports",
            err=True,
        )


def _print_result(folder: Path) -> None:
    from rich.console import Console

    from skinbench.records import Scorecard
    from skinbench.report.leaderboard import leaderboard, to_terminal
    from skinbench.report.segmentation import segmentation_lines
    from skinbench.store import RunFolder, read_record

    console = Console()
    run = RunFolder(folder)
    to_terminal(leaderboard([run]), console)
    for line in segmentation_lines(read_record(run.scorecard, Scorecard)):
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    console.print(f"Report: {run.html}", soft_wrap=True, highlight=False)
