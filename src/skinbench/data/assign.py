"""Stratified assignment of whole groups of images to parts, in plain arrays.

Both functions take images in a fixed order (the callers sort by image_id), so that a seed gives
one answer whatever order a table came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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

    Groups go from the largest to the smallest, in random order within a size. The groups of one
    main class and size are dealt out in turns, see `_Turns`; a group that is more than what any
    part lacks goes where it overshoots least.
    """
    n_groups = int(groups.max(initial=-1)) + 1
    order = rng.permutation(n_groups)
    sizes = np.bincount(groups, minlength=n_groups)
    order = order[np.argsort(-sizes[order], kind="stable")]
    contents = _contents(classes, groups, n_groups, quota.sum(axis=0))
    lacking = quota.astype(np.int64).T.tolist()
    turns: dict[int, _Turns] = {}
    part_of = np.zeros(n_groups, dtype=np.int64)
    for group in order.tolist():
        content = contents[group]
        class_, count = content[0]
        if class_ not in turns or turns[class_].count != count:
            turns[class_] = _Turns.start(lacking[class_], count, rng)
        part = turns[class_].next(lacking[class_])
        for other, images in content:
            lacking[other][part] -= images
        part_of[group] = part
    return part_of[groups]


@dataclass(frozen=True, kw_only=True)
class _Turns:
    """Whose turn it is among the parts, for groups of one main class and one size.

    Each part takes a group at regular steps, more often the more it lacks. Its first step has a
    random phase: without it the same part would begin under every seed, and a group that is
    alone in its size would always or never be held out. Seen from one of its events, a
    superposition of periodic streams has one stream at phase 0, chosen in proportion to its
    rate, and the others at uniform phases; each event then belongs to a stream in proportion to
    its rate. So a group reaches a part with the share that the part lacks.
    """

    count: int
    """Images of the main class in each group."""
    lacked: tuple[int, ...]
    """What each part lacked at the start: its rate."""
    phases: tuple[float, ...]
    """Images by which each part is late."""

    @classmethod
    def start(cls, lacking: Sequence[int], count: int, rng: np.random.Generator) -> _Turns:
        rates = np.maximum(lacking, 0).astype(np.float64)
        phases = rng.random(len(rates)) * count
        if rates.any():
            phases[rng.choice(len(rates), p=rates / rates.sum())] = 0.0
        return cls(count=count, lacked=tuple(lacking), phases=tuple(phases.tolist()))

    def next(self, lacking: Sequence[int]) -> int:
        """The part that takes the next group, given what each lacks now."""

        def need(part: int) -> tuple[bool, float]:
            lack, lacked = lacking[part], self.lacked[part]
            if lack < self.count:
                return False, float(lack)
            return True, (lack - self.phases[part]) / lacked

        return max(range(len(lacking)), key=need)


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
