"""`skinbench schema`."""

from __future__ import annotations

import click

from skinbench.cli.options import print_json


@click.command()
def command() -> None:
    """JSON Schema of the suite file, for editors.

    Save it and name it in the first line of a suite:
    `# yaml-language-server: $schema=suite.schema.json`.
    """
    from skinbench.suite.json_schema import suite_schema

    print_json(suite_schema())
