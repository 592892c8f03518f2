"""`skinbench init`."""

from __future__ import annotations

from pathlib import Path

import click

from skinbench.errors import UsageError

CHOICES = ("synthetic", "ham10000", "csv")


@click.command()
@click.argument("dataset", type=click.Choice(CHOICES), default="synthetic")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write. [default: <dataset>_suite.yaml]",
)
@click.option("--force", is_flag=True, help="Replace an existing file.")
def command(dataset: str, out: Path | None, force: bool) -> None:
    """Write a commented suite for a dataset: the shortest way to a first table."""
    from skinbench.store import write_text

    target = out or Path(f"{dataset}_suite.yaml")
    if target.exists() and not force:
        raise UsageError(f"{target} exists; use --force to replace it, or --out another file")
    source = Path(__file__).parent / "starters" / f"{dataset}.yaml"
    write_text(target, source.read_text(encoding="utf-8"))
    click.echo(f"wrote {target}; next: skinbench plan {target}, then skinbench run {target}")
