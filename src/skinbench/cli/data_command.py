"""`skinbench data`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinbench.cli.options import Place, json_option, print_json, store_option
from skinbench.errors import RunInterrupted, UsageError
from skinbench.store import is_url, joined, open_store

if TYPE_CHECKING:
    from skinbench.data.download import DownloadPlan, Watch
    from skinbench.data.images import Progress
    from skinbench.records import DatasetCheck


@click.group()
def command() -> None:
    """Check the datasets on this machine, and download them from their official places."""


@command.command()
@click.argument("name")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="The dataset's folder. [default: $SKINBENCH_DATA/NAME]",
)
@store_option
@json_option
def check(name: str, root: Path | None, store: Place | None, as_json: bool) -> None:
    """Compare a dataset on disk with its official release; exit code 1 if they differ.

    Every image is read and decoded.

    JSON: {dataset, root, ok, title, licence, citation, homepage, rows, images, expected_images,
    classes: [{label, expected, rows, images}], missing: [image id], unreadable: {path: why},
    unused: [path], problems: [text], notes: [text], next_step}.
    """
    from skinbench import registry
    from skinbench.data.check import check_dataset

    registry.load_plugins_from_environment()
    with _files_bar(name) as progress:
        found = check_dataset(name, root, open_store(store), progress)
    if as_json:
        print_json(_check_json(found))
    else:
        _show_check(found)
    raise SystemExit(0 if found.ok else 1)


@command.command()
@click.argument("name")
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    help="Folder that the dataset goes to. [default: $SKINBENCH_DATA/NAME]",
)
@click.option(
    "--from",
    "mirror",
    metavar="URL",
    help="A mirror: a folder on a server with the same files by name; checked as strictly.",
)
@click.option("--yes", is_flag=True, help="Accept the licence without being asked.")
def download(name: str, root: Path | None, mirror: str | None, yes: bool) -> None:
    """Fetch a dataset from its official place, check it and unpack it.

    Shows the licence first. Sizes and checksums are compared where the publisher states them,
    every archive's own checksums always. Stopped at any point, the same command continues; the
    folder is filled only when everything is there. Images of the ISIC archive beyond the
    challenges: see `isic-cli` (pip install isic-cli).
    """
    from skinbench import registry
    from skinbench.data.download import download_dataset, plan_download

    registry.load_plugins_from_environment()
    plan = plan_download(name, _target(name, root), mirror)
    if not plan.missing:
        click.echo(f"{name} is complete in {plan.root}")
        return
    _accept(plan, yes)
    try:
        with _bytes_bar() as watch:
            receipt = download_dataset(plan, watch)
    except KeyboardInterrupt:
        raise RunInterrupted(f"stopped; {_again(plan)} continues") from None
    files = sum(len(got.files) for got in receipt.received)
    click.echo(f"{name}: {files:,} files in {plan.root}")
    click.echo(f"next: skinbench data check {name} --root {plan.root}")


def _target(name: str, root: Path | None) -> Path:
    if root is not None:
        return root
    named = os.environ.get("SKINBENCH_DATA")
    if not named:
        raise UsageError(
            "say where to: --root DIR, or SKINBENCH_DATA, the folder with one sub-folder per "
            "dataset"
        )
    if is_url(named):
        raise UsageError(
            f"SKINBENCH_DATA is a URL, and a download goes to a folder: --root DIR; then copy it "
            f"to {joined(named, name)}"
        )
    return Path(named) / name


def _accept(plan: DownloadPlan, yes: bool) -> None:
    """Show whose the data is, and on which terms; go on only with consent."""
    from skinbench.report.numbers import bytes_, counted

    info = plan.info
    size = plan.bytes
    known = f", {bytes_(size)}" if size is not None else ""
    lines = [
        f"{info.title}: {counted(len(plan.missing), 'file')}{known} to {plan.root}",
        f"licence   {info.licence}",
        f"cite      {info.citation}",
        f"homepage  {info.homepage}",
    ]
    if info.download_note:
        lines.append(f"note      {info.download_note}")
    if plan.mirror:
        lines.append(f"from      {plan.mirror}")
    for line in lines:
        click.echo(line, err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            f"{info.licence} must be accepted: read it at {info.homepage}, then add --yes"
        )
    click.confirm("Download under this licence?", abort=True, err=True)


def _again(plan: DownloadPlan) -> str:
    mirror = f" --from {plan.mirror}" if plan.mirror else ""
    return f"`skinbench data download {plan.dataset} --root {plan.root}{mirror}`"


# --- what is printed ---------------------------------------------------------------------


def _check_json(found: DatasetCheck) -> dict[str, object]:
    info = found.info
    return {
        "dataset": found.adapter,
        "root": found.root,
        "ok": found.ok,
        "title": info.title,
        "licence": info.licence,
        "citation": info.citation,
        "homepage": info.homepage,
        "rows": found.rows,
        "images": found.images,
        "expected_images": info.expected_images,
        "classes": found.classes,
        "missing": found.missing,
        "unreadable": found.unreadable,
        "unused": found.unused,
        "problems": found.problems,
        "notes": found.notes,
        "next_step": found.next_step,
    }


def _show_check(found: DatasetCheck) -> None:
    from skinbench.report.numbers import count, one_line

    info = found.info
    click.echo(f"{info.title} in {found.root}")
    click.echo(f"licence   {info.licence}\ncite      {info.citation}\nhomepage  {info.homepage}")
    expected = f", expected {count(info.expected_images)}" if info.expected_images else ""
    click.echo(f"\n{count(found.rows)} rows{expected}; {count(found.images)} with a usable image\n")
    click.echo(f"{'label':<24} {'expected':>9} {'rows':>9} {'images':>9}")
    for item in found.classes:
        name = one_line(item.label) or "(none)"
        click.echo(
            f"{name:<24} {count(item.expected):>9} {count(item.rows):>9} {count(item.images):>9}"
        )
    click.echo()
    for text in found.notes:
        click.echo(f"note: {one_line(text)}")
    for text in found.problems:
        click.echo(f"differs: {one_line(text)}")
    if found.ok:
        official = found.info.expected_images or found.info.expected_classes
        click.echo(
            "complete: nothing differs from the official release"
            if official
            else "readable; there is no official release to compare it with"
        )
    elif found.next_step:
        click.echo(f"next: {found.next_step}")


@contextmanager
def _files_bar(name: str) -> Iterator[Progress | None]:
    """A bar over files read, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total
        )


@contextmanager
def _bytes_bar() -> Iterator[Watch]:
    """A bar per file with speed and time left; without a terminal a line per step."""
    if not sys.stderr.isatty():
        said: set[tuple[str, str]] = set()

        def say(step: str, name: str, done: int, total: int | None) -> None:
            del done, total
            if (step, name) not in said:
                said.add((step, name))
                click.echo(f"{step:<7} {name}", err=True)

        yield say
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks = {}

        def draw(step: str, name: str, done: int, total: int | None) -> None:
            key = (step, name)
            if key not in tasks:
                tasks[key] = bar.add_task(f"{step} {name}", total=total)
            bar.update(tasks[key], completed=done, total=total)

        yield draw
