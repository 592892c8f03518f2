"""`skinbench gate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skinbench.cli.options import json_option, print_json, salt_option
from skinbench.errors import StoreError

if TYPE_CHECKING:
    from skinbench.gate import Check, Policy
    from skinbench.pipeline.judging import Subject
    from skinbench.records import Verdict
    from skinbench.report.private import Names

_File = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("new", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--baseline",
    type=_File,
    required=True,
    help="Committed scores and decisions; with --manifest also predictions of the old model.",
)
@click.option(
    "--manifest",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="TABLE",
    help="NEW is a file of predictions, and this the table of its images: image_id, label, and "
    "where known lesion_id, patient_id, split and columns for slices.",
)
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
@click.option(
    "--alpha",
    type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
    help="One-sided error of --metric's bounds, e.g. 0.025. [default: 0.05]",
)
@click.option(
    "--decision",
    metavar="RULE",
    help="How the models decide: argmax, mel:recall=0.9, mel:youden or mel:cost=20/1 (each on "
    "the model's own val), or mel:threshold=0.31; checks with a rule of their own keep it.",
)
@click.option(
    "--on-inconclusive",
    type=click.Choice(["fail", "warn"]),
    help="`warn` exits with 0 where the data cannot tell. [default: the suite's, else fail]",
)
@click.option("--uses", type=_File, help="File that counts uses of test sets. [default: store]")
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
    new: Path,
    baseline: Path,
    manifest: Path | None,
    update_baseline: bool,
    salt: str | None,
    uses: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Compare a run with a baseline, for CI; or anyone's predictions with others.

    The policy is the suite's `gate:`, else melanoma recall (margin 0.05) and melanoma
    specificity (0.03), paired on the same images by lesion. With --manifest NEW is a Parquet or
    CSV file of predictions, and --baseline a baseline or the old model's predictions.

    Exit codes: 0 passed, 3 regressed, 4 inconclusive, missing or refused, 1 the baseline was
    altered or cannot be read, 2 an unknown class, metric or slice.

    JSON: the Verdict record.
    """
    from skinbench.gate import may_update, read_baseline, write_baseline
    from skinbench.pipeline.judging import baseline_of, judge_subject
    from skinbench.store import needed_salt

    if update_baseline and given["metric"] is not None and baseline.exists():
        # A narrow check that passes must not carry a collapse elsewhere into the baseline.
        message = "--update-baseline goes by the suite's whole policy: leave --metric out"
        raise click.UsageError(message)
    subject, policy = _subject(new, manifest, baseline, given)
    names = _private_names(new, salt) if manifest is None else None
    salt = salt or (needed_salt((str(new),)) if names else None)
    if update_baseline and not baseline.exists():
        made = baseline_of(subject, policy, salt=salt, uses=uses)
        write_baseline(baseline, made)
        click.echo(f"first baseline written: {baseline}", err=as_json)
        itself = _shown(judge_subject(subject, made, policy, salt=salt, uses=uses), names)
        for line in _warnings(itself):
            click.echo(line, err=True)
        return
    if manifest is not None and not _is_baseline(baseline):
        if update_baseline:
            raise click.UsageError(f"--update-baseline writes a baseline (.json), not {baseline}")
        old, _ = _subject(baseline, manifest, baseline, given)
        before = baseline_of(old, policy, salt=salt, uses=uses)
    else:
        before = read_baseline(baseline)
    verdict = judge_subject(subject, before, policy, salt=salt, uses=uses)
    _show(_shown(verdict, names), as_json=as_json, junit=given["junit"], markdown=given["markdown"])
    if update_baseline:
        if may_update(verdict):
            after = baseline_of(subject, policy, salt=salt, previous=before, uses=uses)
            write_baseline(baseline, after)
            click.echo(f"baseline updated: {baseline}", err=as_json)
        else:
            click.echo("baseline left as it is: the gate did not pass", err=True)
    raise SystemExit(verdict.exit_code)


def _private_names(new: Path, salt: str | None) -> Names | None:
    """What a private run keeps to itself; its baseline, comments and logs hold salted ids."""
    from skinbench.report.private import names_of
    from skinbench.store import RunFolder

    return names_of(RunFolder(new), salt)


def _shown(verdict: Verdict, names: Names | None) -> Verdict:
    return verdict if names is None else names.record(verdict)


def _is_baseline(path: Path) -> bool:
    """A baseline is JSON; predictions are Parquet or CSV."""
    return path.suffix.lower() == ".json" or not path.exists()


def _subject(
    new: Path, manifest: Path | None, baseline: Path, given: dict[str, Any]
) -> tuple[Subject, Policy]:
    """What is judged, and by which policy."""
    from skinbench.gate import DEFAULT_CHECKS, Policy, parse_decision
    from skinbench.pipeline.judging import checks_in, file_subject, policy_of, run_subject
    from skinbench.store import RunFolder

    narrow = _given_check(given)
    if manifest is None:
        if not new.is_dir():
            raise click.UsageError(f"{new} is no run folder; give --manifest to judge predictions")
        folder = RunFolder(new)
        if not folder.scorecard.exists():
            raise StoreError(f"{folder.scorecard}: no scorecard; {new} is no finished run")
        policy = policy_of(folder)
    else:
        if new.is_dir():
            raise click.UsageError(f"{new} is a folder; --manifest goes with a predictions file")
        policy = Policy(checks=DEFAULT_CHECKS)
        if _is_baseline(baseline) and baseline.exists():
            from skinbench.gate import read_baseline

            policy = replace(policy, checks=checks_in(read_baseline(baseline)))
    if narrow is not None:
        policy = replace(policy, checks=(narrow,))
    if given["on_inconclusive"] is not None:
        policy = replace(policy, on_inconclusive=given["on_inconclusive"])
    if given["decision"] is not None:
        policy = replace(policy, decision=parse_decision(given["decision"]))
    if manifest is None:
        return run_subject(folder, policy.checks), policy
    return file_subject(new, manifest, policy.checks or ()), policy


def _show(verdict: Verdict, *, as_json: bool, junit: Path | None, markdown: Path | None) -> None:
    from skinbench.cli.verdicts import print_verdict
    from skinbench.gate import verdict_to_junit, verdict_to_markdown
    from skinbench.store import write_text

    if junit is not None:
        write_text(junit, verdict_to_junit(verdict))
    if markdown is not None:
        write_text(markdown, verdict_to_markdown(verdict))
    if as_json:
        print_json(verdict)
    else:
        print_verdict(verdict)


def _warnings(itself: Verdict) -> list[str]:
    """Why a run does not even pass against itself, and what its test set cannot tell."""
    reasons = dict.fromkeys(c.reason for c in itself.checks if c.outcome != "passed")
    cannot = [f"warning: this test set cannot pass the gate: {reason}" for reason in reasons]
    return [*cannot, *(note for note in itself.notes if note.startswith("warning: "))]


def _given_check(given: dict[str, Any]) -> Check | None:
    """The check on the command line, if there is one."""
    from skinbench.gate import Check

    if given["metric"] is None:
        for option in ("class_", "slice_", "margin", "floor", "alpha"):
            if given[option] is not None:
                raise click.UsageError(f"--{option.rstrip('_')} goes with --metric")
        if given["rows"] != "*":
            raise click.UsageError("--rows goes with --metric")
        return None
    margin = given["margin"]
    if margin is None and given["floor"] is None:
        margin = 0.05
    return Check(
        rows=given["rows"],
        metric=given["metric"],
        class_=given["class_"],
        slice=given["slice_"],
        margin=margin,
        floor=given["floor"],
        alpha=given["alpha"] or 0.05,
    )
