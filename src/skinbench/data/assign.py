"""Stratified assignment of whole groups of images to parts, in plain arrays.

Both functions take images in a fixed order (the callers sort by image_id), so that a seed gives
one answer whatever order a table came in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def hold_out(
    classes: Ints,
    groups: Ints,
    wanted: Floats,
    rng: np.random.Generator,
    bounds: tuple[Ints, Ints] | None = None,
) -> npt.NDArray[np.bool_]:
    """Choose whole groups with about `wanted[c]` images of each class.

    Where every group is one image, the count of each class is its wanted number rounded up or
    down, and the total is the rounded total.

    Args:
        classes: class index per image [N].
        groups: group index per image [N].
        wanted: images wanted per class [C].
        rng: shuffles the groups.
        bounds: lowest and highest count per class [C]; wanted rounded down and up where None.

    Returns:
        [N], True for the chosen.
    """
    there = np.bincount(classes, minlength=len(wanted))
    low, high = bounds if bounds is not None else rounded(wanted)
    quota = np.minimum(_round_to_total(wanted, low, high), there)
    chosen = _place(classes, groups, np.stack([there - quota, quota]), rng)
    return np.asarray(chosen == 1, dtype=np.bool_)


def folds_of(classes: Ints, groups: Ints, folds: int, rng: np.random.Generator) -> Ints:
    """Partition whole groups into parts with equal shares of each class.

    Returns:
        Part index 0..folds-1 per image [N].
    """
    there = np.bincount(classes)
    quota = np.repeat(there // folds, folds).reshape(-1, folds).T.copy()
    start = 0
    for class_, extra in enumerate(there % folds):
        # Each class's spare images start where the last class's ended: totals stay equal.
        quota[(start + np.arange(extra)) % folds, class_] += 1
        start += int(extra)
    return _place(classes, groups, quota, rng)


def rounded(wanted: Floats) -> tuple[Ints, Ints]:
    """`wanted` rounded down and up; 23.000000000000004 is 23."""
    exact = np.round(wanted, 9)
    return np.floor(exact).astype(np.int64), np.ceil(exact).astype(np.int64)


def _round_to_total(wanted: Floats, low: Ints, high: Ints) -> Ints:
    """Integers within the bounds, nearest to `wanted`, with the rounded total if possible."""
    counts = np.minimum(low, high).astype(np.int64)
    spare = int(np.floor(np.round(wanted.sum(), 9) + 0.5)) - int(counts.sum())
    for class_ in np.argsort(-(np.round(wanted, 9) - counts), kind="stable"):
        if spare > 0 and counts[class_] < high[class_]:
            counts[class_] += 1
            spare -= 1
    return counts


def _place(classes: Ints, groups: Ints, quota: Ints, rng: np.random.Generator) -> Ints:
    """Part index per image [N], whole groups, near `quota` [parts, classes].

    Groups go from the largest to the smallest, in random order within a size, each to the part
    that lacks the largest share of its quota of the group's main class. Shares, not counts:
    else the largest part would take every large group. Each part starts at a random phase:
    else the first groups would go to the same part under every seed.
    """
    n_groups = int(groups.max(initial=-1)) + 1
    order = rng.permutation(n_groups)
    sizes = np.bincount(groups, minlength=n_groups)
    order = order[np.argsort(-sizes[order], kind="stable")]
    contents = _contents(classes, groups, n_groups, quota.sum(axis=0))
    phases = _phases(quota, contents, rng).tolist()
    lacking = quota.astype(np.int64).tolist()
    quotas = quota.tolist()
    part_of = np.zeros(n_groups, dtype=np.int64)
    for group in order.tolist():
        content = contents[group]
        part = _neediest(content[0], lacking, quotas, phases)
        for class_, count in content:
            lacking[part][class_] -= count
        part_of[group] = part
    return part_of[groups]


def _neediest(
    main: tuple[int, int],
    lacking: Sequence[Sequence[int]],
    quotas: Sequence[Sequence[int]],
    phases: Sequence[Sequence[float]],
) -> int:
    class_, count = main

    def need(part: int) -> tuple[bool, float, int]:
        lack, quota = lacking[part][class_], quotas[part][class_]
        fits = lack >= count
        return fits, (lack - phases[part][class_]) / quota if fits else float(lack), quota

    return max(range(len(lacking)), key=need)


def _phases(
    quota: Ints, contents: Sequence[Sequence[tuple[int, int]]], rng: np.random.Generator
) -> Floats:
    """How many images late each part starts in each class [parts, classes].

    Taking turns by share of a quota is a superposition of periodic streams. Seen from one of its
    events, one stream (chosen in proportion to its rate) has phase 0 and the others uniform
    phases; from there on every event belongs to a stream in proportion to its rate. So groups
    of any one size reach a part as often as its quota says.
    """
    period = np.ones(quota.shape[1])
    for content in contents:
        class_, count = content[0]
        period[class_] = max(period[class_], count)
    phases = rng.random(quota.shape) * period
    for class_, total in enumerate(quota.sum(axis=0).tolist()):
        if total:
            phases[rng.choice(len(quota), p=quota[:, class_] / total), class_] = 0.0
    return phases


def _contents(
    classes: Ints, groups: Ints, n_groups: int, totals: Ints
) -> list[list[tuple[int, int]]]:
    """(class, images) of each group, its main class first: the commonest, then the rarer."""
    contents: list[dict[int, int]] = [{} for _ in range(n_groups)]
    for group, class_ in zip(groups.tolist(), classes.tolist(), strict=True):
        contents[group][class_] = contents[group].get(class_, 0) + 1
    return [
        sorted(content.items(), key=lambda item: (-item[1], totals[item[0]], item[0]))
        for content in contents
    ]
