"""Warnings and facts to print with a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import skinbench
from skinbench.errors import counted
from skinbench.gate.baseline import scorecard_rows
from skinbench.gate.checks import Check, matching_rows
from skinbench.gate.decisions import Thresholds
from skinbench.gate.kept import BaselineRow
from skinbench.gate.needed import TARGET
from skinbench.records import CheckResult, Scorecard
from skinbench.records.deciding import ARGMAX, parse_decision, rule_title
from skinbench.store import to_plain


@dataclass(frozen=True, kw_only=True)
class Facts:
    """How the candidate decides and what made it."""

    rule: str
    thresholds: Mapping[tuple[str, str], Thresholds]
    """By row and title of the rule; empty under the argmax."""
    environment: Mapping[str, Any]


def notes_on(
    scorecard: Scorecard,
    baseline: Mapping[str, Any],
    asked: Sequence[Check],
    kept: Sequence[BaselineRow],
    facts: Facts,
) -> list[str]:
    """Facts and warnings to print with a verdict."""
    notes = [*_rule_notes(asked, facts), *_decision_notes(baseline, asked, facts)]
    notes.extend(_environment_notes(baseline.get("environment") or {}, facts.environment))
    notes.extend(_alone(asked))
    if to_plain(list(asked)) != baseline["policy"]:
        notes.append("the policy differs from the one that the baseline was written with")
    if baseline["versions"].get("skinbench") != skinbench.__version__:
        notes.append(
            f"skinbench {skinbench.__version__} judges a baseline of "
            f"{baseline['versions'].get('skinbench')}"
        )
    changed = sorted(
        name
        for name, digest in scorecard.datasets.items()
        if name in baseline["datasets"] and baseline["datasets"][name] != digest
    )
    if changed:
        notes.append(f"the data differ from the baseline's in digest: {', '.join(changed)}")
    known = {item.row.name for item in kept}
    for check in asked:
        new = [
            r.name for r in matching_rows(check, scorecard_rows(scorecard)) if r.name not in known
        ]
        notes.extend(f"row {name} is not in the baseline and is not judged" for name in new)
    judged = {row.name for check in asked for row in matching_rows(check, [k.row for k in kept])}
    notes.extend(_scope([item for item in kept if item.row.name in judged]))
    return list(dict.fromkeys(notes))


def _alone(asked: Sequence[Check]) -> Iterator[str]:
    """Required recalls without the specificity of the same decisions beside them."""
    recalls, beside = (
        {
            (c.rows, c.class_, c.slice, c.decision)
            for c in asked
            if c.metric == metric and c.required >= needed
        }
        for metric, needed in (("recall", True), ("specificity", False))
    )
    for rows, class_, slice_, decision in sorted(recalls - beside, key=str):
        where = f", {slice_}," if slice_ else ""
        by = f", decided by {rule_title(parse_decision(decision))}," if decision else ""
        yield (
            f"warning: recall of {class_}{where} ({rows}){by} is checked without its specificity; "
            f"a model that calls everything {class_} passes"
        )


def _scope(kept: Sequence[BaselineRow]) -> Iterator[str]:
    """What the comparison can speak of: weights or recipe, one training or several."""
    facts: dict[str, list[str]] = {}
    for item in kept:
        images = next(iter(item.by_seed.values()))
        folded = len(set(images.folds.tolist())) > 1
        said = (
            "decisions pooled over folds judge the recipe"
            if folded
            else "one fixed test set judges these weights"
        )
        facts.setdefault(said, []).append(item.row.name)
        if len(item.by_seed) < 3:
            few = "fewer than three seeds say nothing of retraining"
            facts.setdefault(few, []).append(item.row.name)
    for said, rows in facts.items():
        yield said if len(rows) == len(kept) else f"row {', '.join(rows)}: {said}"


def _rule_notes(asked: Sequence[Check], facts: Facts) -> Iterator[str]:
    """What decides: one rule for all checks, or which check goes by which."""
    rules = {check: rule_title(check.rule(None)) for check in asked if check.decision}
    if len(rules) < len(asked):
        yield f"decision rule: {facts.rule}"
    for check, title in rules.items():
        yield f"decision rule of {check.title} ({check.rows}): {title}"


def _decision_notes(
    baseline: Mapping[str, Any], asked: Sequence[Check], facts: Facts
) -> Iterator[str]:
    """Thresholds of both sides, and that they decide by different rules."""
    before = baseline.get("decision_rule", ARGMAX)
    if before != facts.rule and any(check.decision is None for check in asked):
        yield f"the baseline decides by another rule: {before}"
    theirs: dict[tuple[str, str], set[float]] = {}
    for entry in baseline["rows"]:
        parts = {before: entry, **entry.get("decided", {})}
        for title, part in parts.items():
            own = theirs.setdefault((entry["row"]["name"], title), set())
            own.update((part.get("threshold") or {}).values())
    several = len({title for _, title in facts.thresholds}) > 1
    for (row, title), by_seed in facts.thresholds.items():
        ours = {limit for by_fold in by_seed.values() for limit in by_fold.values()}
        if ours:
            # A baseline that decides by another rule has a threshold of that rule's.
            known = theirs.get((row, title)) or (not several and theirs.get((row, before)))
            then = f", the baseline's {_range(known)}" if known else ""
            by = f" ({title})" if several else ""
            yield f"row {row}: threshold {_range(ours)}{by}{then}"


def _range(limits: set[float]) -> str:
    low, high = min(limits), max(limits)
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g} over its folds and seeds"


def _environment_notes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Other hardware or versions than the baseline's; allowed."""
    changes = [
        f"{name} {_said(now[name])} after {_said(before[name])}"
        for name in sorted(before)
        if name in now and now[name] != before[name]
    ]
    if changes:
        yield f"other hardware or versions than the baseline's: {', '.join(changes)}"


def _said(value: object) -> str:
    if isinstance(value, list):
        return " + ".join(map(str, value)) or "none"
    return str(value)


def power_notes(results: Sequence[CheckResult]) -> Iterator[str]:
    """A warning for each test set on which an equally good model would often not pass."""
    for check in results:
        chance, needed = check.passes_unchanged, check.groups_needed
        if chance is None or needed is None or chance >= TARGET:
            continue
        what = check.metric + (f" of {check.class_}" if check.class_ else "")
        what += f", {check.slice}" if check.slice else ""
        yield (
            f"warning: {check.row}: {counted(check.n_groups, 'lesion group')} for {what} with "
            f"margin {check.margin:g}: an equally good model passes in {chance:.0%}; about "
            f"{needed:,} are needed for {TARGET:.0%} (see `skinbench power`)"
        )
