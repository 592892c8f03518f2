"""From predictions to scores: every row, dataset, condition and seed, each with its interval."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.errors import counted
from skinbench.records import Cell, CellOutcome, Confusion, MetricEntry, Row, Score
from skinbench.score.balance import Place, balanced_images, balanced_name
from skinbench.score.evaluate import (
    Request,
    Values,
    left_out_values,
    replicate_values,
    requests,
)
from skinbench.score.evidence import RANKED, Evidence
from skinbench.score.images import Key, ScoredImages, pool
from skinbench.score.intervals import FEW_RANKED, USUAL, Basis, Method, chosen_interval
from skinbench.score.paired_tests import placements
from skinbench.score.predictions import Predictions
from skinbench.score.proportions import class_recalls, group_sums, hits
from skinbench.score.replicates import BINS, EXACT_ROWS

Slices = Mapping[str, Mapping[str, str | None]]
"""Slice name, e.g. `sex`, to image id to value; images without a value are in no slice."""


@dataclass(frozen=True, kw_only=True)
class _Settings:
    replicates: int
    level: float
    seed: int
    metrics: tuple[str, ...] | None
    slices: Slices
    evidence: Evidence | None = None
    method: Method = USUAL


@dataclass(frozen=True, kw_only=True)
class RowImages:
    """A row's scored images by seed, and what is wrong with seeds that cannot be scored."""

    by_seed: Mapping[int, Mapping[Key, ScoredImages]]
    problems: Mapping[int, str]


@dataclass(frozen=True, kw_only=True)
class _SeedScores:
    """One seed on one dataset, condition and slice."""

    images: ScoredImages
    values: Values
    universe: npt.NDArray[Any]
    left_out: Values
    """Without one lesion group at a time, where BCa is asked for."""


def score_rows(
    rows: Sequence[Row],
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
    *,
    replicates: int = 2000,
    level: float = 0.95,
    seed: int = 0,
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
        replicates: bootstrap resamples.
        level: coverage of intervals.
        seed: of the resamples.
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
        replicates=replicates,
        level=level,
        seed=seed,
        metrics=None if metrics is None else tuple(metrics),
        slices=slices or {},
        evidence=evidence,
        method=method,
    )
    collected = {row.name: row_images(row, predictions, cells) for row in rows}
    scores: list[Score] = []
    confusions: list[Confusion] = []
    for row in rows:
        found = collected[row.name]
        keys = _keys(row, found, rows, collected)
        for key in keys:
            scores.extend(_score_key(row, key, found, settings))
            confusions.extend(_confusions(row, key, found))
            if (row.name, *key) in balanced:
                scores.extend(_score_key(row, *_balanced(key, found), settings))
    return tuple(scores), tuple(confusions)


class HowResampled(Protocol):
    """What `score_sets` needs to know of a bootstrap."""

    @property
    def replicates(self) -> int:
        """Resamples."""
        ...

    @property
    def level(self) -> float:
        """Coverage of intervals."""
        ...

    @property
    def seed(self) -> int:
        """Of the resamples."""
        ...


def score_sets(
    place: Mapping[str, Any],
    sets: Mapping[int, ScoredImages],
    asked: Sequence[Request],
    *,
    classes: Sequence[str],
    resamples: HowResampled,
) -> list[Score]:
    """Scores of images at hand, means over seeds: for decisions that no cell made itself.

    Args:
        place: `row`, `dataset` and `condition` of the scores.
        sets: seed to its images, at least one.
        asked: metrics and classes.
        classes: codes of the class indices.
        resamples: how intervals are made.
    """
    settings = _Settings(
        replicates=resamples.replicates,
        level=resamples.level,
        seed=resamples.seed,
        metrics=None,
        slices={},
    )
    parts = []
    for images in sets.values():
        universe = np.unique(images.groups)
        values = replicate_values(
            images, asked, replicates=settings.replicates, seed=settings.seed, universe=universe
        )
        part = _SeedScores(images=images, values=values, universe=universe, left_out={})
        parts.append(part)
    scores = []
    for item in asked:
        code = None if item[1] is None else classes[item[1]]
        where = {**place, "metric": item[0], "class_": code, "slice": None, "seed": None}
        scores.append(_one_score(where, item, registry.metrics.get(item[0]), parts, settings))
    return scores


