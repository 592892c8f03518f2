"""What recall and specificity measured on an archive would mean at a stated prevalence.

By prior shift alone: the images of a class stay alike, only how common the class is changes.
Recall and specificity then stay what they are, and the rest follows from them by Bayes' rule; where
one of the two rests on few mistakes, so does the interval (see `joined`). An
archive such as HAM10000 is enriched by biopsy, so this is an assumption, printed with each number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench.records import Cell, CellOutcome, Row, Score
from skinbench.records.operating import AtPrevalence, OperatingPoint, PrevalenceRequest
from skinbench.records.resampling import Resamples
from skinbench.score.evaluate import Request, replicate_values
from skinbench.score.images import Key, ScoredImages
from skinbench.score.intervals import Interval, interval
from skinbench.score.joined import bounded, ratio_bounds
from skinbench.score.operating import NEVER, decided_at, estimates
from skinbench.score.predictions import Predictions
from skinbench.score.row_images import RowImages, cell_name, row_images
from skinbench.score.seeds import score_sets

ASSUMPTION = (
    "By prior shift alone: the images of a class are taken to stay alike, and only its share to "
    "change. An archive enriched by biopsy is no clinic; nothing here was seen at this prevalence."
)
Values = npt.NDArray[np.float64]
ValShares = Mapping[tuple[int, int], Mapping[str, float]]
"""(seed, fold) to class to its share of the val images."""


def positive_predictive_value(recall: Values, specificity: Values, prevalence: float) -> Values:
    """Share of the flagged that have it; NaN where none is flagged."""
    hits, alarms = prevalence * recall, (1 - prevalence) * (1 - specificity)
    return _ratio(hits, hits + alarms)


def negative_predictive_value(recall: Values, specificity: Values, prevalence: float) -> Values:
    """Share of those not flagged that do not have it; NaN where all are flagged."""
    left, missed = (1 - prevalence) * specificity, prevalence * (1 - recall)
    return _ratio(left, left + missed)


def number_needed_to_biopsy(recall: Values, specificity: Values, prevalence: float) -> Values:
    """Flagged for each one that has it, 1 / PPV; NaN where none is found."""
    return _ratio(np.ones_like(recall), positive_predictive_value(recall, specificity, prevalence))


def net_benefit(
    recall: Values, specificity: Values, prevalence: float, risk: float | Values
) -> Values:
    """Hits less weighed false alarms, for each one examined (Vickers and Elkin 2006).

    A false alarm weighs risk / (1 - risk): the odds of the risk from which on one would act.
    """
    alarms = (1 - prevalence) * (1 - specificity)
    return prevalence * recall - alarms * risk / (1 - risk)


def shifted(probabilities: Values, before: float, after: float) -> Values:
    """Probabilities of a class under another prior (Saerens 2002): its odds times that of both.

    Args:
        probabilities: [N] in [0, 1], of a model that saw the class with prevalence `before`.
        before: in (0, 1).
        after: in (0, 1).
    """
    factor = (after / (1 - after)) / (before / (1 - before))
    raised = probabilities * factor
    return np.asarray(raised / (raised + 1 - probabilities))


def _ratio(top: Values, bottom: Values) -> Values:
    found = np.full(np.shape(bottom), np.nan)
    np.divide(top, bottom, out=found, where=bottom > 0)
    return found


def at_prevalence(
    rows: Sequence[Row],
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
    asked: Sequence[PrevalenceRequest],
    points: Sequence[OperatingPoint],
    resamples: Resamples,
) -> tuple[AtPrevalence, ...]:
    """Every prevalence asked for, on unaltered test sets: by argmax, at each point, and by risk.

    The last decides for the class where its probability, shifted from its share in val to the
    stated prevalence, reaches the stated risk.
    """
    found: list[AtPrevalence] = []
    for row in rows:
        mine = [a for a in asked if a.class_ in row.classes and fnmatchcase(row.name, a.rows)]
        if not mine:
            continue
        images = row_images(row, predictions, cells)
        shares = val_shares(row, predictions, cells)
        own = [point for point in points if point.row == row.name]
        for item in mine:
            keys = {key for sets in images.by_seed.values() for key in sets if key[1] == "none"}
            for key in sorted(keys):
                found.extend(_of_key(row, item, key, images, (shares, own), resamples))
    return tuple(found)


def _of_key(
    row: Row,
    item: PrevalenceRequest,
    key: Key,
    images: RowImages,
    known: tuple[ValShares, Sequence[OperatingPoint]],
    resamples: Resamples,
) -> Iterator[AtPrevalence]:
    shares, points = known
    index = row.classes.index(item.class_)
    sets = {seed: found[key] for seed, found in images.by_seed.items() if key in found}
    rules: list[tuple[str, dict[int, ScoredImages] | str]] = [("argmax", sets)]
    for point in points:
        if (point.dataset, point.condition, point.class_) != (*key, item.class_):
            continue
        rules.append((point.policy, point.reason or _at_point(sets, index, point)))
    for prevalence in item.at:
        chosen = list(rules)
        if item.threshold_probability is not None:
            name = f"risk of {item.threshold_probability:g} or more after the shift"
            chosen.append((name, _by_risk(sets, index, item, prevalence, shares)))
        for rule, decided in chosen:
            facts: dict[str, Any] = {
                "row": row.name, "dataset": key[0], "condition": key[1], "class_": item.class_,
                "prevalence": prevalence, "rule": rule,
                "threshold_probability": item.threshold_probability,
            }  # fmt: skip
            if isinstance(decided, str):
                yield AtPrevalence(**facts, reason=decided)
            else:
                scores = _scores(row, facts, decided, index, resamples)
                yield AtPrevalence(**facts, scores=estimates(scores))


def _at_point(
    sets: Mapping[int, ScoredImages], index: int, point: OperatingPoint
) -> dict[int, ScoredImages]:
    chosen: dict[int, dict[int, float]] = {}
    for threshold in point.thresholds:
        value = NEVER if threshold.value is None else threshold.value
        chosen.setdefault(threshold.seed, {})[threshold.fold] = value
    return {seed: decided_at(images, index, chosen[seed]) for seed, images in sets.items()}


def _by_risk(
    sets: Mapping[int, ScoredImages],
    index: int,
    item: PrevalenceRequest,
    prevalence: float,
    shares: ValShares,
) -> dict[int, ScoredImages] | str:
    """Decisions by the shifted probability, or why there are none."""
    found = {}
    for seed, images in sets.items():
        limits = {}
        for fold in np.unique(images.folds).tolist():
            before = shares.get((seed, fold), {}).get(item.class_, 0.0)
            if not 0 < before < 1:
                return f"no val images to know how common {item.class_} was for the model"
            # the threshold on the model's own probability: the shift turned back
            risk = np.array([item.threshold_probability])
            limits[fold] = float(shifted(risk, prevalence, before)[0])
        found[seed] = decided_at(images, index, limits)
    return found


def val_shares(
    row: Row, predictions: Mapping[str, Predictions], cells: Sequence[Cell | CellOutcome]
) -> ValShares:
    """(seed, fold) to the share of each class among labelled val images."""
    found: dict[tuple[int, int], dict[str, float]] = {}
    for cell in cells:
        if cell.row != row.name or cell_name(cell) not in predictions:
            continue
        frame = predictions[cell_name(cell)].frame
        val = frame[(frame["split"] == "val") & (frame["condition"] == "none")]
        val = val[val["label"].notna()]
        for fold in sorted({int(fold) for fold in frame["fold"]}):
            part = val[val["fold"] == fold]
            total = float(part["weight"].sum())
            if total > 0:
                by_class = part.groupby("label")["weight"].sum()
                found[cell.seed, fold] = {str(k): float(v) / total for k, v in by_class.items()}
    return found


def _scores(
    row: Row,
    facts: Mapping[str, Any],
    sets: Mapping[int, ScoredImages],
    index: int,
    resamples: Resamples,
) -> tuple[Score, ...]:
    place = {name: facts[name] for name in ("row", "dataset", "condition")}
    asked: list[Request] = [("recall", index), ("specificity", index)]
    own = score_sets(place, sets, asked, classes=row.classes, resamples=resamples)
    each = [
        replicate_values(images, asked, replicates=resamples.replicates, seed=resamples.seed)
        for images in sets.values()
    ]
    prevalence, risk = float(facts["prevalence"]), facts["threshold_probability"]
    made: dict[str, Values] = {}
    for name, function in _FUNCTIONS.items():
        made[name] = np.mean([function(v[asked[0]], v[asked[1]], prevalence) for v in each], axis=0)
    if risk is not None:
        benefit = [net_benefit(v[asked[0]], v[asked[1]], prevalence, risk) for v in each]
        made["net_benefit"] = np.mean(benefit, axis=0)
    groups = min(score.n_groups for score in own)
    found = list(own)
    joined = _joined(own, prevalence)
    for name, values in made.items():
        bounds = interval(values, resamples.level, n_groups=groups)
        defined = not np.isnan(values[0])
        if defined and name in joined:
            low, high = joined[name]
            bounds = Interval(low=min(low, values[0]), high=max(high, values[0]), name="MOVER")
        found.append(
            replace(
                own[0],
                metric=name,
                value=float(values[0]) if defined else None,
                low=bounds.low,
                high=bounds.high,
                n_groups=groups,
                sd_seeds=None,
                reason=bounds.reason if defined else _UNDEFINED[name],
                interval=bounds.name,
            )
        )
    if risk is not None:
        everyone = prevalence - (1 - prevalence) * risk / (1 - risk)
        exact = "by arithmetic alone: acting on everyone"
        found.append(
            replace(own[0], metric="net_benefit_of_all", value=everyone, low=None, high=None,
                    sd_seeds=None, reason=exact)
        )  # fmt: skip
    return tuple(found)


def _joined(own: Sequence[Score], prevalence: float) -> dict[str, tuple[float, float]]:
    """Bounds from those of recall and specificity, where one of these rests on few mistakes."""
    recall, specificity = map(bounded, own)
    if recall is None or specificity is None or not any(score.interval for score in own):
        return {}
    found = {}
    odds = prevalence / (1 - prevalence)
    if recall.value:
        alarms = [ratio / odds for ratio in ratio_bounds(specificity.turned(), recall)]
        found["positive_predictive_value"] = (1 / (1 + alarms[1]), 1 / (1 + alarms[0]))
        found["number_needed_to_biopsy"] = (1 + alarms[0], 1 + alarms[1])
    if specificity.value:
        missed = [ratio * odds for ratio in ratio_bounds(recall.turned(), specificity)]
        found["negative_predictive_value"] = (1 / (1 + missed[1]), 1 / (1 + missed[0]))
    return {name: both for name, both in found.items() if np.isfinite(both).all()}


_FUNCTIONS = {
    "positive_predictive_value": positive_predictive_value,
    "negative_predictive_value": negative_predictive_value,
    "number_needed_to_biopsy": number_needed_to_biopsy,
}
_UNDEFINED = {
    "positive_predictive_value": "no image is decided for the class",
    "negative_predictive_value": "every image is decided for the class",
    "number_needed_to_biopsy": "no image of the class is found",
    "net_benefit": "no image of the class, or of another",
}
