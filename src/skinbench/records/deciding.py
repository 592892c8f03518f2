"""How a model decides, as it is typed: the argmax, or one class from a threshold on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from skinbench.errors import UsageError
from skinbench.records.operating import Policy

ARGMAX = "argmax"
POINTS = "CLASS:recall=0.9, CLASS:youden or CLASS:cost=MISS/ALARM"
EXPECTED = "argmax, CLASS:recall=0.9, CLASS:youden, CLASS:cost=MISS/ALARM or CLASS:threshold=0.31"


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """A class is decided where its probability reaches a threshold, else the best other class."""

    class_: str
    point: Policy | None = None
    """What fixes the threshold on each model's own val; None where it is given."""
    threshold: float | None = None
    """A threshold that the model is shipped with."""

    @property
    def title(self) -> str:
        """E.g. `mel at recall 0.9 on val`."""
        if self.point is None:
            return f"{self.class_} from {self.threshold:g} on, as given"
        return f"{self.class_} at {self.point.title}"


def parse_decision(text: str) -> DecisionRule | None:
    """A rule as it is typed, see EXPECTED; None for the argmax.

    Raises:
        UsageError: anything else.
    """
    if text == ARGMAX:
        return None
    rule = _parsed(text)
    if rule is None:
        raise UsageError(f"decision rule '{text}': expected {EXPECTED}")
    return rule


def parse_point(text: str) -> tuple[str, Policy]:
    """Class and policy of an operating point as it is typed, see POINTS.

    Raises:
        UsageError: anything else; a given threshold is chosen by nothing.
    """
    rule = _parsed(text)
    if rule is None or rule.point is None:
        raise UsageError(f"operating point '{text}': expected {POINTS}")
    return rule.class_, rule.point


def rule_title(rule: DecisionRule | None) -> str:
    """A rule's title; the argmax has one, too."""
    return ARGMAX if rule is None else rule.title


def _parsed(text: str) -> DecisionRule | None:
    class_, _, rest = text.partition(":")
    kind, _, given = rest.partition("=")
    return _rule(class_, kind, [_number(part) for part in given.split("/")] if given else [])


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _rule(class_: str, kind: str, numbers: Sequence[float]) -> DecisionRule | None:
    """The rule that a kind and its numbers make, if they make one."""
    if not class_ or not all(number > 0 and math.isfinite(number) for number in numbers):
        return None
    shares = len(numbers) == 1 and numbers[0] <= 1
    if kind == "threshold" and shares:
        return DecisionRule(class_=class_, threshold=numbers[0])
    if kind == "recall" and shares:
        return DecisionRule(class_=class_, point=Policy(kind="recall", recall=numbers[0]))
    if kind == "youden" and not numbers:
        return DecisionRule(class_=class_, point=Policy(kind="youden"))
    if kind == "cost" and len(numbers) == 2:
        point = Policy(kind="cost", miss=numbers[0], false_alarm=numbers[1])
        return DecisionRule(class_=class_, point=point)
    return None
