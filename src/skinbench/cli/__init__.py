"""The command line: one file per command. Commands parse, call, print and exit."""

from __future__ import annotations

import sys
from typing import NoReturn

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
    """Entry point: errors are one line on stderr and an exit code, never a traceback."""
    try:
        cli.main(prog_name="skinbench", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("stopped", err=True)
        sys.exit(130)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(_usage(error), error.exit_code)
    except SkinbenchError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        _fail(f"{error.filename or 'the system'}: {error.strerror or error}", 1)


def _fail(message: str, code: int) -> NoReturn:
    click.echo(f"error: {message}", err=True)
    sys.exit(code)


def _usage(error: click.ClickException) -> str:
    """Click's message on one line, with the command whose help explains it."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{message}; see `{context.command_path} --help`" if context else message
