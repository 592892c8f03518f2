"""From a run, a baseline and a policy to a verdict. Whatever cannot be judged does not pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from skinbench.errors import BaselineError
from skinbench.gate.baseline import scorecard_rows, verify_baseline
from skinbench.gate.checks import Check, matching_rows, validate_checks
from skinbench.gate.conclude import (
    ANCHOR_REASON,
    Judged,
    alone_notes,
    conclude,
    missing,
    together,
)
from skinbench.gate.decisions import DecidedRow, decided_row
from skinbench.gate.kept import (
    BaselineRow,
    baseline_rows,
    needs_probabilities,
    salted_images,
)
from skinbench.gate.measure import Pair, measure
from skinbench.gate.mismatch import mismatch
from skinbench.gate.notes import Facts, notes_on, power_notes
from skinbench.gate.uses import joined_uses, set_use
from skinbench.records import CheckResult, Row, Scorecard, SetUse, Verdict
from skinbench.records.deciding import DecisionRule, rule_title
from skinbench.records.resampling import Resamples
from skinbench.registry import suggest
from skinbench.score.evaluate import request
from skinbench.score.images import ScoredImages
from skinbench.score.predictions import Predictions
from skinbench.score.scorecard import Slices, in_slice
from skinbench.store import from_plain, salted

_EXIT = {"passed": 0, "regressed": 3}


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    """The run under judgement."""

    scorecard: Scorecard
    predictions: Mapping[str, Predictions]
    rows: Mapping[str, Row]
    slices: Slices
    salt: str | None
    resampling: Resamples
    decision: DecisionRule | None
    decided: dict[tuple[str, str], DecidedRow] = field(default_factory=dict)
    """By row and title of the rule; filled as rows are asked for."""
    uses: list[SetUse] = field(default_factory=list)

    def row_images(self, row: Row, check: Check) -> DecidedRow:
        """A row's test images, decided once for all its checks by one rule."""
        rule = check.rule(self.decision)
        key = row.name, rule_title(rule)
        if key not in self.decided:
            self.decided[key] = decided_row(row, self.predictions, self.scorecard.cells, rule)
        return self.decided[key]


def judge(
    scorecard: Scorecard,
    predictions: Mapping[str, Predictions],
    baseline: Mapping[str, Any],
    checks: Sequence[Check] | None = None,
    *,
    slices: Slices | None = None,
    salt: str | None = None,
    resampling: Resamples | None = None,
    on_inconclusive: Literal["fail", "warn"] = "fail",
    decision: DecisionRule | None = None,
    environment: Mapping[str, Any] | None = None,
) -> Verdict:
    """Compare a run with a baseline, check by check, paired on the same images by lesion group.

    A check passes where the lower bound of candidate - baseline is above minus the margin, else
    regresses where the upper bound is below 0, else is inconclusive; a floor is held against the
    candidate's own bounds. All together: regressed if any required check is, by Holm over the
    p-values; else refused if the test sets are not the baseline's; else missing if any required
    check is; passed only if all pass; else inconclusive.

    Args:
        scorecard: of the run to judge.
        predictions: cell name to predictions of that run.
        baseline: as read_baseline gives it.
        checks: the policy; None takes the baseline's own.
        slices: slice name to image id to value, for checks with a slice.
        salt: the secret text that the baseline's ids were salted with.
        resampling: bootstrap of metrics that are neither a share of images nor an AUROC.
        on_inconclusive: `warn` lets an inconclusive verdict, and no other, exit with 0.
        decision: how the candidate decides where a check names no rule of its own; None for the
            argmax. The baseline keeps the decisions of its own rule.
        environment: hardware and versions that made the predictions; others than the baseline's
            are printed, and change nothing.

    Raises:
        BaselineError: the baseline was edited, or its ids need another salt.
        UnknownNameError: a check names an unknown metric, class or slice.
        UsageError: a check makes no sense.
    """
    verify_baseline(baseline)
    _verify_salt(baseline, salt)
    policy = tuple(from_plain(Check, item) for item in baseline["policy"])
    asked = policy if checks is None else tuple(checks)
    kept = baseline_rows(baseline)
    rows = {row.name: row for row in scorecard_rows(scorecard)}
    known = {**{item.row.name: item.row for item in kept}, **rows}
    validate_checks(asked, list(known.values()), slices or (), decision)
    candidate = _Candidate(
        scorecard=scorecard,
        predictions=predictions,
        rows=rows,
        slices=slices or {},
        salt=salt,
        resampling=resampling or Resamples(),
        decision=decision,
    )
    judged = [item for check in asked for item in _judge_check(check, candidate, kept)]
    if baseline["anchor"]:
        first = baseline_rows(baseline["anchor"])
        for check in asked:
            judged.extend(_judge_anchor(check, candidate, first))
    outcome = together(judged)
    warned = outcome == "inconclusive" and on_inconclusive == "warn"
    facts = Facts(
        rule=rule_title(decision),
        thresholds={key: found.thresholds for key, found in candidate.decided.items()},
        environment=environment or {},
    )
    notes = notes_on(candidate.scorecard, baseline, asked, kept, facts)
    notes += power_notes([item.result for item in judged])
    if outcome != "regressed":
        notes += alone_notes(judged)
    if warned:
        notes.append("inconclusive, and the policy only warns of that: exit code 0")
    return Verdict(
        outcome=outcome,
        checks=tuple(_stamped(item.result, candidate) for item in judged),
        exit_code=0 if warned else _EXIT.get(outcome, 4),
        decision_rule="; ".join(dict.fromkeys(rule_title(c.rule(decision)) for c in asked)),
        notes=tuple(notes),
        uses=joined_uses(candidate.uses),
    )


