"""The decision rule of a shipped model: argmax, or a class and a threshold fixed on its own val."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from skinbench.errors import UsageError
from skinbench.records import CellOutcome, Row
from skinbench.score.images import Key, ScoredImages
from skinbench.score.predictions import Predictions
from skinbench.score.scorecard import row_images

ARGMAX = "argmax"
POLICIES = ("sensitivity", "specificity", "youden", "threshold")

Numbers = npt.NDArray[Any]
Thresholds = Mapping[int, Mapping[int, float]]
"""Seed to fold to threshold."""


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """A class is decided where its probability reaches a threshold, else the best other class."""

    class_: str
    policy: Literal["sensitivity", "specificity", "youden", "threshold"]
    """What fixes the threshold on val: the highest one that keeps this sensitivity, the lowest
    that keeps this specificity, the greatest sum of both; or it is given (`threshold`)."""
    value: float | None = None
    """The sensitivity, specificity or threshold; None for `youden`."""

    @property
    def title(self) -> str:
        """E.g. `mel at sensitivity 0.9 of its own val`."""
        if self.policy == "threshold":
            return f"{self.class_} from {self.value:g} on, as given"
        if self.policy == "youden":
            return f"{self.class_} at the best sensitivity + specificity of its own val"
        return f"{self.class_} at {self.policy} {self.value:g} of its own val"


def decision_rule(class_: str, policy: str, value: float | None) -> DecisionRule:
    """A rule, checked.

    Raises:
        UsageError: an unknown policy, or a value that it does not take.
    """
    if policy not in POLICIES:
        raise UsageError(f"decision rule: unknown policy '{policy}'; known: {', '.join(POLICIES)}")
    if policy == "youden" and value is not None:
        raise UsageError("decision rule: youden takes no value")
    if policy != "youden" and (value is None or not 0 < value <= 1):
        raise UsageError(
            f"decision rule: {policy} is {value}, expected above 0 and at most 1, e.g. 0.9"
        )
    return DecisionRule(class_=class_, policy=policy, value=value)  # type: ignore[arg-type]


def parse_decision(text: str) -> DecisionRule | None:
    """`argmax`, `mel:sensitivity=0.9`, `mel:youden` or `mel:threshold=0.31`.

    Raises:
        UsageError: anything else.
    """
    if text == ARGMAX:
        return None
    class_, _, rest = text.partition(":")
    policy, _, number = rest.partition("=")
    try:
        value = float(number) if number else None
    except ValueError:
        value = math.nan
    if not class_ or not policy:
        raise UsageError(
            f"decision rule '{text}': expected argmax or CLASS:POLICY=VALUE, e.g. "
            f"mel:sensitivity=0.9"
        )
    return decision_rule(class_, policy, value)


def choose_threshold(scores: Numbers, positive: Numbers, rule: DecisionRule) -> float:
    """The threshold of one cell, by its val images.

    Args:
        scores: probability of the rule's class [N].
        positive: whether an image is of that class [N].
        rule: with a policy other than `threshold`.

    Returns:
        A score that occurs, or a value above all of them where specificity asks for that.

    Raises:
        UsageError: val has no image of the class, or none without it where that is needed.
    """
    inside, outside = np.sort(scores[positive])[::-1], np.sort(scores[~positive])
    if not len(inside) or (rule.policy != "sensitivity" and not len(outside)):
        raise UsageError(f"its val images do not tell where {rule.class_} begins")
    if rule.policy == "sensitivity":
        kept = math.ceil(round(float(rule.value or 0) * len(inside), 9))
        return float(inside[max(1, kept) - 1])
    candidates = np.append(np.unique(scores), np.nextafter(float(scores.max()), np.inf))
    specificity = np.searchsorted(outside, candidates, side="left") / len(outside)
    if rule.policy == "specificity":
        return float(candidates[np.argmax(specificity >= float(rule.value or 0))])
    sensitivity = 1 - np.searchsorted(inside[::-1], candidates, side="left") / len(inside)
    return float(candidates[np.argmax(sensitivity + specificity)])


def decide(images: ScoredImages, rule: DecisionRule, by_fold: Mapping[int, float]) -> ScoredImages:
    """The same images under a rule: its class from the fold's threshold on, else the best other."""
    index = images.classes.index(rule.class_)
    limits = np.array([by_fold[int(fold)] for fold in images.folds], dtype=np.float64)
    others = images.probabilities.copy()
    others[:, index] = -np.inf
    reached = images.probabilities[:, index] >= limits
    best = others.argmax(axis=1) if len(images) else np.zeros(0, dtype=np.int64)
    decisions = np.where(reached, index, best)
    return replace(images, decisions=decisions.astype(np.int64))


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
    chosen: dict[int, dict[int, float]] = {}
    for cell in cells:
        if cell.row == row.name:
            try:
                limit = _threshold(predictions[cell.cell], rule)
            except UsageError as error:
                return DecidedRow(by_seed={}, problem=f"cell {cell.cell}: {error}")
            chosen.setdefault(cell.seed, {})[cell.fold] = limit
    decided = {
        seed: {key: decide(images, rule, chosen[seed]) for key, images in sets.items()}
        for seed, sets in found.by_seed.items()
    }
    return DecidedRow(by_seed=decided, thresholds=chosen)


def _threshold(predictions: Predictions, rule: DecisionRule) -> float:
    if rule.policy == "threshold":
        return float(rule.value or 0)
    frame = predictions.frame
    val = (frame["split"] == "val") & (frame["condition"] == "none") & frame["label"].notna()
    kept = frame[val & (frame["weight"] > 0)]
    if not len(kept):
        raise UsageError(
            f"no val rows to fix the threshold of {rule.class_} on; give them, or the threshold "
            f"that the model is shipped with (--decision {rule.class_}:threshold=0.31)"
        )
    scores = kept[f"p_{rule.class_}"].to_numpy(np.float64)
    return choose_threshold(scores, (kept["label"] == rule.class_).to_numpy(), rule)
