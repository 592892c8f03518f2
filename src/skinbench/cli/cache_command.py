"""`skinbench cache`."""

from __future__ import annotations

from pathlib import Path

import click

from skinbench.cli.options import json_option, open_store, print_json, store_option
from skinbench.errors import counted
from skinbench.store import KINDS


@click.group()
def command() -> None:
    """List, verify and clear the store of pixels, features, fits and predictions."""


@command.command("list")
@store_option
@json_option
def list_(store: Path | None, as_json: bool) -> None:
    """What the store holds.

    JSON: {root, bytes, objects: [{kind, name, bytes, created}]}.
    """
    opened = open_store(store)
    objects = opened.objects()
    if as_json:
        listed = [
            {"kind": o.kind, "name": o.name, "bytes": o.bytes, "created": o.created}
            for o in objects
        ]
        print_json({"root": opened.root, "bytes": sum(o.bytes for o in objects), "objects": listed})
        return
    from skinbench.report.numbers import bytes_

    click.echo(f"{opened.root}")
    for kind in KINDS:
        group = [item for item in objects if item.kind == kind]
        size = bytes_(sum(item.bytes for item in group))
        click.echo(f"{kind:<12} {len(group):>6}  {size:>10}")


@command.command()
@store_option
@json_option
def verify(store: Path | None, as_json: bool) -> None:
    """Read every object against its digests; exit code 1 if any is damaged.

    JSON: {root, checked, problems: [text]}.
    """
    opened = open_store(store)
    problems = opened.verify()
    checked = len(opened.objects())
    if as_json:
        print_json({"root": opened.root, "checked": checked, "problems": problems})
    else:
        for problem in problems:
            click.echo(problem)
        state = f"{len(problems)} damaged: remove them with `skinbench cache clear`"
        click.echo(f"{counted(checked, 'object')} read; {state if problems else 'all whole'}")
    raise SystemExit(1 if problems else 0)


@command.command()
@store_option
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only these.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(store: Path | None, kinds: tuple[str, ...], yes: bool) -> None:
    """Remove stored objects; runs under reports/ stay as they are."""
    from skinbench.report.numbers import bytes_

    opened = open_store(store)
    chosen = kinds or KINDS
    size = bytes_(sum(o.bytes for o in opened.objects() if o.kind in chosen))
    if not yes:
        click.confirm(f"Remove {size} ({', '.join(chosen)}) from {opened.root}?", abort=True)
    opened.clear(chosen)
    click.echo(f"removed {size}")
