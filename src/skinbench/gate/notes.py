"""Warnings and facts to print with a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import skinbench
from skinbench.gate.baseline import DECISION_RULE, scorecard_rows
from skinbench.gate.checks import Check, matching_rows
from skinbench.gate.kept import BaselineRow
from skinbench.records import Scorecard
from skinbench.store import to_plain


def notes_on(
    scorecard: Scorecard,
    baseline: Mapping[str, Any],
    asked: Sequence[Check],
    policy: Sequence[Check],
    kept: Sequence[BaselineRow],
) -> list[str]:
    """Facts and warnings to print with a verdict."""
    notes = [f"decision rule: {DECISION_RULE}"]
    recalls = {(c.rows, c.class_, c.slice) for c in asked if c.metric == "recall"}
    beside = {(c.rows, c.class_, c.slice) for c in asked if c.metric == "specificity"}
    for rows, class_, _ in sorted(recalls - beside, key=str):
        notes.append(
            f"warning: recall of {class_} ({rows}) is checked without its specificity; a model "
            f"that calls everything {class_} passes"
        )
    if to_plain(list(asked)) != to_plain(list(policy)):
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
    notes.extend(_scope(kept))
    return list(dict.fromkeys(notes))


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
