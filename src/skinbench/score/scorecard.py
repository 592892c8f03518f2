"""From predictions to scores: every row, dataset, condition and seed, each with its interval."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from skinbench import registry
from skinbench.records import Cell, CellOutcome, Confusion, Row, Score
from skinbench.records.resampling import USUAL_RESAMPLES, Resamples
from skinbench.score.balance import Place, balanced_images, balanced_name
from skinbench.score.evaluate import (
    left_out_values,
    replicate_values,
    requests,
)
from skinbench.score.evidence import Evidence, RowEvidence
from skinbench.score.images import Key, ScoredImages
from skinbench.score.intervals import USUAL, Method
from skinbench.score.predictions import Predictions
from skinbench.score.row_images import RowImages, borrowed_keys, row_images, row_keys
from skinbench.score.seeds import SeedValues, score_of_seeds

MOST_THREADS = 8
"""Rows scored at once; each holds up to a gigabyte."""
Slices = Mapping[str, Mapping[str, str | None]]
"""Slice name, e.g. `sex`, to image id to value; images without a value are in no slice."""


@dataclass(frozen=True, kw_only=True)
class _Settings:
    resamples: Resamples
    metrics: tuple[str, ...] | None
    slices: Slices
    balanced: Collection[Place] = ()
    evidence: Evidence | None = None
    method: Method = USUAL


def score_rows(
    rows: Sequence[Row],
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
    *,
    resamples: Resamples = USUAL_RESAMPLES,
    metrics: Sequence[str] | None = None,
    slices: Slices | None = None,
    balanced: Collection[Place] = (),
    evidence: Evidence | None = None,
    method: Method = USUAL,
) -> tuple[tuple[Score, ...], tuple[Confusion, ...]]:
    """Score test predictions of every row.

    For each row, dataset and condition: the scores of each seed, then the mean over seeds
    (`seed` None) with the interval of that mean and the spread over seeds. All rows on the same
    lesion groups, and all seeds, share their resamples. A row or seed with a cell that is not
    done, or that has no predictions, has scores of None with the reason.

    Args:
        rows: rows to score, in the order of the result.
        predictions: cell name to its checked predictions.
        cells: all cells of the rows, finished or not.
        resamples: how intervals are made.
        metrics: names; None for all that the registry has.
        slices: subgroups to score apart, each as `name=value`.
        balanced: rows, datasets and conditions to score a second time on balanced classes, under
            the condition that `balanced_name` gives.
        evidence: filled with what `stand_rows` needs of each row on all of its test images.
        method: of intervals.

    Raises:
        PredictionsError: cells of one row do not fit together.
    """
    settings = _Settings(
        resamples=resamples,
        metrics=None if metrics is None else tuple(metrics),
        slices=slices or {},
        balanced=balanced,
        evidence=evidence,
        method=method,
    )
    keys = {row.name: row_keys(row, predictions, cells) for row in rows}
    places = [keys[row.name] or borrowed_keys(row, rows, keys) for row in rows]
    scores: list[Score] = []
    confusions: list[Confusion] = []
    for row in rows:
        requests(row.classes, settings.metrics)  # what it imports is no work for threads
    threads = min(os.cpu_count() or 1, MOST_THREADS, max(1, len(rows)))
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:
        work = pool.map(
            lambda row, at: _score_row(row, row_images(row, predictions, cells), at, settings),
            rows,
            places,
        )
        for row, found in zip(rows, work, strict=True):
            scores += found.scores
            confusions += found.confusions
            if evidence is not None:
                evidence.rows.update({(row.name, key): own for key, own in found.evidence.items()})
    return tuple(scores), tuple(confusions)


@dataclass(frozen=True, kw_only=True)
class _RowScores:
    """What scoring a row gives."""

    scores: list[Score] = field(default_factory=list)
    confusions: list[Confusion] = field(default_factory=list)
    evidence: dict[Key, RowEvidence] = field(default_factory=dict)


def _score_row(row: Row, images: RowImages, keys: Sequence[Key], settings: _Settings) -> _RowScores:
    """A row on each of its test sets, and where asked for on balanced classes too."""
    made = _RowScores()
    for key in keys:
        scores, evidence = _score_key(row, key, images, settings)
        made.scores.extend(scores)
        made.confusions.extend(_confusions(row, key, images))
        if evidence is not None:
            made.evidence[key] = evidence
        if (row.name, *key) in settings.balanced:
            scores, evidence = _score_key(row, *_balanced(key, images), settings)
            made.scores.extend(scores)
            if evidence is not None:
                made.evidence[key[0], balanced_name(key[1])] = evidence
    return made


def _balanced(key: Key, found: RowImages) -> tuple[Key, RowImages]:
    """One test set of a row under its balanced name."""
    name = (key[0], balanced_name(key[1]))
    by_seed = {
        seed: {name: balanced_images(sets[key])} if key in sets else {}
        for seed, sets in found.by_seed.items()
    }
    return name, RowImages(by_seed=by_seed, problems=found.problems)


def _confusions(row: Row, key: Key, found: RowImages) -> Iterator[Confusion]:
    for seed, sets in found.by_seed.items():
        if key not in sets:
            continue
        images, size = sets[key], len(row.classes)
        cells = images.labels * size + images.decisions
        # Weighted as the scores are where weights are copies; fractions are no counts.
        copied = np.all(images.weights == np.rint(images.weights))
        flat = np.bincount(cells, images.weights if copied else None, minlength=size * size)
        table = np.rint(flat).astype(np.int64).reshape(size, size)
        counts = tuple(tuple(line) for line in table.tolist())
        yield Confusion(row=row.name, dataset=key[0], condition=key[1], seed=seed, counts=counts)


def _score_key(
    row: Row, key: Key, found: RowImages, settings: _Settings
) -> tuple[list[Score], RowEvidence | None]:
    """All scores of one row on one dataset under one condition."""
    problems = dict(found.problems)
    whole: dict[int, ScoredImages] = {}
    for seed, sets in found.by_seed.items():
        if key in sets:
            whole[seed] = sets[key]
        else:
            problems[seed] = f"seed {seed} has no test predictions on {key[0]} under {key[1]}"
    universes = {seed: images.group_codes[0] for seed, images in whole.items()}
    scores: list[Score] = []
    evidence = None
    for name, part in _slices(whole, settings.slices):
        computed = {
            seed: _replicated(row, images, universes[seed], settings)
            for seed, images in part.items()
        }
        if settings.evidence is not None and name is None and computed and not problems:
            parts = list(computed.values())
            evidence = settings.evidence.of_row(
                row,
                [item.images for item in parts],
                [item.values for item in parts],
                parts[0].universe,
            )
        scores.extend(_scores_of_seeds(row, key, name, computed, problems, settings))
    return scores, evidence


def _scores_of_seeds(
    row: Row,
    key: Key,
    slice_: str | None,
    computed: Mapping[int, SeedValues],
    problems: Mapping[int, str],
    settings: _Settings,
) -> list[Score]:
    """The scores of each seed, then those of the mean over them: of one seed its own."""
    found: list[Score] = []
    for seed in sorted({*computed, *problems}):
        own = {seed: computed[seed]} if seed in computed else {}
        found.extend(_scores(row, key, slice_, seed, own, problems.get(seed, ""), settings))
    if len({*computed, *problems}) == 1:
        return found + [replace(score, seed=None) for score in found]
    reason = "; ".join(problems[seed] for seed in sorted(problems))
    reason = reason or ("" if computed else f"row {row.name} has no cells")
    return [*found, *_scores(row, key, slice_, None, computed, reason, settings)]


def _replicated(
    row: Row, images: ScoredImages, universe: npt.NDArray[Any], settings: _Settings
) -> SeedValues:
    asked, how = requests(row.classes, settings.metrics), settings.resamples
    values = replicate_values(
        images, asked, replicates=how.replicates, seed=how.seed, universe=universe
    )
    left_out = {}
    if settings.method.bootstrap == "bca":
        left_out = left_out_values(images, asked, universe=universe)
    return SeedValues(images=images, values=values, universe=universe, left_out=left_out)


def _slices(
    whole: Mapping[int, ScoredImages], slices: Slices
) -> Iterator[tuple[str | None, Mapping[int, ScoredImages]]]:
    """All images, then each value of each slice."""
    yield None, whole
    for name, values in sorted(slices.items()):
        present = {values.get(image) for images in whole.values() for image in images.image_ids}
        for value in sorted(item for item in present if item is not None):
            yield (
                f"{name}={value}",
                {seed: in_slice(images, values, value) for seed, images in whole.items()},
            )


def in_slice(images: ScoredImages, values: Mapping[str, str | None], value: str) -> ScoredImages:
    """The images whose slice value is `value`."""
    mask = np.array([values.get(image) == value for image in images.image_ids], dtype=bool)
    return images.subset(mask)


def _scores(
    row: Row,
    key: Key,
    slice_: str | None,
    seed: int | None,
    parts: Mapping[int, SeedValues],
    problem: str,
    settings: _Settings,
) -> Iterator[Score]:
    """The scores of one seed, or (`seed` None) of the mean over all in `parts`."""
    for metric, class_index in requests(row.classes, settings.metrics):
        entry = registry.metrics.get(metric)
        class_ = None if class_index is None else row.classes[class_index]
        place: dict[str, Any] = {
            "row": row.name,
            "metric": metric,
            "class_": class_,
            "slice": slice_,
            "dataset": key[0],
            "condition": key[1],
            "seed": seed,
        }
        if problem or not parts:
            yield Score(**place, value=None, n=0, reason=problem)
            continue
        yield score_of_seeds(
            place,
            (metric, class_index),
            entry,
            list(parts.values()),
            level=settings.resamples.level,
            method=settings.method,
        )
