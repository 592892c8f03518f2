"""What the gate is asked to check, and which rows a check is about."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from skinbench import registry
from skinbench.errors import UnknownNameError, UsageError
from skinbench.records import Row
from skinbench.records.deciding import DecisionRule, parse_decision
from skinbench.records.learning import later
from skinbench.records.malignancy import MALIGNANT_CODES
from skinbench.records.scoring import SLICES
from skinbench.score.evaluate import request

WITHOUT_MARGIN = "a check needs a margin, a floor, or both"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule of a gate policy."""

    rows: str = "*"
    """Glob over row names; `*` in it also matches `/`. Baselines without a network (kind
    `plain`) are meant only where they are named exactly."""
    metric: str = "recall"
    class_: str | None = None
    slice: str | None = None
    """`name=value`, e.g. `sex=female`; None for all images."""
    margin: float | None = None
    """Largest loss that is tolerated, above 0, in units of the metric."""
    floor: float | None = None
    """Least value that the candidate must show by itself (greatest, where lower is better)."""
    required: bool = True
    """Whether it counts: a check that is not required is shown and changes no outcome."""
    alpha: float = 0.05
    """One-sided; both printed bounds have this much outside."""
    decision: str | None = later(None)
    """How models decide for this check, as `parse_decision` reads it; None for the policy's."""

    @property
    def title(self) -> str:
        """E.g. `recall of mel, sex=female`."""
        name = self.metric + (f" of {self.class_}" if self.class_ else "")
        return name + (f", {self.slice}" if self.slice else "")

    def rule(self, default: DecisionRule | None) -> DecisionRule | None:
        """What decides for this check: its own rule, or else the policy's; None for the argmax."""
        return default if self.decision is None else parse_decision(self.decision)


DEFAULT_CHECKS = (
    Check(metric="recall", class_="mel", margin=0.05),
    Check(metric="specificity", class_="mel", margin=0.03),
)


_FOCUS = ("mel", "melanoma", "malignant")
"""Classes that a gate without a policy is about, the first that there is."""


def default_checks(classes: Sequence[str]) -> tuple[Check, ...]:
    """The default policy on the class that matters among those of given predictions.

    Melanoma where it is a class, else `malignant`, else the only malignant class.

    Raises:
        UsageError: no class, or several, could be meant.
    """
    malignant = [code for code in classes if code in MALIGNANT_CODES]
    found = next((code for code in _FOCUS if code in classes), None)
    if found is None and len(malignant) == 1:
        found = malignant[0]
    if found is None:
        raise UsageError(
            f"none of the classes {', '.join(classes)} is melanoma or the only malignant one; say "
            f"what to check, e.g. with --metric recall --class {classes[0]}"
        )
    return tuple(replace(check, class_=found) for check in DEFAULT_CHECKS)


def validate_checks(
    checks: Sequence[Check],
    rows: Sequence[Row],
    slices: Iterable[str] = (),
    decision: DecisionRule | None = None,
) -> None:
    """Refuse a policy that cannot mean anything, before any of it is judged.

    Args:
        checks: the policy.
        rows: rows that it may be about.
        slices: names of subgroups beside those that every manifest may tell of.
        decision: of checks that name none.

    Raises:
        UnknownNameError: a metric or slice that does not exist, or a class that no row knows.
        UsageError: a margin, floor or alpha that makes no sense; a per-class metric without a
            class; neither margin nor floor.
    """
    for check in checks:
        if check.margin is None and check.floor is None:
            raise UsageError(f"gate check '{check.title}': {WITHOUT_MARGIN}")
        if check.margin is not None and not (math.isfinite(check.margin) and check.margin > 0):
            raise UsageError(
                f"gate check '{check.title}': margin is {check.margin}, expected above 0"
            )
        if check.floor is not None and not math.isfinite(check.floor):
            raise UsageError(f"gate check '{check.title}': floor is {check.floor}, not a number")
        if not 0 < check.alpha < 0.5:
            raise UsageError(
                f"gate check '{check.title}': alpha is {check.alpha}, expected above 0, below 0.5"
            )
        _validate_slice(check, slices)
        _validate_names(check, rows)
        _validate_rule(check.rule(decision), rows)


def _validate_rule(rule: DecisionRule | None, rows: Sequence[Row]) -> None:
    known = sorted({code for row in rows for code in row.classes})
    if rule is not None and known and rule.class_ not in known:
        raise UnknownNameError(
            f"decision rule: unknown class '{rule.class_}'; {registry.suggest(rule.class_, known)}"
        )


def _validate_slice(check: Check, slices: Iterable[str]) -> None:
    if check.slice is None:
        return
    name, _, value = check.slice.partition("=")
    if not value:
        raise UsageError(
            f"gate check '{check.title}': slice is '{check.slice}', expected name=value, "
            f"e.g. sex=female"
        )
    known = sorted({*SLICES, *slices})
    if name not in known:
        nearest = registry.suggest(name, known)
        listed = "" if nearest.startswith("known") else f" (known: {', '.join(known)})"
        raise UnknownNameError(
            f"gate check '{check.title}': unknown slice '{name}'; {nearest}{listed}"
        )


def _validate_names(check: Check, rows: Sequence[Row]) -> None:
    registry.metrics.get(check.metric)
    concerned = matching_rows(check, rows) or list(rows)
    spaces = {tuple(row.classes) for row in concerned}
    if check.class_ is not None and not any(check.class_ in space for space in spaces):
        known = sorted({code for space in spaces for code in space})
        raise UnknownNameError(
            f"gate check on {check.metric}: unknown class '{check.class_}'; "
            f"{registry.suggest(check.class_, known)}"
        )
    for space in sorted(spaces):
        if check.class_ is None or check.class_ in space:
            request(check.metric, check.class_, space)


def matching_rows(check: Check, rows: Iterable[Row]) -> list[Row]:
    """Rows that a check is about, by name.

    A pattern leaves out a row that judges another's fits in a label space without the check's
    class: the row itself is checked.
    """
    found = [
        row
        for row in rows
        if row.name == check.rows
        or (
            row.kind != "plain"
            and fnmatchcase(row.name, check.rows)
            and not (row.of and check.class_ is not None and check.class_ not in row.classes)
        )
    ]
    return sorted(found, key=lambda row: row.name)
