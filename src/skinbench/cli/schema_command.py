"""`skinbench schema`."""

from __future__ import annotations

import click

from skinbench.cli.options import print_json


@click.command()
@click.option("--claims", is_flag=True, help="Of a file for `skinbench claims` instead.")
def command(claims: bool) -> None:
    """JSON Schema of the suite file, for editors.

    Save it and name it in the first line of a suite:
    `# yaml-language-server: $schema=suite.schema.json`.
    """
    from skinbench.suite.claims_file import claims_schema
    from skinbench.suite.json_schema import suite_schema

    print_json(claims_schema() if claims else suite_schema())
