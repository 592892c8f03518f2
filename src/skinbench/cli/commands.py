"""Which commands there are, in which group of `--help`; each is imported when it is called."""

from __future__ import annotations

import importlib

import click

SECTIONS: dict[str, dict[str, str]] = {
    "Compare": {
        "init": "Write a commented suite for a dataset.",
        "plan": "Show what a suite amounts to, before anything is computed.",
        "audit": "What train, val and test share, found before anything is trained.",
        "run": "Run a suite; run it again to continue.",
    },
    "On a cluster": {
        "submit": "Run a suite on a Ray cluster, through its job server.",
        "jobs": "List, watch, stop and fetch what was submitted.",
        "deploy": "Write what Kubernetes, Slurm or a cloud needs to run a suite.",
    },
    "Judge": {
        "report": "Leaderboard over one or several runs.",
        "score": "Score predictions that skinbench did not make.",
        "gate": "Compare a run with a baseline, for CI.",
        "power": "What the gate can tell on a test set, before it judges.",
        "compare": "Two runs side by side: scores, flips, settings.",
        "card": "Model card of one cell, with reporting checklists filled in.",
        "claims": "Hold a paper's numbers against each other, by arithmetic alone.",
    },
    "Take out": {
        "export": "Take a cell out of a run as one folder: ONNX, evidence, card.",
        "predict": "Answer images with an exported model.",
        "serve": "Open a page to try an exported model by hand.",
    },
    "Look around": {
        "list": "Names that a suite can use.",
        "verify": "Try a model on one batch before hours are spent on it.",
        "data": "Check datasets on this machine, or download them.",
        "doctor": "What this machine has, and what to do about what it lacks.",
        "schema": "JSON Schema of the suite file, for editors.",
        "cache": "List, verify and clear the store.",
        "completion": "Print the shell completion script.",
    },
}


class CommandGroup(click.Group):
    """A group whose commands live in `skinbench.cli.<name>` and load on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the help."""
        del ctx
        return [name for commands in SECTIONS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module and return its `command`."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"skinbench.cli.{cmd_name}_command")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; the error for a miss names the nearest."""
        if args and args[0] not in self.list_commands(ctx) and not args[0].startswith("-"):
            from skinbench.registry import suggest

            hint = suggest(args[0], self.list_commands(ctx), limit=20)
            raise click.UsageError(f"no command '{args[0]}'; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands under their section, without importing any of them."""
        del ctx
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))
