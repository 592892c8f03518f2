"""Every look at where rows fail, put together in one record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from skinbench.records import (
    AgainstLabel,
    AgainstPlain,
    Agreement,
    Cell,
    CellOutcome,
    ConditionDrop,
    ConditionFlips,
    Consistency,
    GroupScore,
    HardImage,
    OutOfDistribution,
    Row,
    SharedError,
    WeakSpots,
    WorstGroup,
)
from skinbench.score.images import Key, ScoredImages
from skinbench.score.predictions import Predictions
from skinbench.score.row_images import RowImages, cell_name, row_images
from skinbench.score.weak_spots.conditions import under_conditions
from skinbench.score.weak_spots.elsewhere import out_of_distribution
from skinbench.score.weak_spots.estimates import Settings, focus_class, same_images
from skinbench.score.weak_spots.groups import BY_CLASS, group_scores, slice_notes
from skinbench.score.weak_spots.lesions import consistency
from skinbench.score.weak_spots.plain import against_plain
from skinbench.score.weak_spots.shared import panels, shared

Sets = Mapping[Key, Mapping[int, ScoredImages]]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of the images beside their predictions."""

    slices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Slice name to image id to subgroup; in the order of the result."""
    asked: tuple[str, ...] = ()
    """Names of the slices that were asked for, known or not."""
    lacking: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Slice name to the datasets judged on that say it of no image."""
    lesions: Mapping[str, str] | None = None
    """Image id to lesion id; None takes the lesion groups of the predictions."""
    own: Mapping[str, str] = field(default_factory=dict)
    """Row to the dataset of its own test; a row that is not in here takes its first."""


@dataclass(kw_only=True)
class _Found:
    focus: dict[str, str] = field(default_factory=dict)
    groups: list[GroupScore] = field(default_factory=list)
    worst: list[WorstGroup] = field(default_factory=list)
    consistency: list[Consistency] = field(default_factory=list)
    drops: list[ConditionDrop] = field(default_factory=list)
    flips: list[ConditionFlips] = field(default_factory=list)
    elsewhere: list[OutOfDistribution] = field(default_factory=list)
    plain: list[AgainstPlain] = field(default_factory=list)
    errors: list[SharedError] = field(default_factory=list)
    agreements: list[Agreement] = field(default_factory=list)
    hardest: list[HardImage] = field(default_factory=list)
    labels: list[AgainstLabel] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_weak_spots(
    rows: Sequence[Row],
    predictions: Mapping[str, Predictions],
    cells: Sequence[Cell | CellOutcome],
    facts: Facts,
    settings: Settings,
) -> WeakSpots:
    """Look at where rows fail: subgroups, shared errors, views, conditions, images of elsewhere.

    Baselines without a network serve as such and are not looked at themselves. A row with a
    cell that is not done, or whose seeds were judged on different images, is left out with a
    note.

    Args:
        rows: every row of the run.
        predictions: cell name to its checked predictions.
        cells: all cells of the rows, finished or not.
        facts: subgroups, lesions and own test sets.
        settings: metrics, floor, replicates and level.
    """
    found = _Found(notes=list(slice_notes(facts.slices, facts.asked, facts.lacking)))
    plain = [row for row in rows if row.kind == "plain"]
    models: dict[tuple[str, str], list[tuple[str, str, Mapping[int, ScoredImages]]]] = {}
    whole: dict[str, Sets] = {}
    for row in rows:
        sets = _usable(row, row_images(row, predictions, cells), found.notes)
        if not sets:
            continue
        whole[row.name] = {key: seeds for key, seeds in sets.items() if key[1] == "none"}
        if row.kind == "plain":
            continue
        focus = focus_class(row.classes, settings.malignant)
        if focus is not None:
            found.focus[row.name] = focus
        _alone(row, sets, facts, settings, found, focus)
        own = facts.own.get(row.name, next(iter(sets))[0])
        by_seed = _predictions(row, predictions, cells)
        found.elsewhere += out_of_distribution(row.name, own, by_seed, settings)
        for key, seeds in whole[row.name].items():
            if row.kind == "fit":
                models.setdefault(key, []).append((row.name, row.split, seeds))
    _together(models, settings, found)
    _beside_plain(rows, plain, whole, settings, found)
    found.notes += _about_dx_type(found.groups)
    return WeakSpots(
        floor=settings.floor,
        focus=found.focus,
        groups=tuple(found.groups),
        worst=tuple(found.worst),
        shared_errors=tuple(found.errors),
        agreements=tuple(found.agreements),
        hardest=tuple(found.hardest),
        against_label=tuple(found.labels),
        against_plain=tuple(found.plain),
        consistency=tuple(found.consistency),
        drops=tuple(found.drops),
        flips=tuple(found.flips),
        out_of_distribution=tuple(found.elsewhere),
        notes=tuple(dict.fromkeys(found.notes)),
    )


