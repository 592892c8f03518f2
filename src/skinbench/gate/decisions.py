"""The decision rule of a shipped model: argmax, or a class and a threshold fixed on its own val."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skinbench.errors import UsageError
from skinbench.records import CellOutcome, Row
from skinbench.records.deciding import DecisionRule
from skinbench.score.images import Key, ScoredImages
from skinbench.score.operating import decided_at, val_thresholds
from skinbench.score.predictions import Predictions
from skinbench.score.row_images import row_images

Thresholds = Mapping[int, Mapping[int, float]]
"""Seed to fold to threshold."""


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
