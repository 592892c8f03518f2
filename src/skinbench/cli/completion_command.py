"""`skinbench completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    bash: skinbench completion bash >> ~/.bashrc
    """
    from skinbench.cli import cli

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(cli, {}, "skinbench", "_SKINBENCH_COMPLETE").source())