def _stamped(result: CheckResult, candidate: _Candidate) -> CheckResult:
    """The result with what its row's split leaks."""
    row = candidate.rows.get(result.row)
    stamp = candidate.scorecard.stamps.get(row.split, "") if row else ""
    return replace(result, stamp=stamp) if stamp else result


def may_update(verdict: Verdict) -> bool:
    """Whether a run may become the new baseline: only after a pass.

    A check that the baseline itself cannot serve (a new row, a metric whose probabilities it
    does not keep) has nothing to lose against, and does not stand in the way where every other
    required check passed: else it could never be added.
    """
    if verdict.outcome == "passed":
        return True
    counted = [item for item in verdict.checks if item.required]
    passed = [item for item in counted if item.outcome == "passed"]
    new = [item for item in counted if item.outcome == "missing" and item.unknown_to_baseline]
    return bool(passed) and len(passed) + len(new) == len(counted)


def _verify_salt(baseline: Mapping[str, Any], salt: str | None) -> None:
    expected = baseline.get("salt_check")
    given = None if salt is None else salted("check", "", salt)
    if expected != given:
        if not expected:
            raise BaselineError("baseline: its ids are not salted; leave the salt out")
        state = "salted" if given is None else "salted with another text"
        raise BaselineError(
            f"baseline: its ids are {state}; give the salt that it was written with (--salt, or "
            f"SKINBENCH_SALT)"
        )


def _judge_check(
    check: Check, candidate: _Candidate, kept: Sequence[BaselineRow]
) -> Iterator[Judged]:
    """Every row and dataset of the baseline that a check is about."""
    names = {row.name for row in matching_rows(check, [item.row for item in kept])}
    if not names:
        yield _judge_absent(check, candidate, kept)
    for item in kept:
        if item.row.name in names:
            yield _judge_row(check, candidate, item, several=_datasets(kept, item) > 1)


RENEW = "renew the baseline with --update-baseline"
"""What to do about a check that the baseline lacks the data for."""


def _judge_absent(check: Check, candidate: _Candidate, kept: Sequence[BaselineRow]) -> Judged:
    """A check about rows that the baseline does not have."""
    found = [row.name for row in matching_rows(check, candidate.rows.values())]
    if found:
        shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        several = len(found) > 1
        reason = f"row{'s' if several else ''} {shown} {'are' if several else 'is'} not in the "
        reason += f"baseline; {RENEW}"
    else:
        hint = suggest(check.rows, {*candidate.rows, *(item.row.name for item in kept)})
        reason = f"no row of the baseline or of the run matches '{check.rows}'; {hint}"
    result = missing(check, check.rows, reason)
    return Judged(result=replace(result, unknown_to_baseline=bool(found)))


def _judge_anchor(
    check: Check, candidate: _Candidate, kept: Sequence[BaselineRow]
) -> Iterator[Judged]:
    """The same check against the first baseline of the line, at twice the margin."""
    if check.margin is None:
        return
    wide = replace(check, margin=2 * check.margin, floor=None)
    names = {row.name for row in matching_rows(wide, [item.row for item in kept])}
    for item in kept:
        if item.row.name in names:
            judged = _judge_row(wide, candidate, item, several=_datasets(kept, item) > 1)
            if judged.result.unknown_to_baseline:
                continue  # the check is younger than the first baseline, which cannot serve it
            reason = f"{ANCHOR_REASON}: {judged.result.reason}"
            yield replace(judged, result=replace(judged.result, reason=reason))


