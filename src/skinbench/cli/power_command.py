"""`skinbench power`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skinbench.cli.options import RunPath, json_option, print_json
from skinbench.errors import counted

if TYPE_CHECKING:
    from skinbench.gate import Check
    from skinbench.pipeline.powering import PowerOptions
    from skinbench.records import PowerLine

_Share = click.FloatRange(0, 1)


@click.command()
@click.argument("test", type=RunPath(file_okay=True))
@click.option("--metric", help="This check instead of the suite's policy.")
@click.option("--class", "class_", help="Class of --metric.")
@click.option("--slice", "slice_", metavar="NAME=VALUE", help="Only this subgroup of a run.")
@click.option("--margin", type=click.FloatRange(0, 1, min_open=True, max_open=True))
@click.option("--alpha", type=click.FloatRange(0, 0.5, min_open=True, max_open=True))
@click.option("--row", metavar="NAME", help="Row of the run that is assumed. [default: the middle]")
@click.option("--drop", "drops", multiple=True, type=_Share, help="A loss to ask about; several.")
@click.option(
    "--value",
    "values",
    multiple=True,
    metavar="METRIC=NUMBER",
    help="True value to assume, e.g. recall=0.85. [default: the run's, else 0.8, specificity 0.9]",
)
@click.option(
    "--discordant",
    type=_Share,
    help="Share of images on which an equally good one disagrees. [default: as between the row's "
    "seeds, else 0.15]",
)
@click.option(
    "--correlation",
    type=_Share,
    help="Between two images of a lesion. [default: the run's, else 0.5]",
)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    help="Of a table: this part of its lesions is the test set.",
)
@click.option("--simulations", type=click.IntRange(200, 100_000), default=1000, show_default=True)
@json_option
def command(
    test: Path, values: tuple[str, ...], share: float | None, as_json: bool, **given: Any
) -> None:
    """What the gate can tell on a test set, before it judges.

    TEST is a run folder, with the policy of its suite, or a table of images (CSV or Parquet:
    image_id, label or ISIC's one-hot columns; lesion_id where known; split). Simulated with the
    gate's own clustered test: how often an equally good model passes, how often a loss is seen,
    and how many lesions it takes for 80 %. For shares of images: recall, specificity, accuracy.

    JSON: list of PowerLine.
    """
    from skinbench.pipeline.powering import run_power, table_power

    options = _options(values, given)
    if test.is_dir():
        if share is not None:
            raise click.UsageError("--share goes with a table; a run has its own test set")
        from dataclasses import replace

        from skinbench.pipeline.judging import finished_run, policy_of, run_subject

        folder = finished_run(test)
        policy = policy_of(folder)
        if (asked := _checks(given)) is not None:
            policy = replace(policy, checks=asked)
        lines = run_power(run_subject(folder, policy.checks), policy, options)
    else:
        if given["row"] is not None:
            raise click.UsageError("--row goes with a run folder")
        lines = table_power(test, _checks(given), options, share=share)
    if as_json:
        print_json(lines)
    else:
        print_power(lines)


def _options(values: tuple[str, ...], given: dict[str, Any]) -> PowerOptions:
    from skinbench.pipeline.powering import PowerOptions, refuse_no_share

    known = {}
    for text in values:
        metric, _, number = text.partition("=")
        try:
            known[metric] = float(number)
        except ValueError:
            raise click.UsageError(
                f"--value {text}: expected METRIC=NUMBER, e.g. recall=0.85"
            ) from None
        refuse_no_share(metric)
        if not 0 < known[metric] < 1:
            raise click.UsageError(f"--value {text}: expected a number above 0 and below 1")
    return PowerOptions(
        row=given["row"],
        values=known,
        discordant=given["discordant"],
        correlation=given["correlation"],
        drops=given["drops"],
        simulations=given["simulations"],
    )


def _checks(given: dict[str, Any]) -> tuple[Check, ...] | None:
    """The check on the command line; None for the policy."""
    from skinbench.gate import Check
    from skinbench.pipeline.powering import refuse_no_share

    if given["metric"] is None:
        for option in ("class_", "slice_", "margin", "alpha"):
            if given[option] is not None:
                raise click.UsageError(f"--{option.rstrip('_')} goes with --metric")
        return None
    refuse_no_share(given["metric"])
    return (
        Check(
            metric=given["metric"],
            class_=given["class_"],
            slice=given["slice_"],
            margin=given["margin"] or 0.05,
            alpha=given["alpha"] or 0.05,
        ),
    )


def print_power(lines: list[PowerLine]) -> None:
    """A small table for each check; fits 80 columns."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = Console(highlight=False)
    for line in lines:
        what = " ".join(filter(None, (line.metric, line.class_, line.slice)))
        place = f"on {line.dataset}" if line.dataset else ""
        place += f" (row {line.row})" if line.row else ""
        about = f"margin {line.margin:g}, alpha {line.alpha:g}"
        if line.images:
            lesions = counted(line.n_groups, "lesion group")
            about = f"{counted(line.images, 'image')} of {lesions}, {about}"
        out.print(Text.assemble((what, "bold"), f" {place}: {about}"))
        if line.unchanged is None:
            out.print(Text(f"  cannot tell: {line.reason}", style="yellow"))
            continue
        out.print(Text(f"  assumed: {_assumed(line)}", style="dim"))
        table = Table(box=None, pad_edge=False, padding=(0, 2))
        table.add_column("  the new model is")
        for name in ("passed", "inconclusive", "regressed", "lesions for 80 %"):
            table.add_column(name, justify="right")
        for drop in (line.unchanged, *line.drops):
            needed = drop.groups_needed if drop.drop else line.groups_needed
            table.add_row(
                f"  {drop.drop:g} worse" if drop.drop else "  as good",
                f"{drop.passed:.0%}",
                f"{drop.inconclusive:.0%}",
                f"{drop.regressed:.0%}",
                "-" if needed is None else f"{needed:,} to {'see' if drop.drop else 'pass'}",
            )
        out.print(table)
        if line.impossible:
            drops = ", ".join(f"{drop:g}" for drop in line.impossible)
            text = f"  a loss of {drops} is not possible: the value is {line.value:.3f}"
            out.print(Text(text, style="yellow"))


def _assumed(line: PowerLine) -> str:
    text = (
        f"value {line.value:.3f}, an equally good one disagrees on {line.discordant:.1%} of the "
        f"images, correlation within a lesion {line.correlation:.2f}"
    )
    return text + (f" ({line.assumed})" if line.assumed else "")