def _balanced(key: Key, found: RowImages) -> tuple[Key, RowImages]:
    """One test set of a row under its balanced name."""
    name = (key[0], balanced_name(key[1]))
    by_seed = {
        seed: {name: balanced_images(sets[key])} if key in sets else {}
        for seed, sets in found.by_seed.items()
    }
    return name, RowImages(by_seed=by_seed, problems=found.problems)


def cell_name(cell: Cell | CellOutcome) -> str:
    """`row@fold.seed` of either record."""
    return cell.name if isinstance(cell, Cell) else cell.cell


def row_images(
    row: Row,
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
) -> RowImages:
    """Pool a row's cells by seed; a seed with any cell missing is a problem, never a part."""
    by_seed: dict[int, dict[Key, ScoredImages]] = {}
    problems: dict[int, str] = {}
    for seed in sorted({cell.seed for cell in cells if cell.row == row.name}):
        parts, missing = [], ""
        own = [cell for cell in cells if cell.row == row.name and cell.seed == seed]
        for cell in sorted(own, key=lambda item: item.fold):
            name = cell_name(cell)
            if isinstance(cell, CellOutcome) and cell.status != "done":
                missing = (
                    missing or f"cell {name} {cell.status}: {cell.reason or 'no reason given'}"
                )
            elif name not in predictions:
                missing = missing or f"cell {name} has no predictions"
            else:
                parts.append(predictions[name])
        if missing:
            problems[seed] = missing
        else:
            by_seed[seed] = pool(row.classes, parts)
    return RowImages(by_seed=by_seed, problems=problems)


def _keys(
    row: Row, found: RowImages, rows: Sequence[Row], collected: Mapping[str, RowImages]
) -> list[Key]:
    """Datasets and conditions of a row, `none` first; a wholly failed row borrows its split's."""
    keys = {key for sets in found.by_seed.values() for key in sets}
    if not keys:
        keys = {
            (key[0], "none")
            for other in rows
            if other.split == row.split
            for sets in collected[other.name].by_seed.values()
            for key in sets
        } or {("", "none")}
    return sorted(keys, key=lambda key: (key[0], key[1] != "none", key[1]))


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


def _score_key(row: Row, key: Key, found: RowImages, settings: _Settings) -> Iterator[Score]:
    """All scores of one row on one dataset under one condition."""
    problems = dict(found.problems)
    whole: dict[int, ScoredImages] = {}
    for seed, sets in found.by_seed.items():
        if key in sets:
            whole[seed] = sets[key]
        else:
            problems[seed] = f"seed {seed} has no test predictions on {key[0]} under {key[1]}"
    universes = {seed: images.group_codes[0] for seed, images in whole.items()}
    for name, part in _slices(whole, settings.slices):
        computed = {}
        for seed, images in part.items():
            asked = requests(row.classes, settings.metrics)
            values = replicate_values(
                images,
                asked,
                replicates=settings.replicates,
                seed=settings.seed,
                universe=universes[seed],
            )
            left_out = {}
            if settings.method.bootstrap == "bca":
                left_out = left_out_values(images, asked, universe=universes[seed])
            computed[seed] = _SeedScores(
                images=images, values=values, universe=universes[seed], left_out=left_out
            )
        if settings.evidence is not None and name is None and computed and not problems:
            parts = list(computed.values())
            settings.evidence.add(
                row,
                key,
                [item.images for item in parts],
                [item.values for item in parts],
                parts[0].universe,
            )
        for seed in sorted({*computed, *problems}):
            own = {seed: computed[seed]} if seed in computed else {}
            yield from _scores(row, key, name, seed, own, problems.get(seed, ""), settings)
        reason = "; ".join(problems[seed] for seed in sorted(problems))
        reason = reason or ("" if computed else f"row {row.name} has no cells")
        yield from _scores(row, key, name, None, computed, reason, settings)


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
    parts: Mapping[int, _SeedScores],
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
        yield _one_score(place, (metric, class_index), entry, list(parts.values()), settings)


