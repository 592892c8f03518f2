"""What the gate judges, from a run folder or from anyone's predictions; no torch, no Ray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skinbench.data.tables import frame_digest
from skinbench.errors import PredictionsError, StoreError
from skinbench.pipeline.scoring import checks_of, read_cells, read_slices
from skinbench.records import CellOutcome, Row, Scorecard, Verdict
from skinbench.score.foreign import Foreign, Group, read_foreign
from skinbench.score.predictions import Predictions
from skinbench.store import RunFolder, from_plain, read_json, read_record, to_plain, write_json
from skinbench.suite import stated_suite

if TYPE_CHECKING:
    from skinbench.gate import Check, Policy

ENVIRONMENT = ("gpus", "platform", "python")
"""Facts of run.json that a baseline keeps, with the versions of PACKAGES."""
PACKAGES = ("torch", "timm")
ROW, TEST = "model", "test"
"""Names in a baseline of predictions that skinbench did not make: those of files may change."""
_UNSCALED = ("brier", "calibration", "ece", "log_loss")
"""Parts of names of metrics that need probabilities which sum to 1."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One side of the gate: its scorecard, predictions, and what is known of them."""

    card: Scorecard
    predictions: Mapping[str, Predictions]
    slices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    given: bool = False
    """Predictions that skinbench did not make: no suite states their policy."""


def finished_run(root: Path) -> RunFolder:
    """The folder of a run that has its scores.

    Raises:
        StoreError: it has none.
    """
    folder = RunFolder(root)
    if not folder.scorecard.exists():
        raise StoreError(f"{folder.scorecard}: no scorecard; {root} is no finished run")
    return folder


def run_subject(folder: RunFolder, checks: Sequence[Check] | None) -> Subject:
    """A run folder."""
    card = read_record(folder.scorecard, Scorecard)
    facts = read_json(folder.run).get("environment", {}) if folder.run.exists() else {}
    return Subject(
        card=card,
        predictions=read_cells(folder, card.cells),
        slices=read_slices(folder, checks or ()),
        environment=kept_environment(facts),
    )


