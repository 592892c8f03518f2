"""Operating points: thresholds that val chooses by a policy, applied to test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench.records import Cell, CellOutcome, Row, Score
from skinbench.records.operating import (
    Estimate,
    OperatingPoint,
    PointRequest,
    Policy,
    Threshold,
)
from skinbench.records.resampling import Resamples
from skinbench.score.evaluate import Request, replicate_values
from skinbench.score.images import Key, ScoredImages
from skinbench.score.intervals import interval
from skinbench.score.predictions import Predictions
from skinbench.score.row_images import RowImages, cell_name, row_images
from skinbench.score.seeds import score_sets

NEVER = 2.0
"""A threshold that no probability reaches."""
METRICS = ("recall", "specificity", "precision", "negative_predictive_value", "accuracy")
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def choose_threshold(
    positive: Bools,
    scores: Floats,
    policy: Policy,
    *,
    weights: Floats | None = None,
    fold: int = 0,
    seed: int = 0,
) -> Threshold:
    """The threshold that a policy takes on one cell's val images.

    Every distinct score is tried, and a threshold that no image reaches. `recall`: the highest
    threshold with at least that recall. `youden`: the largest recall + specificity, of equal ones
    the lowest threshold. `cost`: the least cost, of equal ones the lowest threshold.

    Args:
        positive: val images of the class [N].
        scores: their probabilities of it [N].
        policy: how to choose.
        weights: [N]; None weighs all alike.
        fold: of the cell.
        seed: of the cell.
    """
    base = np.ones(len(scores)) if weights is None else weights
    facts: dict[str, Any] = {
        "fold": fold, "seed": seed, "n": len(scores), "n_positive": int(positive.sum()),
    }  # fmt: skip
    if not len(scores):
        return Threshold(**facts, value=None, reason="no val images to choose it on")
    total = float((base * positive).sum())
    others = float(base.sum()) - total
    if total <= 0 or others <= 0:
        which = "of the class" if total <= 0 else "of another class"
        return Threshold(**facts, value=None, reason=f"no val image {which} to choose it on")
    distinct, place = np.unique(-scores, return_inverse=True)
    hits = np.r_[0.0, np.cumsum(np.bincount(place, base * positive))]
    alarms = np.r_[0.0, np.cumsum(np.bincount(place, base * ~positive))]
    values = np.r_[NEVER, -distinct]
    recall, specificity = hits / total, 1 - alarms / others
    best = _best(policy, recall, specificity, (total, others))
    return Threshold(
        **facts,
        value=float(values[best]),
        recall=float(recall[best]),
        specificity=float(specificity[best]),
    )


def _best(policy: Policy, recall: Floats, specificity: Floats, sizes: tuple[float, float]) -> int:
    """Place of the chosen threshold among those from the highest down."""
    if policy.kind == "recall":
        return int(np.argmax(recall >= (policy.recall or 0.0) - 1e-12))
    if policy.kind == "youden":
        gain = recall + specificity
    else:
        miss, alarm = policy.miss or 0.0, policy.false_alarm or 0.0
        gain = -(miss * (1 - recall) * sizes[0] + alarm * (1 - specificity) * sizes[1])
    return int(np.flatnonzero(gain >= gain.max() - 1e-12 * max(1.0, abs(gain.max())))[-1])


def val_thresholds(
    row: Row,
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
    *,
    class_: str,
    policy: Policy,
) -> tuple[Threshold, ...]:
    """What val chooses for each cell of a row that has predictions, by fold and seed.

    Only labelled val images under condition `none` are looked at.
    """
    found = []
    mine = [cell for cell in cells if cell.row == row.name and cell_name(cell) in predictions]
    for cell in sorted(mine, key=lambda item: (item.seed, item.fold)):
        part = predictions[cell_name(cell)]
        frame = part.frame
        val = (frame["split"] == "val") & (frame["condition"] == "none") & frame["label"].notna()
        for fold in _folds(frame, cell):
            chosen = frame[val & (frame["fold"] == fold)]
            found.append(
                choose_threshold(
                    (chosen["label"] == class_).to_numpy(dtype=bool),
                    chosen[f"p_{class_}"].to_numpy(np.float64),
                    policy,
                    weights=chosen["weight"].to_numpy(np.float64),
                    fold=fold,
                    seed=cell.seed,
                )
            )
    return tuple(found)


def _folds(frame: Any, cell: Cell | CellOutcome) -> list[int]:
    """Folds that a cell's test predictions have; mostly its own alone."""
    folds = sorted({int(fold) for fold in frame.loc[frame["split"] == "test", "fold"]})
    return folds or [cell.fold]


