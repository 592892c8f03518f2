"""`skinbench gate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skinbench.cli.options import json_option, print_json, salt_option

if TYPE_CHECKING:
    from skinbench.gate import Check
    from skinbench.records import Verdict
    from skinbench.store import RunFolder

_File = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--baseline", type=_File, required=True, help="Committed scores and decisions.")
@click.option("--metric", help="Check this metric instead of the suite's policy.")
@click.option("--class", "class_", help="Class of --metric.")
@click.option("--slice", "slice_", metavar="NAME=VALUE", help="Only this subgroup.")
@click.option("--rows", default="*", show_default=True, metavar="GLOB", help="Rows of --metric.")
@click.option("--margin", type=click.FloatRange(0, 1, min_open=True, max_open=True))
@click.option(
    "--floor",
    type=click.FloatRange(0, 1),
    help="Least value of --metric by itself, at its lower bound; for a loss the greatest.",
)
@click.option("--junit", type=_File, help="Write a JUnit file.")
@click.option("--markdown", type=_File, help="Write a Markdown file, for a comment.")
@click.option(
    "--update-baseline",
    is_flag=True,
    help="Write the baseline: the first one, or a new one after the gate passed.",
)
@salt_option
@json_option
def command(
    run: Path,
    baseline: Path,
    update_baseline: bool,
    salt: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Compare a run with a baseline, for CI.

    The policy is the suite's `gate:`, else melanoma recall (margin 0.05) and melanoma
    specificity (0.03), paired on the same images by lesion.

    Exit codes: 0 passed, 3 regressed, 4 inconclusive, missing or refused, 1 the baseline was
    altered or cannot be read, 2 an unknown class, metric or slice.

    JSON: the Verdict record.
    """
    from skinbench.cli.verdicts import print_verdict
    from skinbench.gate import (
        judge,
        make_baseline,
        may_update,
        read_baseline,
        verdict_to_junit,
        verdict_to_markdown,
        write_baseline,
    )
    from skinbench.pipeline.scoring import read_cells, read_slices
    from skinbench.records import Scorecard
    from skinbench.store import RunFolder, read_record, write_text

    folder = RunFolder(run)
    card = read_record(folder.scorecard, Scorecard)
    checks = _checks(folder, given)
    predictions = read_cells(folder, card.cells)
    slices = read_slices(folder, checks)
    first = update_baseline and not baseline.exists()
    if update_baseline and not first and given["metric"] is not None:
        # A narrow check that passes must not carry a collapse elsewhere into the baseline.
        message = "--update-baseline goes by the suite's whole policy: leave --metric out"
        raise click.UsageError(message)
    if first:
        made = make_baseline(card, predictions, checks, salt=salt)
        write_baseline(baseline, made)
        click.echo(f"first baseline written: {baseline}", err=as_json)
        itself = judge(card, predictions, made, checks, slices=slices, salt=salt)
        for reason in _undecidable(itself):
            click.echo(f"warning: this test set cannot pass the gate: {reason}", err=True)
        return
    before = read_baseline(baseline)
    verdict = judge(card, predictions, before, checks, slices=slices, salt=salt)
    if given["junit"] is not None:
        write_text(given["junit"], verdict_to_junit(verdict))
    if given["markdown"] is not None:
        write_text(given["markdown"], verdict_to_markdown(verdict))
    if as_json:
        print_json(verdict)
    else:
        print_verdict(verdict)
    if update_baseline:
        if may_update(verdict):
            after = make_baseline(card, predictions, checks, salt=salt, previous=before)
            write_baseline(baseline, after)
            click.echo(f"baseline updated: {baseline}", err=as_json)
        else:
            click.echo("baseline left as it is: the gate did not pass", err=True)
    raise SystemExit(verdict.exit_code)


def _undecidable(itself: Verdict) -> list[str]:
    """Why a run does not even pass against itself, each reason once."""
    return list(dict.fromkeys(c.reason for c in itself.checks if c.outcome != "passed"))


def _checks(folder: RunFolder, given: dict[str, Any]) -> tuple[Check, ...]:
    """The check on the command line, else the suite's, else the default policy."""
    from skinbench.gate import Check
    from skinbench.pipeline.scoring import checks_of

    if given["metric"] is None:
        for option in ("class_", "slice_", "margin", "floor"):
            if given[option] is not None:
                raise click.UsageError(f"--{option.rstrip('_')} goes with --metric")
        if given["rows"] != "*":
            raise click.UsageError("--rows goes with --metric")
        return checks_of(folder)
    margin = given["margin"]
    if margin is None and given["floor"] is None:
        margin = 0.05
    return (
        Check(
            rows=given["rows"],
            metric=given["metric"],
            class_=given["class_"],
            slice=given["slice_"],
            margin=margin,
            floor=given["floor"],
        ),
    )
