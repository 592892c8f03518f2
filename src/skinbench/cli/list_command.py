"""`skinbench list`."""

from __future__ import annotations

import click

from skinbench import registry
from skinbench.cli.options import json_option, print_json

KINDS = (*registry.KINDS, "suites")


@click.command()
@click.argument("kind", type=click.Choice(KINDS), required=False, metavar="[KIND]")
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
    formatter = click.HelpFormatter(max_width=100)
    for name, entries in found.items():
        with formatter.section(name):
            formatter.write_dl([(entry["name"], entry["description"]) for entry in entries])
    click.echo(formatter.getvalue().strip())


def _entries(kind: str) -> list[dict[str, str]]:
    if kind == "suites":
        from skinbench.suite import read_document, shipped_suites

        return [
            {"name": name, "description": str(read_document(path).values.get("description", ""))}
            for name, path in shipped_suites().items()
        ]
    found = registry.KINDS[kind]
    return [{"name": name, "description": found.describe(name)} for name in found.names()]
