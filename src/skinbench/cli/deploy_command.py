"""`skinbench deploy`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from skinbench.cli.options import suite_options

F = TypeVar("F", bound=Callable[..., Any])

if TYPE_CHECKING:
    from skinbench.cluster.deployment import Deployment

_OF_MACHINES = (
    click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="Machines."),
    click.option("--cpus", type=click.IntRange(1), default=4, show_default=True, help="Of each."),
    click.option("--gpus", type=click.IntRange(0), default=0, show_default=True, help="Of each."),
    click.option(
        "--memory", type=click.IntRange(1), default=16, show_default=True, help="GiB of each."
    ),
    click.option(
        "--minutes", type=click.IntRange(2), default=720, show_default=True, help="Time limit."
    ),
    click.option(
        "--shared",
        default="/shared",
        show_default=True,
        metavar="PLACE",
        help="Folder that all nodes see, or a URL (s3://...), with data/, weights/, store/ and "
        "runs/.",
    ),
)
_OF_PLACES = (
    click.option("--data", metavar="PLACE", help="Data elsewhere than in --shared."),
    click.option("--weights", metavar="PLACE", help="Weights elsewhere."),
    click.option("--store", metavar="PLACE", help="The store elsewhere."),
    click.option("--runs", metavar="PLACE", help="Run folders elsewhere."),
    click.option(
        "--copies",
        default="",
        metavar="PATH",
        help="Folder on each node's own disk for copies of a store at a URL. [default: the user "
        "cache; in a pod /copies]",
    ),
)
_OF_KINDS = (
    click.option("--image", default="", help="kuberay: image that holds skinbench[cluster]."),
    click.option("--claim", default="", help="kuberay: volume claim that --shared is on."),
    click.option(
        "--secret", default="", help="kuberay: secret whose entries are the pods' keys to URLs."
    ),
    click.option("--partition", default="", help="slurm: where to queue."),
    click.option("--python", default=sys.executable, help="slurm: the interpreter on all nodes."),
    click.option(
        "--provider",
        type=click.Choice(["local", "aws", "gcp"]),
        default="local",
        show_default=True,
        help="ray-cluster: whose machines.",
    ),
    click.option("--host", "hosts", multiple=True, help="ray-cluster, local: the head first."),
    click.option("--region", default="", help="ray-cluster: of a cloud."),
    click.option("--machine", default="", help="ray-cluster: a cloud's type of machine."),
    click.option("--project", default="", help="ray-cluster: Google's project."),
)


def _with(options: tuple[Callable[[F], F], ...]) -> Callable[[F], F]:
    def apply(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return apply


@click.command()
@suite_options
@click.option("--kuberay", "kind", flag_value="kuberay", help="A RayJob for Kubernetes.")
@click.option("--slurm", "kind", flag_value="slurm", help="A batch script for sbatch.")
@click.option("--ray-cluster", "kind", flag_value="ray-cluster", help="A file for `ray up`.")
@_with(_OF_MACHINES)
@_with(_OF_PLACES)
@_with(_OF_KINDS)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it to this file instead of printing it.",
)
def command(
    suite: str,
    sets: tuple[str, ...],
    profile: tuple[str, ...],
    only: tuple[str, ...],
    kind: str | None,
    out: Path | None,
    **options: Any,
) -> None:
    """Write what a cluster's own tools need to run a suite.

    A RayJob with the suite inside (KubeRay), a batch script that starts Ray across its
    allocation, resubmits itself at the time limit and continues (Slurm), or a cluster file for
    Ray's launcher, to which `skinbench submit` then sends suites. Starts nothing itself, and
    writes no key of a URL: these are where each machine's own tools look for them.
    """
    from skinbench.cluster.deployment import PLACES, Deployment
    from skinbench.cluster.shipment import refuse_local_data, small_files
    from skinbench.errors import UsageError
    from skinbench.store import write_text
    from skinbench.suite import load_suite

    if kind is None:
        raise UsageError("say for what: --kuberay, --slurm or --ray-cluster")
    loaded = load_suite(suite, sets=sets, profile=profile, only=only)
    source = loaded.document.path
    assert source is not None
    if kind == "kuberay":
        refuse_local_data(loaded)
        for key, name in small_files(loaded):
            raise UsageError(
                f"{source}: {key}: a RayJob carries the suite alone, not {name}; use `submit`"
            )
    words = [
        w
        for name, items in (("--set", sets), ("--profile", profile), ("--only", only))
        for item in items
        for w in (name, item)
    ]
    deployment = Deployment(
        suite=source,
        name=loaded.name,
        options=tuple(words),
        nodes=options["nodes"],
        cpus=options["cpus"],
        gpus=options["gpus"],
        memory=options["memory"],
        minutes=options["minutes"],
        shared=options["shared"].rstrip("/"),
        places={what: (options[what] or "").rstrip("/") for what in PLACES},
        copies=options["copies"],
        secret=options["secret"],
        image=options["image"],
        claim=options["claim"],
    )
    text = _text(kind, deployment, options)
    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)
        click.echo(f"wrote {out}", err=True)


def _text(kind: str, deployment: Deployment, options: dict[str, Any]) -> str:
    if kind == "kuberay":
        from skinbench.cluster.kuberay import ray_job

        return ray_job(deployment, _ray_version())
    if kind == "slurm":
        from skinbench.cluster.slurm import batch_script

        return batch_script(deployment, partition=options["partition"], python=options["python"])
    from skinbench.cluster.autoscaler import cluster_file

    return cluster_file(
        deployment,
        options["provider"],
        hosts=options["hosts"],
        region=options["region"],
        machine=options["machine"],
        project=options["project"],
    )


def _ray_version() -> str:
    """Of this machine, which the image is to have too."""
    try:
        return metadata.version("ray")
    except metadata.PackageNotFoundError:
        return "2.50.0"
