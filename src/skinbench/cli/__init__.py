"""The command line: one file per command. Commands parse, call, print and exit."""

from __future__ import annotations

import sys

import click

from skinbench import __version__
from skinbench.cli.commands import CommandGroup
from skinbench.errors import SkinbenchError


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Research software, not a medical device.",
)
@click.version_option(__version__, prog_name="skinbench")
def cli() -> None:
    """Benchmarks of skin-lesion classifiers that can be trusted.

    A suite file says what to compare; skinbench trains, predicts, scores and reports every cell
    of it on Ray, and tells CI whether melanoma recall got worse.
    """


def main() -> None:
    """Entry point: errors of ours are one line and an exit code, never a traceback."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SkinbenchError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