def kept_environment(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What of a run's environment can change a prediction, flat."""
    packages = facts.get("packages", {})
    found = {name: facts[name] for name in ENVIRONMENT if name in facts}
    return {**found, **{name: packages[name] for name in PACKAGES if name in packages}}


def file_subject(
    predictions: Path, manifest: Path, checks: Sequence[Check], group: Group = "lesion"
) -> Subject:
    """Predictions that skinbench did not make, with the table of their images.

    Raises:
        PredictionsError: the predictions break their format, or a check needs probabilities that
            they are not.
        DataError: the table breaks its format.
        UsageError: a slice that is no column.
    """
    from skinbench.records.scoring import SLICES

    named = dict.fromkeys(check.slice.partition("=")[0] for check in checks if check.slice)
    further = [name for name in named if name not in SLICES]
    found = read_foreign(predictions, manifest, group=group, slices=further)
    _refuse_unscaled(found, predictions, checks)
    row = replace(found.row, name=ROW, split=TEST)
    return Subject(
        card=_card(found, row),
        predictions={f"{ROW}@0.0": _renamed(found.predictions)},
        slices=found.slices,
        notes=tuple(f"{predictions.name}: {note}" for note in found.notes),
        given=True,
    )


def classes_of(subject: Subject) -> tuple[str, ...]:
    """Classes that its rows have, in order."""
    rows = [from_plain(Row, dict(item)) for item in subject.card.rows]
    return tuple(dict.fromkeys(code for row in rows for code in row.classes))


def _card(found: Foreign, row: Row) -> Scorecard:
    frame = found.predictions.frame
    test = frame[(frame["split"] == "test") & (frame["condition"] == "none")]
    facts = test[["image_id", "fold", "group_id", "label", "weight"]]
    digest = frame_digest(facts.sort_values(["fold", "image_id"], ignore_index=True))
    return Scorecard(
        suite="given predictions",
        level=0.95,
        replicates=0,
        datasets={TEST: found.manifest.digest},
        splits={TEST: digest},
        rows=(to_plain(row),),
        cells=(CellOutcome(cell=f"{ROW}@0.0", row=ROW, fold=0, seed=0, fit=None, status="done"),),
        scores=(),
        confusions=(),
    )


def _renamed(predictions: Predictions) -> Predictions:
    """One test set, whatever the table's file is called."""
    return replace(predictions, frame=predictions.frame.assign(dataset=TEST))


def _refuse_unscaled(found: Foreign, path: Path, checks: Sequence[Check]) -> None:
    for check in checks:
        if not found.sums_to_one and any(part in check.metric for part in _UNSCALED):
            raise PredictionsError(
                f"{path}: its rows do not sum to 1, so {check.metric} has no meaning here; check "
                f"recall, specificity or auroc"
            )


def policy_of(folder: RunFolder) -> Policy:
    """The gate's policy as the run's suite states it, or the default checks."""
    from skinbench.gate import Policy, parse_decision

    stated = stated_suite(folder.suite).gate_policy
    return Policy(
        checks=checks_of(folder),
        on_inconclusive=stated.on_inconclusive,
        decision=parse_decision(stated.decision),
    )


def judge_subject(
    subject: Subject,
    baseline: Mapping[str, Any],
    policy: Policy,
    *,
    salt: str | None = None,
    uses: Path | None = None,
) -> Verdict:
    """The verdict, with the use of its test sets counted.

    Args:
        subject: what is judged.
        baseline: from read_baseline or make_baseline.
        policy: what is asked.
        salt: what the baseline's ids were salted with.
        uses: the file that counts; None for the one in the store.

    Raises:
        BaselineError: the baseline was altered, or needs another salt.
        StoreError: `uses` is no such count.
    """
    from skinbench.gate import count_in_ledger, judge, ledger_path

    verdict = judge(
        subject.card,
        subject.predictions,
        baseline,
        policy.checks,
        slices=subject.slices,
        salt=salt,
        on_inconclusive=policy.on_inconclusive,
        decision=policy.decision,
        environment=subject.environment,
    )
    verdict = replace(verdict, notes=(*verdict.notes, *subject.notes))
    return count_in_ledger(verdict, baseline.get("uses", {}), uses or ledger_path())


def baseline_of(
    subject: Subject,
    policy: Policy,
    *,
    salt: str | None = None,
    previous: Mapping[str, Any] | None = None,
    uses: Path | None = None,
) -> dict[str, Any]:
    """A baseline of a subject, with what is known of its test sets' uses."""
    from skinbench.gate import default_checks, ledger_path, make_baseline, read_ledger

    checks = policy.checks
    if checks is None:
        checks = checks_in(previous) if previous else default_checks(classes_of(subject))
    return make_baseline(
        subject.card,
        subject.predictions,
        checks,
        salt=salt,
        previous=previous,
        slices=subject.slices,
        decision=policy.decision,
        environment=subject.environment,
        uses=read_ledger(uses or ledger_path()),
        stated=_stated(policy) if subject.given else None,
    )


def _stated(policy: Policy) -> dict[str, Any]:
    return {"decision": to_plain(policy.decision), "on_inconclusive": policy.on_inconclusive}


def checks_in(baseline: Mapping[str, Any]) -> tuple[Check, ...]:
    """The checks that a baseline was written with."""
    from skinbench.gate import Check

    return tuple(from_plain(Check, item) for item in baseline["policy"])


def policy_in(baseline: Mapping[str, Any]) -> Policy:
    """The policy that a baseline of given predictions was written with.

    One of an earlier version keeps its checks alone.
    """
    from skinbench.gate import Policy
    from skinbench.records.deciding import DecisionRule

    stated = baseline.get("stated", {})
    decision = stated.get("decision")
    return Policy(
        checks=checks_in(baseline),
        on_inconclusive=stated.get("on_inconclusive", "fail"),
        decision=None if decision is None else from_plain(DecisionRule, decision),
    )


def judge_run(
    folder: RunFolder,
    baseline: Path,
    salt: str | None = None,
    *,
    environment: Mapping[str, Any] | None = None,
    store: Path | None = None,
) -> Verdict:
    """The verdict against a baseline; kept for the report."""
    from skinbench.gate import ledger_path, read_baseline

    policy = policy_of(folder)
    subject = run_subject(folder, policy.checks)
    if environment is not None:
        subject = replace(subject, environment=kept_environment(environment))
    uses = ledger_path(store)
    verdict = judge_subject(subject, read_baseline(baseline), policy, salt=salt, uses=uses)
    write_json(folder.verdict, verdict)
    return verdict