def _datasets(kept: Sequence[BaselineRow], item: BaselineRow) -> int:
    return sum(other.row.name == item.row.name for other in kept)


def _judge_row(check: Check, candidate: _Candidate, item: BaselineRow, *, several: bool) -> Judged:
    """One check of one row on one dataset."""
    name = item.row.name
    place = f"on {item.dataset}: " if several else ""
    row = candidate.rows.get(name)
    if row is None:
        return Judged(result=missing(check, name, f"{place}the run has no row {name}"))
    if check.class_ is not None and check.class_ not in row.classes:
        reason = f"{place}the label space has no class {check.class_}"
        return Judged(result=missing(check, name, reason))
    found = candidate.row_images(row, check)
    if found.problem:
        return Judged(result=missing(check, name, place + found.problem))
    key = (item.dataset, "none")
    ours = {
        seed: salted_images(sets[key], candidate.salt)
        for seed, sets in found.by_seed.items()
        if key in sets
    }
    if not ours:
        reason = f"the run has no test predictions on {item.dataset}"
        return Judged(result=missing(check, name, reason))
    refusal = _refusal(row, ours, candidate, item)
    if refusal:
        return Judged(result=missing(check, name, f"{place}refused: {refusal}"), refused=True)
    candidate.uses.append(set_use([ours[seed] for seed in sorted(ours)], row.split))
    theirs = item.decided(rule_title(check.rule(None)) if check.decision else None)
    if theirs is None:
        reason = f"{place}the baseline does not keep decisions by {rule_title(check.rule(None))}; "
        result = missing(check, name, reason + RENEW)
        return Judged(result=replace(result, unknown_to_baseline=True))
    return _judge_pair(check, candidate, row, place, (ours, theirs))


def _refusal(
    row: Row, ours: Mapping[int, ScoredImages], candidate: _Candidate, item: BaselineRow
) -> str:
    """Why this row is another test than the baseline's, or ""."""
    digest = candidate.scorecard.splits.get(row.split)
    if row.classes != item.row.classes:
        return "the classes differ from the baseline's"
    if row.split != item.row.split or digest is None or digest != item.split_digest:
        why = mismatch(ours, item.by_seed, salted=candidate.salt is not None)
        return f"split {row.split} is not the split of the baseline" + (f": {why}" if why else "")
    return mismatch(ours, item.by_seed, salted=candidate.salt is not None)


def _judge_pair(
    check: Check,
    candidate: _Candidate,
    row: Row,
    place: str,
    sides: tuple[Mapping[int, ScoredImages], Mapping[int, ScoredImages]],
) -> Judged:
    ours, theirs = sides
    if check.slice is not None:
        slice_, _, value = check.slice.partition("=")
        given = candidate.slices.get(slice_)
        reason = _unknown_value(slice_, value, given)
        if given is None or reason:
            return Judged(result=missing(check, row.name, place + reason))
        values = {salted("image", key, candidate.salt): item for key, item in given.items()}
        ours = {seed: in_slice(images, values, value) for seed, images in ours.items()}
        theirs = {seed: in_slice(images, values, value) for seed, images in theirs.items()}
    seeds = sorted(ours)
    if needs_probabilities(check, theirs[seeds[0]]):
        reason = f"{place}the baseline does not keep the probabilities that {check.title} needs; "
        result = missing(check, row.name, reason + RENEW)
        return Judged(result=replace(result, unknown_to_baseline=True))
    pair = Pair(candidate=[ours[s] for s in seeds], baseline=[theirs[s] for s in seeds])
    found = measure(
        check, request(check.metric, check.class_, row.classes), pair, candidate.resampling
    )
    return conclude(check, missing(check, row.name, ""), place, found)


def _unknown_value(name: str, value: str, given: Mapping[str, str | None] | None) -> str:
    """Why no image can be in a slice, or ""."""
    known = sorted({str(item) for item in (given or {}).values() if item is not None})
    if not known:
        return f"no image of the run has a value for the slice {name}"
    if value in known:
        return ""
    return f"no image of the run has {name}={value}; {suggest(value, known)}"
