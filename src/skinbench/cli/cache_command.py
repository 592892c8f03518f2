"""`skinbench cache`."""

from __future__ import annotations

import click

from skinbench.cli.options import Place, json_option, print_json, store_option
from skinbench.errors import counted
from skinbench.store import KINDS, SharedStore, Store, open_store


@click.group()
def command() -> None:
    """List, verify and clear the store of pixels, features, fits and predictions."""


@command.command("list")
@store_option
@json_option
def list_(store: Place | None, as_json: bool) -> None:
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
        print_json(
            {"root": opened.place, "bytes": sum(o.bytes for o in objects), "objects": listed}
        )
        return
    from skinbench.report.numbers import bytes_

    click.echo(opened.place)
    for kind in KINDS:
        group = [item for item in objects if item.kind == kind]
        size = bytes_(sum(item.bytes for item in group))
        click.echo(f"{kind:<12} {len(group):>6}  {size:>10}")
    if isinstance(opened, SharedStore):
        copies = bytes_(sum(item.bytes for item in opened.copies()))
        click.echo(f"copies on this machine, in {opened.root}: {copies}")


@command.command()
@store_option
@click.option("--remove", is_flag=True, help="Remove what is damaged; a run makes it again.")
@json_option
def verify(store: Place | None, remove: bool, as_json: bool) -> None:
    """Read every object against its digests; exit code 1 if any is damaged.

    Of a store at a URL everything is read over the network, and this machine's copies, too.

    JSON: {root, checked, problems: [text]}.
    """
    opened = open_store(store)
    checked = len(opened.objects())
    problems = opened.verify(remove=remove)
    if as_json:
        print_json({"root": opened.place, "checked": checked, "problems": problems})
    else:
        for problem in problems:
            click.echo(problem)
        next_step = "removed" if remove else "remove them with `skinbench cache verify --remove`"
        state = f"{len(problems)} damaged: {next_step}"
        click.echo(f"{counted(checked, 'object')} read; {state if problems else 'all whole'}")
    raise SystemExit(1 if problems else 0)


@command.command()
@store_option
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only these.")
@click.option("--copies", is_flag=True, help="Of a store at a URL only this machine's copies.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(store: Place | None, kinds: tuple[str, ...], copies: bool, yes: bool) -> None:
    """Remove stored objects; runs under reports/ stay as they are.

    A store at a URL is cleared for all who use it, unless --copies says otherwise.
    """
    from skinbench.report.numbers import bytes_

    opened = open_store(store)
    chosen = kinds or KINDS
    if copies and isinstance(opened, SharedStore):
        opened = Store(opened.root)  # its folder is as that of any store
    size = bytes_(sum(o.bytes for o in opened.objects() if o.kind in chosen))
    if not yes:
        click.confirm(f"Remove {size} ({', '.join(chosen)}) from {opened.place}?", abort=True)
    opened.clear(chosen)
    click.echo(f"removed {size}")