def decided_at(
    images: ScoredImages, class_index: int, thresholds: Mapping[int, float]
) -> ScoredImages:
    """The images, decided for a class from its threshold on, else for the best other class.

    Args:
        images: as pooled.
        class_index: of the class.
        thresholds: fold to threshold; a fold that has none is a KeyError.
    """
    others = images.probabilities.copy()
    others[:, class_index] = -1.0
    limits = np.array([thresholds[int(fold)] for fold in images.folds], dtype=np.float64)
    above = images.probabilities[:, class_index] >= limits
    decisions = np.where(above, class_index, others.argmax(axis=1)) if len(images) else others
    return replace(images, decisions=np.asarray(decisions, dtype=np.int64).reshape(len(images)))


def operating_points(
    rows: Sequence[Row],
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
    asked: Sequence[PointRequest],
    resamples: Resamples,
) -> tuple[OperatingPoint, ...]:
    """Every operating point asked for, of every row that has the class, on every test set."""
    found: list[OperatingPoint] = []
    for row in rows:
        mine = [a for a in asked if a.class_ in row.classes and fnmatchcase(row.name, a.rows)]
        images = row_images(row, predictions, cells) if mine else None
        for item in mine:
            assert images is not None
            thresholds = val_thresholds(
                row, predictions, cells, class_=item.class_, policy=item.policy
            )
            found.extend(_points(row, item, images, thresholds, resamples))
    return tuple(found)


def _points(
    row: Row,
    item: PointRequest,
    images: RowImages,
    thresholds: tuple[Threshold, ...],
    resamples: Resamples,
) -> list[OperatingPoint]:
    keys = sorted({key for sets in images.by_seed.values() for key in sets})
    return [_point(row, item, key, images, thresholds, resamples) for key in keys]


def _point(
    row: Row,
    item: PointRequest,
    key: Key,
    images: RowImages,
    thresholds: tuple[Threshold, ...],
    resamples: Resamples,
) -> OperatingPoint:
    place: dict[str, Any] = {
        "row": row.name, "dataset": key[0], "condition": key[1], "class_": item.class_,
    }  # fmt: skip
    facts: dict[str, Any] = {**place, "policy": item.policy.title, "thresholds": thresholds}
    missing = [chosen.reason for chosen in thresholds if chosen.value is None]
    problems = [*missing, *images.problems.values()]
    if problems or not thresholds:
        reason = problems[0] if problems else "no val images to choose it on"
        return OperatingPoint(**facts, reason=reason)
    index = row.classes.index(item.class_)
    before = {seed: sets[key] for seed, sets in images.by_seed.items() if key in sets}
    after = {
        seed: decided_at(part, index, _by_fold(thresholds, seed)) for seed, part in before.items()
    }
    asked: list[Request] = [(name, None if name == "accuracy" else index) for name in METRICS]
    scores = score_sets(place, after, asked, classes=row.classes, resamples=resamples)
    precision = next(score for score in scores if score.metric == "precision")
    return OperatingPoint(
        **facts,
        scores=estimates(scores),
        changes=estimates(paired_changes(scores, before, after, asked, resamples)),
        flagged_per_hit=estimate(_inverted(precision)),
        cost=_cost(item.policy, item.class_, after, index, resamples),
    )


