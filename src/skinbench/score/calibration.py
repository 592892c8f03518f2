"""Reliability diagrams, and what a calibration fitted on val changes on test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.catalog.metrics._bins import Bins, equal_mass
from skinbench.records import Cell, CellOutcome, Row, Score
from skinbench.records.malignancy import MALIGNANT_CODES, MELANOMA_CODES
from skinbench.records.operating import Calibrated, Reliability, ReliabilityBin
from skinbench.records.resampling import Resamples
from skinbench.score.evaluate import Request
from skinbench.score.images import Key, ScoredImages
from skinbench.score.intervals import FEWEST_GROUPS, wilson
from skinbench.score.operating import estimates, paired_changes
from skinbench.score.predictions import Predictions
from skinbench.score.proportions import Hits, effective_n, group_sums
from skinbench.score.row_images import RowImages, row_images
from skinbench.score.seeds import score_sets

DRAWS = 400
"""Test sets drawn from a calibrated model's own probabilities."""
UPPER = 0.95
OVERALL = ("log_loss", "brier", "top_label_error", "balanced_accuracy")
OF_CLASS = ("calibration_error", "calibration_slope", "calibration_intercept", "recall")
Floats = npt.NDArray[np.float64]


def focus_class(classes: Sequence[str]) -> str | None:
    """Melanoma, else the first malignant class, else None."""
    found = [code for code in classes if code in MELANOMA_CODES]
    found += [code for code in classes if code in MALIGNANT_CODES]
    return found[0] if found else None


def reliabilities(
    rows: Sequence[Row],
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
) -> tuple[Reliability, ...]:
    """For each row, unaltered test set and seed: the decided class, then the focus class."""
    found: list[Reliability] = []
    for row in rows:
        for seed, sets in row_images(row, predictions, cells).by_seed.items():
            plain = [sets[key] for key in sorted(sets) if key[1] == "none"]
            about = list(dict.fromkeys([None, focus_class(row.classes)]))
            found.extend(
                reliability(images, row.name, seed, class_) for images in plain for class_ in about
            )
    return tuple(found)


def reliability(images: ScoredImages, row: str, seed: int, class_: str | None) -> Reliability:
    """One diagram: 15 bins of equal weight, equal probabilities never divided.

    Args:
        images: of one seed on one test set, with probabilities.
        row: their row.
        seed: their seed.
        class_: a class code, or None for the decided class.
    """
    if class_ is None:
        scores = images.probabilities.max(axis=1, initial=0.0)
        happened = images.probabilities.argmax(axis=1) == images.labels
    else:
        index = images.classes.index(class_)
        scores, happened = images.probabilities[:, index], images.labels == index
    place: dict[str, Any] = {
        "row": row, "dataset": images.dataset, "condition": images.condition, "class_": class_,
    }  # fmt: skip
    if not len(images):
        return Reliability(
            **place, seed=seed, bins=(), error=None, expected=None, expected_high=None, n=0,
            reason="no labelled image",
        )  # fmt: skip
    weights = images.scored_weights()
    order = np.lexsort((images.image_ids.astype(str), scores))
    scores, happened, weights = scores[order], happened[order], weights[order]
    ordered = images.subset(order)
    bins = equal_mass(scores, happened, weights)
    drawn = _calibrated_errors(scores, weights, bins)
    return Reliability(
        **place,
        seed=seed,
        bins=tuple(_bin(ordered, bins, number, happened) for number in range(len(bins.weight))),
        error=_error(bins.share, bins),
        expected=float(drawn.mean()),
        expected_high=float(np.quantile(drawn, UPPER)),
        n=images.count(),
    )


def _error(share: Floats, bins: Bins) -> float:
    return float((np.abs(share - bins.score) * bins.weight).sum() / bins.weight.sum())


def _calibrated_errors(scores: Floats, weights: Floats, bins: Bins) -> Floats:
    """Errors [DRAWS] of outcomes drawn from the probabilities themselves, image by image."""
    generator = np.random.default_rng([DRAWS, len(scores)])
    found = np.empty(DRAWS)
    for number in range(DRAWS):
        happened = generator.random(len(scores)) < scores
        share = np.bincount(bins.place, weights * happened, len(bins.weight)) / bins.weight
        found[number] = _error(share, bins)
    return found


def _bin(
    images: ScoredImages, bins: Bins, number: int, happened: npt.NDArray[np.bool_]
) -> ReliabilityBin:
    mine = bins.place == number
    groups = images.count_groups(mine)
    low = high = None
    if groups >= FEWEST_GROUPS:
        universe = np.unique(images.groups)
        sums = group_sums(images, Hits(selected=mine, hit=happened), universe)
        share, n = effective_n([sums])
        low, high = wilson(share, n, 0.95)
    return ReliabilityBin(
        n=images.count(mine),
        n_groups=groups,
        score=float(bins.score[number]),
        share=float(bins.share[number]),
        low=low,
        high=high,
    )


def calibrated_rows(
    rows: Sequence[Row],
    of: Mapping[str, str],
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
    resamples: Resamples,
) -> tuple[Calibrated, ...]:
    """Each calibration beside the row that it calibrates, on every unaltered test set of both.

    Args:
        rows: all rows.
        of: name of a derived calibration to the name of its row.
        predictions: cell name to predictions.
        cells: all cells.
        resamples: how intervals are made.
    """
    by_name = {row.name: row for row in rows}
    found: list[Calibrated] = []
    for name, member in of.items():
        after, before = (row_images(by_name[r], predictions, cells) for r in (name, member))
        keys = {key for sets in after.by_seed.values() for key in sets if key[1] == "none"}
        for key in sorted(keys):
            one = _calibrated(by_name[name], member, key, (before, after), resamples)
            found.extend([one] if one is not None else [])
    return tuple(found)


def _calibrated(
    row: Row, member: str, key: Key, sides: tuple[RowImages, RowImages], resamples: Resamples
) -> Calibrated | None:
    sets = [
        {seed: found[key] for seed, found in side.by_seed.items() if key in found} for side in sides
    ]
    seeds = sorted(set(sets[0]) & set(sets[1]))
    if not seeds:
        return None
    before, after = ({seed: side[seed] for seed in seeds} for side in sets)
    asked: list[Request] = [(metric, None) for metric in OVERALL]
    focus = focus_class(row.classes)
    if focus is not None:
        asked += [(metric, row.classes.index(focus)) for metric in OF_CLASS]
    place = {"row": row.name, "dataset": key[0], "condition": key[1]}
    scores: list[list[Score]] = [
        score_sets({**place, "row": name}, side, asked, classes=row.classes, resamples=resamples)
        for name, side in ((member, before), (row.name, after))
    ]
    changed = paired_changes(scores[1], before, after, asked, resamples)
    return Calibrated(
        row=row.name,
        of=member,
        dataset=key[0],
        condition=key[1],
        method=row.model,
        before=estimates(scores[0]),
        after=estimates(scores[1]),
        changes=estimates([_without_reason(score) for score in changed]),
    )


def _without_reason(change: Score) -> Score:
    """A metric that gets no resamples says so itself, not as if it were few."""
    entry = registry.metrics.get(change.metric)
    if entry.most_replicates == 0 and change.value is not None:
        return replace(change, reason=f"no interval: {entry.few}")
    return change
