"""Options that several commands share, and how commands print JSON."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from skinbench.store import Mirror, is_url, to_plain

F = TypeVar("F", bound=Callable[..., Any])
Place = Path | str
"""A folder of this machine, or a URL."""


class FolderOrUrl(click.Path):
    """A folder as a path, or a URL as text."""

    def __init__(self, *, exists: bool = False) -> None:
        super().__init__(path_type=Path, file_okay=False, exists=exists)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """A path is checked here, a URL where it is used."""
        return value if is_url(str(value)) else super().convert(value, param, ctx)


class RunPath(click.Path):
    """A run folder that exists, or a URL of one: what is there is fetched to this machine first."""

    def __init__(self, *, file_okay: bool = False) -> None:
        super().__init__(path_type=Path, exists=True, file_okay=file_okay)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The folder on this machine."""
        return Mirror(value).fetch() if is_url(str(value)) else super().convert(value, param, ctx)


def suite_options(function: F) -> F:
    """SUITE with --set, --profile and --only."""
    for decorator in (
        click.option("--only", multiple=True, metavar="GLOB", help="Keep rows that match."),
        click.option(
            "--profile",
            multiple=True,
            metavar="NAME",
            help="Settings under `profiles:` to merge in; several in the order given.",
        ),
        click.option(
            "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override one setting."
        ),
        click.argument("suite"),
    ):
        function = decorator(function)
    return function


def store_option(function: F) -> F:
    """--store."""
    return click.option(
        "--store",
        type=FolderOrUrl(),
        metavar="PLACE",
        help="Folder or URL (s3://...) for pixels, features and fits. [default: $SKINBENCH_STORE "
        "or the user cache]",
    )(function)


def address_option(function: F) -> F:
    """--address of a job server."""
    return click.option(
        "--address",
        required=True,
        envvar="RAY_API_SERVER_ADDRESS",
        metavar="URL",
        help="The cluster's job server, e.g. http://127.0.0.1:8265. [env: RAY_API_SERVER_ADDRESS]",
    )(function)


def json_option(function: F) -> F:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def salt_option(function: F) -> F:
    """--salt."""
    return click.option(
        "--salt",
        envvar="SKINBENCH_SALT",
        metavar="TEXT",
        callback=_salt,
        help="Secret text: the baseline holds hashes instead of ids. [env: SKINBENCH_SALT]",
    )(function)


def _salt(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.strip():
        raise click.BadParameter("is empty; ids would be kept under hashes that anyone can make")
    return value


def print_json(value: object) -> None:
    """Print a value as indented JSON."""
    click.echo(json.dumps(to_plain(value), indent=1, ensure_ascii=False))


def typed_command() -> str:
    """The command as the user typed it, fit to be pasted."""
    return shlex.join(["skinbench", *sys.argv[1:]])
