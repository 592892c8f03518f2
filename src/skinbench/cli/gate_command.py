"""`skinbench gate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skinbench.cli.options import RunPath, json_option, print_json, salt_option

if TYPE_CHECKING:
    from skinbench.gate import Check, Policy
    from skinbench.pipeline.judging import Subject
    from skinbench.records import Verdict
    from skinbench.report.private import Names

_File = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("new", type=RunPath(file_okay=True))
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
@click.option(
    "--check",
    "typed",
    multiple=True,
    metavar="TEXT",
    help="Check this instead of the policy, e.g. 'recall:mel margin=0.05 slice=sex=female'; "
    "several; also floor=, alpha=, rows=, decision=, required=false.",
)
@click.option("--metric", help="One such check in options of its own.")
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
    help="`warn` exits with 0 where the data cannot tell. [default: the suite's or the "
    "baseline's, else fail]",
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
    CSV file of predictions, and --baseline a baseline or the old model's predictions; the policy
    (checks, --decision, --on-inconclusive) is the one that the baseline was written with, first
    recall and specificity of melanoma, or of `malignant` where that is the class, or what --check
    says.

    Exit codes: 0 passed, 3 regressed, 4 inconclusive, missing or refused, 1 the baseline was
    altered or cannot be read, 2 an unknown class, metric or slice.

    JSON: the Verdict record.
    """
    from skinbench.gate import may_update, read_baseline, write_baseline
    from skinbench.pipeline.judging import baseline_of, judge_subject
    from skinbench.store import needed_salt

    given["renew"] = update_baseline and baseline.exists()
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
    if manifest is not None:
        verdict = replace(verdict, files=(new.name, baseline.name))
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
    from skinbench.gate import default_checks, parse_decision
    from skinbench.pipeline.judging import classes_of, file_subject, run_subject
    from skinbench.store import RunFolder

    policy = _standing_policy(new, manifest, baseline)
    if narrow := _given_checks(given):
        if given["renew"]:
            _refuse_narrow(narrow, policy.checks or (), None if manifest is None else baseline)
        policy = replace(policy, checks=narrow)
    if given["on_inconclusive"] is not None:
        policy = replace(policy, on_inconclusive=given["on_inconclusive"])
    if given["decision"] is not None:
        policy = replace(policy, decision=parse_decision(given["decision"]))
    if manifest is None:
        return run_subject(RunFolder(new), policy.checks), policy
    subject = file_subject(new, manifest, policy.checks or ())
    if policy.checks is None:
        policy = replace(policy, checks=default_checks(classes_of(subject)))
    return subject, policy


def _standing_policy(new: Path, manifest: Path | None, baseline: Path) -> Policy:
    """The suite's policy, or that of the baseline of given predictions, where there is one."""
    from skinbench.gate import Policy, read_baseline
    from skinbench.pipeline.judging import finished_run, policy_in, policy_of

    if manifest is None:
        if not new.is_dir():
            raise click.UsageError(f"{new} is no run folder; give --manifest to judge predictions")
        return policy_of(finished_run(new))
    if new.is_dir():
        raise click.UsageError(f"{new} is a folder; --manifest goes with a predictions file")
    if _is_baseline(baseline) and baseline.exists():
        return policy_in(read_baseline(baseline))
    return Policy(checks=None)


def _refuse_narrow(
    narrow: tuple[Check, ...], standing: tuple[Check, ...], baseline: Path | None
) -> None:
    """A narrow check that passes must not carry a collapse elsewhere into the baseline."""
    if standing and set(standing) <= set(narrow):
        return
    if baseline is None:
        raise click.UsageError(
            "--update-baseline goes by the suite's whole policy: leave --metric and --check out"
        )
    kept = ", ".join(f"{check.title} at {_limits(check)}" for check in standing)
    raise click.UsageError(
        f"--update-baseline goes by what {baseline} was written with ({kept}): leave --metric and "
        f"--check out, or give these and further ones by --check"
    )


def _limits(check: Check) -> str:
    known = {"margin": check.margin, "floor": check.floor}
    return ", ".join(f"{name} {value:g}" for name, value in known.items() if value is not None)


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


def _given_checks(given: dict[str, Any]) -> tuple[Check, ...]:
    """The checks on the command line, if there are any."""
    from skinbench.gate import Check, parse_check

    if given["typed"] and given["metric"] is not None:
        raise click.UsageError("--check and --metric both say what to check: give one of them")
    if given["metric"] is None:
        for option in ("class_", "slice_", "margin", "floor", "alpha"):
            if given[option] is not None:
                raise click.UsageError(f"--{option.rstrip('_')} goes with --metric")
        if given["rows"] != "*":
            raise click.UsageError("--rows goes with --metric")
        return tuple(parse_check(text) for text in given["typed"])
    margin = given["margin"]
    if margin is None and given["floor"] is None:
        margin = 0.05
    found = Check(
        rows=given["rows"],
        metric=given["metric"],
        class_=given["class_"],
        slice=given["slice_"],
        margin=margin,
        floor=given["floor"],
        alpha=given["alpha"] or 0.05,
    )
    return (found,)