def _one_score(
    place: Mapping[str, Any],
    asked: Request,
    entry: MetricEntry,
    parts: Sequence[_SeedScores],
    settings: _Settings,
) -> Score:
    class_index = asked[1]
    first = parts[0].images
    stacked = np.stack([part.values[asked] for part in parts])
    values = stacked.mean(axis=0)
    groups = min(
        part.images.count_groups(part.images.conditioned(entry.conditions_on, class_index))
        for part in parts
    )
    paired = all(np.array_equal(part.universe, parts[0].universe) for part in parts)
    name = ""
    if entry.most_replicates == 0:
        bound_low, bound_high, reason = None, None, f"no interval: {entry.few}"
    elif paired:
        basis = _basis(asked, parts, groups)
        bounds = chosen_interval(values, settings.level, basis, settings.method)
        bound_low, bound_high, reason = bounds.low, bounds.high, bounds.reason
        name = bounds.name
    else:
        bound_low, bound_high, reason = None, None, "no interval: seeds differ in their images"
    value = None if np.isnan(values[0]) else float(values[0])
    spread = float(np.std(stacked[:, 0], ddof=1)) if len(parts) > 1 and value is not None else None
    notes = [_undefined(entry, asked, parts) if value is None else reason]
    notes += [_absent(entry, first), _unlabelled(first), _binned(entry, first)]
    return Score(
        **place,
        value=value,
        low=bound_low if value is not None else None,
        high=bound_high if value is not None else None,
        n=first.count(),
        n_positive=None if class_index is None else first.count(first.labels == class_index),
        n_groups=groups,
        sd_seeds=spread,
        reason="; ".join(note for note in notes if note),
        interval=name if bound_low is not None and value is not None else "",
    )


def _basis(asked: Request, parts: Sequence[_SeedScores], groups: int) -> Basis:
    """What an interval needs of a metric beside its bootstrap values."""
    metric, class_index = asked
    first = parts[0]
    recalls = [class_recalls(metric, part.images) for part in parts]
    left_out = [part.left_out[asked] for part in parts if asked in part.left_out]
    ranked = None
    if metric == RANKED and class_index is not None:
        truth = first.images.labels == class_index
        few = min(first.images.count_groups(mask) for mask in (truth, ~truth)) < FEW_RANKED
        if few and truth.any() and not truth.all():
            ranked = placements([part.images for part in parts], class_index, first.universe)
    return Basis(
        n_groups=groups,
        share=[
            group_sums(part.images, share, part.universe)
            for part in parts
            if (share := hits(metric, part.images, class_index)) is not None
        ],
        classes=[
            [
                group_sums(part.images, own[place], part.universe)
                for part, own in zip(parts, recalls, strict=True)
            ]
            for place in range(len(recalls[0]))
        ],
        ranked=ranked,
        left_out=np.mean(left_out, axis=0) if left_out else np.zeros(0),
    )


def _undefined(entry: MetricEntry, asked: Request, parts: Sequence[_SeedScores]) -> str:
    """Why a score is None: the metric's own reason, and in which fold."""
    metric, class_index = asked
    reason = entry.undefined or f"{metric} is undefined here"
    images = parts[0].images
    folds = np.unique(images.folds)
    if entry.folds == "averaged" and class_index is not None and len(folds) > 1:
        without = [
            str(fold)
            for fold in folds
            if len(set((images.labels[images.folds == fold] == class_index).tolist())) < 2
        ]
        if without and len(without) < len(folds):
            reason += f" in fold {', '.join(without)}"
    return reason


def _absent(entry: MetricEntry, images: ScoredImages) -> str:
    """Which classes a metric over all classes had to do without."""
    if entry.per_class or not len(images):
        return ""
    absent = [
        code for index, code in enumerate(images.classes) if not (images.labels == index).any()
    ]
    return f"no image of {', '.join(absent)}" if absent else ""


def _binned(entry: MetricEntry, images: ScoredImages) -> str:
    if entry.folds != "averaged" or len(images) <= EXACT_ROWS:
        return ""
    return f"more than {EXACT_ROWS:,} images: ranked in {BINS:,} bins of scores"


def _unlabelled(images: ScoredImages) -> str:
    count = images.unlabelled
    return f"{counted(count, 'image')} without a label left out" if count else ""
