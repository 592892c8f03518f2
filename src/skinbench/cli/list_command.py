"""`skinbench list`."""

from __future__ import annotations

import click

from skinbench import registry
from skinbench.cli.options import json_option, print_json

KINDS = (*registry.KINDS, "suites")


@click.command()
@click.argument("kind", type=click.Choice(KINDS), required=False)
@json_option
def command(kind: str | None, as_json: bool) -> None:
    """Names that a suite can use, with a line on each.

    KIND is one of the catalog's folders, or `suites` for those that come with skinbench; without
    it all kinds are listed. Any timm model can be named besides the models listed.

    JSON: {kind: [{name, description}]}.
    """
    registry.load_plugins_from_environment()
    found = {item: _entries(item) for item in ([kind] if kind else KINDS)}
    if as_json:
        print_json(found)
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for name, entries in found.items():
        table = Table(
            title=name, title_justify="left", title_style="bold", box=None, show_header=False
        )
        for entry in entries:
            table.add_row(f"  {entry['name']}", entry["description"])
        console.print(table)


def _entries(kind: str) -> list[dict[str, str]]:
    if kind == "suites":
        from skinbench.suite import read_document, shipped_suites

        return [
            {"name": name, "description": str(read_document(path).values.get("description", ""))}
            for name, path in shipped_suites().items()
        ]
    found = registry.KINDS[kind]
    return [{"name": name, "description": found.describe(name)} for name in found.names()]