def estimate(score: Score) -> Estimate:
    """What a record about a row's place keeps of a score."""
    return Estimate(
        metric=score.metric,
        class_=score.class_,
        value=score.value,
        low=score.low,
        high=score.high,
        n=score.n,
        n_positive=score.n_positive,
        n_groups=score.n_groups,
        reason=score.reason,
    )


def estimates(scores: Sequence[Score]) -> tuple[Estimate, ...]:
    """`estimate` of each."""
    return tuple(estimate(score) for score in scores)


def _by_fold(thresholds: Sequence[Threshold], seed: int) -> dict[int, float]:
    return {t.fold: t.value for t in thresholds if t.seed == seed and t.value is not None}


def paired_changes(
    scores: Sequence[Score],
    before: Mapping[int, ScoredImages],
    after: Mapping[int, ScoredImages],
    asked: Sequence[Request],
    resamples: Resamples,
) -> tuple[Score, ...]:
    """After less before, the same resamples on both sides, means over seeds.

    Args:
        scores: those after, in the order of `asked`.
        before: seed to images.
        after: the same seeds to the same images, decided or scored otherwise.
        asked: metrics and classes.
        resamples: how intervals are made.
    """
    differences: dict[Request, list[Floats]] = {item: [] for item in asked}
    for seed in after:
        sides = [
            replicate_values(
                part[seed], asked, replicates=resamples.replicates, seed=resamples.seed
            )
            for part in (after, before)
        ]
        for item in asked:
            differences[item].append(sides[0][item] - sides[1][item])
    found = []
    for score, item in zip(scores, asked, strict=True):
        values = np.mean(differences[item], axis=0)
        bounds = interval(values, resamples.level, n_groups=score.n_groups)
        defined = not np.isnan(values[0])
        found.append(
            replace(
                score,
                value=float(values[0]) if defined else None,
                low=bounds.low,
                high=bounds.high,
                sd_seeds=None,
                reason=bounds.reason if defined else score.reason or "undefined before or after",
            )
        )
    return tuple(found)


def _inverted(precision: Score) -> Score:
    """1 / precision: images flagged for each hit."""
    bounds = [precision.low, precision.high]
    low, high = (None if not bound else 1 / bound for bound in reversed(bounds))
    if not precision.value:
        reason = precision.reason or "no image of the class is found"
        return replace(precision, metric="flagged_per_hit", value=None, low=None, high=None,
                       sd_seeds=None, reason=reason)  # fmt: skip
    return replace(
        precision, metric="flagged_per_hit", value=1 / precision.value,
        low=low if high is not None else None, high=high if low is not None else None,
        sd_seeds=None,
    )  # fmt: skip


def _cost(
    policy: Policy,
    class_: str,
    after: Mapping[int, ScoredImages],
    index: int,
    resamples: Resamples,
) -> Estimate | None:
    """Mean cost of a test image: what misses and false alarms cost, over all images."""
    if policy.kind != "cost":
        return None
    asked: list[Request] = [("recall", index), ("specificity", index)]
    each = []
    for images in after.values():
        values = replicate_values(
            images, asked, replicates=resamples.replicates, seed=resamples.seed
        )
        weights = images.scored_weights()
        share = float(weights[images.labels == index].sum() / weights.sum())
        misses = (policy.miss or 0.0) * share * (1 - values[asked[0]])
        alarms = (policy.false_alarm or 0.0) * (1 - share) * (1 - values[asked[1]])
        each.append(misses + alarms)
    mean = np.mean(each, axis=0)
    first = next(iter(after.values()))
    groups = first.count_groups(first.labels == index)
    bounds = interval(mean, resamples.level, n_groups=groups)
    return Estimate(
        metric="mean_cost",
        class_=class_,
        value=None if np.isnan(mean[0]) else float(mean[0]),
        low=bounds.low,
        high=bounds.high,
        n=first.count(),
        n_positive=first.count(first.labels == index),
        n_groups=groups,
        reason=bounds.reason or "at the test set's own prevalence",
    )
