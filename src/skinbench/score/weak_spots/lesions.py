"""Several pictures of one lesion: how often a model gives them different answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench.records import Bounded, Consistency
from skinbench.score.images import ScoredImages
from skinbench.score.weak_spots.estimates import Settings, Share, shares

Numbers = npt.NDArray[Any]


def consistency(
    row: str,
    seeds: Sequence[ScoredImages],
    lesions: Mapping[str, str] | None,
    settings: Settings,
    focus: str | None,
) -> list[Consistency]:
    """Share of lesions with several test images whose images are decided differently.

    Views are compared within a fold, where one model saw them all. All lesions first, then
    those of the focus class.

    Args:
        row: the row's name.
        seeds: the same images decided by each seed.
        lesions: image id to lesion id; None takes the lesion groups. Images without a lesion id
            have no views.
        settings: replicates and level.
        focus: class looked at by itself; None: none is.

    Returns:
        Nothing where no lesion has two test images.
    """
    first = seeds[0]
    lesion = _lesions(first, lesions)
    found = []
    for class_ in (None, focus) if focus is not None else (None,):
        index = None if class_ is None else first.classes.index(class_)
        mask = np.array([item is not None for item in lesion], dtype=bool)
        if index is not None:
            mask &= first.labels == index
        one = _of(row, class_, [images.subset(mask) for images in seeds], lesion[mask], settings)
        if one is not None:
            found.append(one)
    return found


def _lesions(images: ScoredImages, lesions: Mapping[str, str] | None) -> Numbers:
    if lesions is None:
        return images.groups
    return np.array([lesions.get(str(image)) for image in images.image_ids], dtype=object)


def _of(
    row: str,
    class_: str | None,
    seeds: Sequence[ScoredImages],
    lesion: Numbers,
    settings: Settings,
) -> Consistency | None:
    first = seeds[0]
    if not len(first):
        return None
    keys = np.array([f"{fold}/{name}" for fold, name in zip(first.folds, lesion, strict=True)])
    _, start, codes, sizes = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    several = sizes > 1
    if not several.any():
        return None
    groups = first.groups[start][several]
    disagree, right, wrong = [], [], []
    for images in seeds:
        hit = np.bincount(codes, images.decisions == images.labels, minlength=len(sizes))
        lowest = np.full(len(sizes), len(first.classes))
        highest = np.full(len(sizes), -1)
        np.minimum.at(lowest, codes, images.decisions)
        np.maximum.at(highest, codes, images.decisions)
        disagree.append((lowest != highest)[several])
        right.append((hit == sizes)[several])
        wrong.append((hit == 0)[several])
    some = [~(a | b) for a, b in zip(right, wrong, strict=True)]
    asked = [Share(hits=hits) for hits in (disagree, right, some, wrong)]
    estimate, *parts = shares(groups, asked, settings)
    all_right, some_right, none_right = (
        Bounded(value=part.value or 0.0, low=part.low, high=part.high) for part in parts
    )
    return Consistency(
        row=row,
        dataset=first.dataset,
        condition=first.condition,
        class_=class_,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        lesions=int(several.sum()),
        images=int(sizes[several].sum()),
        n_groups=estimate.n_groups,
        all_right=all_right,
        some_right=some_right,
        none_right=none_right,
        reason=estimate.reason,
    )