def _usable(row: Row, images: RowImages, notes: list[str]) -> Sets:
    """Test sets of a row by dataset and condition that all of its seeds were judged on."""
    if images.problems:
        first = images.problems[min(images.problems)]
        notes.append(f"{row.name} is not looked at: {first}")
        return {}
    found: dict[Key, dict[int, ScoredImages]] = {}
    for seed in sorted(images.by_seed):
        for key, part in images.by_seed[seed].items():
            if len(part):
                found.setdefault(key, {})[seed] = part
    kept = {}
    for key, seeds in sorted(found.items(), key=lambda item: (item[0][1] != "none", item[0])):
        first_seed = seeds[min(seeds)]
        if all(same_images(first_seed, other) for other in seeds.values()):
            kept[key] = seeds
        else:
            notes.append(f"{row.name} on {key[0]} is not looked at: its seeds differ in images")
    return kept


def _predictions(
    row: Row, predictions: Mapping[str, Predictions], cells: Sequence[Cell | CellOutcome]
) -> dict[int, list[Predictions]]:
    found: dict[int, list[Predictions]] = {}
    for cell in sorted(cells, key=lambda item: (item.seed, item.fold)):
        if cell.row == row.name and cell_name(cell) in predictions:
            found.setdefault(cell.seed, []).append(predictions[cell_name(cell)])
    return found


def _alone(
    row: Row, sets: Sets, facts: Facts, settings: Settings, found: _Found, focus: str | None
) -> None:
    """What concerns one row by itself."""
    for (dataset, condition), seeds in sets.items():
        if condition != "none":
            continue
        parts = [seeds[seed] for seed in sorted(seeds)]
        scores, worst = group_scores((row.name, dataset), parts, facts.slices, settings, focus)
        found.groups += scores
        found.worst += worst
        found.consistency += consistency(row.name, parts, facts.lesions, settings, focus)
    drops, flips = under_conditions(row.name, sets, settings, focus)
    found.drops += drops
    found.flips += flips


def _together(
    models: Mapping[tuple[str, str], Sequence[tuple[str, str, Mapping[int, ScoredImages]]]],
    settings: Settings,
    found: _Found,
) -> None:
    """What rows with a network have in common, test set by test set."""
    for members in models.values():
        for panel in panels(members):
            one = shared(panel, settings, found.focus.get(panel.rows[0]))
            found.errors += one.errors
            found.agreements += one.agreements
            found.hardest += one.hardest
            found.labels.append(one.against_label)


def _beside_plain(
    rows: Sequence[Row],
    plain: Sequence[Row],
    whole: Mapping[str, Sets],
    settings: Settings,
    found: _Found,
) -> None:
    """Every row beside the baselines of its split."""
    keys = dict.fromkeys(key for sets in whole.values() for key in sets)
    for key in keys:
        images = {name: sets[key] for name, sets in whole.items() if key in sets}
        known: dict[str, npt.NDArray[np.float64]] = {}
        for row in rows:
            if row.kind != "plain":
                beside = [other for other in plain if _comparable(row, other)]
                found.plain += against_plain(row, beside, images, settings, known)


def _comparable(row: Row, plain: Row) -> bool:
    return (row.split, row.label_space) == (plain.split, plain.label_space)


def _about_dx_type(groups: Sequence[GroupScore]) -> list[str]:
    classes = sorted({str(item.class_) for item in groups if item.slice == BY_CLASS})
    if not classes:
        return []
    return [
        f"dx_type is looked at within {', '.join(classes)}: every other class has one way of "
        f"diagnosis alone on these images"
    ]
