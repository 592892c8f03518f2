"""`skinbench submit`."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinbench.cli.options import address_option, suite_options

if TYPE_CHECKING:
    from skinbench.cluster.jobs import Jobs
    from skinbench.cluster.shipment import Shipment
    from skinbench.suite import Suite


@click.command()
@suite_options
@address_option
@click.option("--data", metavar="PLACE", help="SKINBENCH_DATA there: a folder or a URL.")
@click.option("--weights", metavar="PATH", help="SKINBENCH_WEIGHTS there.")
@click.option(
    "--store", metavar="PLACE", help="The store there: a folder that all nodes see, or a URL."
)
@click.option("--folder", metavar="PATH", help="Where run folders lie there. [default: its home]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the report comes back to. [default: reports/<suite>]",
)
@click.option(
    "--working-copy",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Also send this checkout's files, without .git and what git ignores.",
)
@click.option("--detach", is_flag=True, help="Do not wait; `skinbench jobs` tells the rest.")
def command(
    suite: str,
    sets: tuple[str, ...],
    profile: tuple[str, ...],
    only: tuple[str, ...],
    address: str,
    data: str | None,
    weights: str | None,
    store: str | None,
    folder: str | None,
    out: Path | None,
    working_copy: Path | None,
    detach: bool,
) -> None:
    """Run a suite on a Ray cluster, through its job server.

    Sends this installation of skinbench as a wheel and the suite, never data or weights: these
    are where the cluster sees them. Shows the run as `skinbench run` does. Ctrl-C leaves it
    running and says how to come back; at its end the run folder comes back.

    Exit codes: the run's own; 1 where the cluster fails; 130 after Ctrl-C.
    """
    from skinbench.cli.extras import CLUSTER_MODULES, require
    from skinbench.cluster.jobs import Jobs, check_address, token_warning
    from skinbench.errors import UsageError
    from skinbench.suite import load_suite

    require("submit", CLUSTER_MODULES, "cluster")
    address = check_address(address)
    loaded = load_suite(suite, sets=sets, profile=profile, only=only)
    target = out or Path("reports") / loaded.name
    if target.exists() and not detach:
        raise UsageError(f"{target} exists already; name another folder with --out")
    options = [word for item in sets for word in ("--set", item)]
    options += [word for item in profile for word in ("--profile", item)]
    options += [word for item in only for word in ("--only", item)]
    options += ["--store", store] if store else []
    named = {"SKINBENCH_DATA": data, "SKINBENCH_WEIGHTS": weights}
    environment = {name: value for name, value in named.items() if value}
    environment |= {"SKINBENCH_EVENTS": "1", "COLUMNS": str(_columns())}
    with tempfile.TemporaryDirectory() as place:
        shipment = _packed(loaded, working_copy, Path(place))
        if warning := token_warning(address):
            click.echo(warning, err=True)
        for line in shipment.lines():
            click.echo(line, err=True)
        jobs = Jobs(address)
        job = jobs.submit(
            shipment, options, environment, suite=loaded.name, folder=(folder or "").rstrip("/")
        )
    if detach:
        click.echo(f"submitted as {job}", err=True)
        click.echo(f"watch it: skinbench jobs logs {job} --follow --address {address}", err=True)
        return
    _watch(jobs, job, loaded.name, target)


def _columns() -> int:
    return int(os.environ.get("COLUMNS") or 0) or shutil.get_terminal_size((100, 24)).columns


def _packed(suite: Suite, working_copy: Path | None, place: Path) -> Shipment:
    from skinbench.cluster.shipment import pack_suite, pack_working_copy

    if working_copy is not None:
        return pack_working_copy(suite, working_copy, place)
    return pack_suite(suite, place)


def _watch(jobs: Jobs, job: str, suite: str, target: Path) -> None:
    """Show a job to its end, then bring its folder back; exits with the run's code."""
    from skinbench.cli.jobs_command import bring_back, show_log
    from skinbench.errors import ResourceError, RunInterrupted

    try:
        click.echo(f"submitted as {job}", err=True)
        show_log(jobs, job, suite)
    except KeyboardInterrupt as stop:
        raise RunInterrupted(
            f"the job goes on without you; come back: skinbench jobs logs {job} --follow "
            f"--address {jobs.address}; stop it: skinbench jobs stop {job} --address {jobs.address}"
        ) from stop
    facts = jobs.status(job)
    if facts.status == "STOPPED":
        raise ResourceError(f"{job} was stopped; the same command continues where it was")
    if facts.exit_code is None and facts.status != "SUCCEEDED":
        raise ResourceError(f"{job} did not start or was lost: {facts.message}")
    code = facts.exit_code or 0
    if code in (0, 1, 3, 4):
        bring_back(jobs, job, target, must=code == 0)
    raise SystemExit(code)
