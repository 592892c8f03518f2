"""What models get wrong together: shared misses, agreement, hard images, doubtful labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from skinbench.records import AgainstLabel, Agreement, HardImage, SharedError
from skinbench.score.draws import draws, windows
from skinbench.score.images import ScoredImages
from skinbench.score.intervals import interval
from skinbench.score.proportions import GroupSums
from skinbench.score.weak_spots.estimates import Settings, Share, coded, same_images, shares

Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Models judged on exactly the same images, each by its lowest seed."""

    dataset: str
    split: str
    images: ScoredImages
    """Of the first model: ids, groups and labels are everyone's."""
    rows: tuple[str, ...]
    decisions: Numbers
    """[M, N] class indices."""
    of_label: Numbers
    """[M, N] probability of the label."""


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Everything of one panel."""

    errors: tuple[SharedError, ...]
    agreements: tuple[Agreement, ...]
    hardest: tuple[HardImage, ...]
    against_label: AgainstLabel


def panels(models: Sequence[tuple[str, str, Mapping[int, ScoredImages]]]) -> list[Panel]:
    """Put models together that were judged on the same images, labels, folds and classes.

    Args:
        models: (row, split, images by seed) of one dataset each.

    Returns:
        Panels of two models or more, in the order of their first rows.
    """
    found: list[list[tuple[str, str, ScoredImages]]] = []
    for row, split, seeds in models:
        images = seeds[min(seeds)]
        for panel in found:
            if same_images(panel[0][2], images) and panel[0][1] == split:
                panel.append((row, split, images))
                break
        else:
            found.append([(row, split, images)])
    return [_panel(members) for members in found if len(members) > 1]


def _panel(members: Sequence[tuple[str, str, ScoredImages]]) -> Panel:
    first = members[0][2]
    positions = np.arange(len(first))
    return Panel(
        dataset=first.dataset,
        split=members[0][1],
        images=first,
        rows=tuple(row for row, _, _ in members),
        decisions=np.stack([images.decisions for _, _, images in members]),
        of_label=np.stack(
            [images.probabilities[positions, first.labels] for *_, images in members]
        ),
    )


def shared(panel: Panel, settings: Settings, focus: str | None) -> Shared:
    """Look at one panel.

    Args:
        panel: two models or more.
        settings: how many images are listed; replicates and level.
        focus: class whose misses are taken apart; None: none is.
    """
    return Shared(
        errors=tuple(_errors(panel, settings, focus)) if focus else (),
        agreements=tuple(_agreements(panel, settings)),
        hardest=tuple(_hardest(panel, settings)),
        against_label=_against_label(panel, settings),
    )


def _errors(panel: Panel, settings: Settings, focus: str) -> list[SharedError]:
    index = panel.images.classes.index(focus)
    positive = panel.images.labels == index
    caught = panel.decisions == index
    missed = [positive & ~own for own in caught]
    helpers = [caught.sum(axis=0) - own for own in caught]
    asked = [
        Share(hits=[miss & (help_ == 0)], selected=[miss])
        for miss, help_ in zip(missed, helpers, strict=True)
    ]
    estimates = shares(panel.images.groups, asked, settings)
    return [
        SharedError(
            dataset=panel.dataset,
            split=panel.split,
            row=row,
            class_=focus,
            others=len(panel.rows) - 1,
            n=int(positive.sum()),
            missed=int(miss.sum()),
            missed_by_all=int((miss & (help_ == 0)).sum()),
            caught_by_one=int((miss & (help_ == 1)).sum()),
            caught_by_more=int((miss & (help_ > 1)).sum()),
            value=estimate.value,
            low=estimate.low,
            high=estimate.high,
            n_groups=estimate.n_groups,
            reason=estimate.reason if miss.any() else f"no image of {focus} is missed",
        )
        for row, miss, help_, estimate in zip(panel.rows, missed, helpers, estimates, strict=True)
    ]


def _agreements(panel: Panel, settings: Settings) -> list[Agreement]:
    codes = coded(panel.images).groups
    pairs = list(combinations(range(len(panel.rows)), 2))
    found = []
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start : start + _AT_ONCE]
        tables = _tables(panel, some, codes, settings)
        found += [
            _agreement(panel, *one, codes, settings) for one in zip(some, tables, strict=True)
        ]
    return found


_AT_ONCE = 32
"""Pairs whose tables are resampled together: draws are made once for all of them."""


def _agreement(
    panel: Panel, pair: tuple[int, int], tables: Numbers, codes: Numbers, settings: Settings
) -> Agreement:
    left, right = (panel.decisions[model] for model in pair)
    n_groups = len(np.unique(codes))
    same = np.trace(tables, axis1=1, axis2=2) / tables.sum(axis=(1, 2))
    sums = GroupSums(
        hits=np.bincount(codes, left == right, minlength=n_groups).astype(np.float64),
        images=np.bincount(codes, minlength=n_groups).astype(np.float64),
    )
    bounds = interval(same, settings.level, n_groups=n_groups, share=[sums])
    kappas = kappa(tables)
    around = interval(kappas, settings.level, n_groups=n_groups)
    wrong = (left != panel.images.labels, right != panel.images.labels)
    return Agreement(
        dataset=panel.dataset,
        split=panel.split,
        row=panel.rows[pair[0]],
        other=panel.rows[pair[1]],
        value=float(same[0]),
        low=bounds.low,
        high=bounds.high,
        kappa=None if np.isnan(kappas[0]) else float(kappas[0]),
        kappa_low=around.low,
        kappa_high=around.high,
        both_wrong=int((wrong[0] & wrong[1]).sum()),
        either_wrong=int((wrong[0] | wrong[1]).sum()),
        n=panel.images.count(),
        n_groups=n_groups,
        reason=bounds.reason,
    )


def _tables(
    panel: Panel, pairs: Sequence[tuple[int, int]], codes: Numbers, settings: Settings
) -> Numbers:
    """How often one decides for this class and the other for that [pairs, R, C, C]."""
    size, n_groups = len(panel.images.classes), len(np.unique(codes))
    cells = np.concatenate(
        [
            (place * size + panel.decisions[a]) * size + panel.decisions[b]
            for place, (a, b) in enumerate(pairs)
        ]
    )
    ones, columns = np.ones(len(cells), dtype=np.int32), np.tile(codes, len(pairs))
    shape = (len(pairs) * size * size, n_groups)
    matrix = sparse.csr_array((ones, (cells, columns)), shape=shape)
    found = []
    for window in windows(len(codes), settings.replicates):
        drawn = draws(n_groups, window.start, window.stop, settings.seed)
        counts = np.asarray(matrix @ drawn).reshape(len(pairs), size, size, len(window))
        found.append(np.moveaxis(counts, 3, 1))
    return np.concatenate(found, axis=1).astype(np.int64)


def kappa(tables: Numbers) -> npt.NDArray[np.float64]:
    """Cohen's kappa (1960) of two deciders [R]; NaN where chance alone always agrees.

    Args:
        tables: images by both decisions [R, C, C], whole numbers.
    """
    total = tables.sum(axis=(1, 2))
    observed = np.trace(tables, axis1=1, axis2=2) * total
    chance = (tables.sum(axis=1) * tables.sum(axis=2)).sum(axis=1)
    # Whole numbers up to the division: no rounding decides whether chance is 1.
    values = np.full(len(tables), np.nan)
    np.divide(observed - chance, total**2 - chance, out=values, where=total**2 != chance)
    return values


def _hard_image(panel: Panel, index: int) -> HardImage:
    votes = np.bincount(panel.decisions[:, index], minlength=len(panel.images.classes))
    decided = int(votes.argmax())
    label = int(panel.images.labels[index])
    return HardImage(
        dataset=panel.dataset,
        split=panel.split,
        image_id=str(panel.images.image_ids[index]),
        group_id=str(panel.images.groups[index]),
        label=panel.images.classes[label],
        models=len(panel.rows),
        wrong=int((panel.decisions[:, index] != label).sum()),
        decided=panel.images.classes[decided],
        votes=int(votes[decided]),
        probability_of_label=float(panel.of_label[:, index].mean()),
    )


def _hardest(panel: Panel, settings: Settings) -> list[HardImage]:
    """Most models wrong first, then the least probable label; ties by image id and fold."""
    wrong = (panel.decisions != panel.images.labels).sum(axis=0)
    order = np.lexsort((panel.of_label.mean(axis=0), -wrong))
    return [_hard_image(panel, int(i)) for i in order[: settings.hardest] if wrong[i]]


def _against_label(panel: Panel, settings: Settings) -> AgainstLabel:
    alike = (panel.decisions == panel.decisions[0]).all(axis=0)
    against = alike & (panel.decisions[0] != panel.images.labels)
    estimate = shares(panel.images.groups, [Share(hits=[against])], settings)[0]
    chosen = np.flatnonzero(against)
    order = chosen[np.argsort(panel.of_label.mean(axis=0)[chosen], kind="stable")]
    return AgainstLabel(
        dataset=panel.dataset,
        split=panel.split,
        models=panel.rows,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        count=panel.images.count(against),
        n=panel.images.count(),
        n_groups=estimate.n_groups,
        reason=estimate.reason,
        images=tuple(_hard_image(panel, int(i)) for i in order[: settings.hardest]),
    )
