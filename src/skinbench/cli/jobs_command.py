"""`skinbench jobs`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinbench.cli.options import address_option, json_option, print_json

if TYPE_CHECKING:
    from skinbench.cluster.jobs import Jobs


@click.group(name="jobs")
def command() -> None:
    """List, watch, stop and fetch what `skinbench submit` started on a Ray cluster."""


@command.command(name="list")
@address_option
@json_option
def list_(address: str, as_json: bool) -> None:
    """Our jobs on the cluster, the newest first.

    JSON: [{job, suite, status, message, folder, command, seconds, exit_code}].
    """
    found = _jobs(address).jobs()
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("no job of skinbench there")
    for item in found:
        took = "" if item.seconds is None else f"{item.seconds:.0f} s"
        click.echo(f"{item.job}  {item.status.lower():9} {took:>8}  {item.suite}")


@command.command()
@click.argument("job")
@address_option
@json_option
def status(job: str, address: str, as_json: bool) -> None:
    """What became of a job.

    JSON: {job, suite, status, message, folder, command, seconds, exit_code}.
    """
    facts = _jobs(address).status(job)
    if as_json:
        print_json(facts)
        return
    took = "not started" if facts.seconds is None else f"{facts.seconds:.0f} s"
    code = "" if facts.exit_code is None else f", exit code {facts.exit_code}"
    click.echo(f"{facts.job}: {facts.status.lower()} ({took}{code})")
    for label, text in (("says", facts.message), ("folder", facts.folder), ("ran", facts.command)):
        if text:
            click.echo(f"  {label:7}{text}")


@command.command()
@click.argument("job")
@click.option("--follow", is_flag=True, help="Show it as it comes, until the job ends.")
@address_option
def logs(job: str, follow: bool, address: str) -> None:
    """What a job has printed. Ctrl-C leaves the job running."""
    from skinbench.errors import RunInterrupted

    jobs = _jobs(address)
    if not follow:
        _print_log(jobs.log(job))
        return
    facts = jobs.status(job)
    try:
        show_log(jobs, job, facts.suite)
    except KeyboardInterrupt as interrupt:
        raise RunInterrupted(f"{job} goes on without you") from interrupt


@command.command()
@click.argument("job")
@address_option
def stop(job: str, address: str) -> None:
    """Stop a job; what is trained stays in its store, and the same suite continues."""
    stopped = _jobs(address).stop(job)
    click.echo(f"{job}: {'asked to stop' if stopped else 'had ended already'}")


@command.command()
@click.argument("job")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder that does not exist yet. [default: reports/<job>]",
)
@address_option
def fetch(job: str, out: Path | None, address: str) -> None:
    """Copy a job's run folder to this machine, through the job server's port alone."""
    bring_back(_jobs(address), job, out or Path("reports") / job, must=True)


def _jobs(address: str) -> Jobs:
    from skinbench.cli.extras import CLUSTER_MODULES, require
    from skinbench.cluster.jobs import Jobs, check_address, token_warning

    require("jobs", CLUSTER_MODULES, "cluster")
    address = check_address(address)
    if warning := token_warning(address):
        click.echo(warning, err=True)
    return Jobs(address)


def show_log(jobs: Jobs, job: str, suite: str) -> None:
    """A job's events on this machine's display, its other lines as they are, until it ends."""
    from skinbench.cli.display import open_display, told
    from skinbench.errors import one_line

    rest: list[str] = []
    begun = False
    with open_display(suite) as display:
        for line in jobs.follow(job):
            event = told(line)
            if event is None:
                rest.append(one_line(line))
                continue
            if not begun:
                rest.clear()  # what Ray says of its own preparations
            begun = True
            display.listen(event)
    for line in rest:  # below the display, which redraws itself
        click.echo(line)


def _print_log(text: str) -> None:
    from skinbench.cli.display import PlainDisplay, told
    from skinbench.errors import one_line

    display = PlainDisplay(sys.stdout)
    for line in text.splitlines():
        event = told(line)
        if event is not None:
            display.listen(event)
        else:
            click.echo(one_line(line))


def bring_back(jobs: Jobs, job: str, target: Path, *, must: bool) -> None:
    """Fetch a run folder and say where it is; a run that failed early has none."""
    from skinbench.errors import ResourceError

    try:
        files = jobs.fetch(job, target)
    except ResourceError:
        if must:
            raise
        return
    report = target / "report.html"
    where = report if "report.html" in files else target
    click.echo(f"fetched {len(files)} files: {where}", err=True)
