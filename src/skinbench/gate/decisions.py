"""The decision rule of a shipped model: argmax, or a class and a threshold fixed on its own val."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skinbench.errors import UsageError
from skinbench.records import CellOutcome, Row
from skinbench.records.operating import Policy as Point
from skinbench.score.images import Key, ScoredImages
from skinbench.score.operating import decided_at, val_thresholds
from skinbench.score.predictions import Predictions
from skinbench.score.scorecard import row_images

ARGMAX = "argmax"
EXPECTED = "argmax, CLASS:recall=0.9, CLASS:youden, CLASS:cost=MISS/ALARM or CLASS:threshold=0.31"

Thresholds = Mapping[int, Mapping[int, float]]
"""Seed to fold to threshold."""


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """A class is decided where its probability reaches a threshold, else the best other class."""

    class_: str
    point: Point | None = None
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
    class_, _, rest = text.partition(":")
    kind, _, given = rest.partition("=")
    numbers = [_number(part) for part in given.split("/")] if given else []
    rule = _rule(class_, kind, numbers)
    if rule is None:
        raise UsageError(f"decision rule '{text}': expected {EXPECTED}")
    return rule


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
        return DecisionRule(class_=class_, point=Point(kind="recall", recall=numbers[0]))
    if kind == "youden" and not numbers:
        return DecisionRule(class_=class_, point=Point(kind="youden"))
    if kind == "cost" and len(numbers) == 2:
        point = Point(kind="cost", miss=numbers[0], false_alarm=numbers[1])
        return DecisionRule(class_=class_, point=point)
    return None


@dataclass(frozen=True, kw_only=True)
class DecidedRow:
    """A row's images by seed, decided by the rule; what is wrong, where it is."""

    by_seed: Mapping[int, Mapping[Key, ScoredImages]]
    problem: str = ""
    unfinished: bool = False
    """The problem is that cells are not done."""
    thresholds: Thresholds = field(default_factory=dict)


def decided_row(
    row: Row,
    predictions: Mapping[str, Predictions],
    cells: Sequence[CellOutcome],
    rule: DecisionRule | None,
) -> DecidedRow:
    """Pool a row's cells and decide them; every cell by the threshold of its own val."""
    found = row_images(row, predictions, cells)
    if found.problems or not found.by_seed:
        why = "; ".join(found.problems.values()) or "it has no cells"
        return DecidedRow(by_seed={}, problem=why, unfinished=True)
    if rule is None:
        return DecidedRow(by_seed=found.by_seed)
    if rule.class_ not in row.classes:
        return DecidedRow(by_seed={}, problem=f"it has no class {rule.class_} to decide by")
    try:
        chosen = _thresholds(row, predictions, cells, rule, found.by_seed)
    except UsageError as error:
        return DecidedRow(by_seed={}, problem=str(error))
    index = row.classes.index(rule.class_)
    decided = {
        seed: {key: decided_at(images, index, chosen[seed]) for key, images in sets.items()}
        for seed, sets in found.by_seed.items()
    }
    return DecidedRow(by_seed=decided, thresholds=chosen)


def _thresholds(
    row: Row,
    predictions: Mapping[str, Predictions],
    cells: Sequence[CellOutcome],
    rule: DecisionRule,
    by_seed: Mapping[int, Mapping[Key, ScoredImages]],
) -> dict[int, dict[int, float]]:
    """The given threshold for every fold, or what val says."""
    if rule.point is None:
        return {
            seed: {
                int(fold): float(rule.threshold or 0)
                for images in sets.values()
                for fold in images.folds
            }
            for seed, sets in by_seed.items()
        }
    chosen: dict[int, dict[int, float]] = {}
    for limit in val_thresholds(row, predictions, cells, class_=rule.class_, policy=rule.point):
        if limit.value is None:
            raise UsageError(
                f"{limit.reason} (threshold of {rule.class_}, fold {limit.fold}, seed "
                f"{limit.seed}); give val rows, or the threshold that the model is shipped with "
                f"(--decision {rule.class_}:threshold=0.31)"
            )
        chosen.setdefault(limit.seed, {})[limit.fold] = limit.value
    return chosen
