"""The second stage over many candidate pairs."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skinbench.learn.near.features import Features
from skinbench.learn.near.matching import FIRST, NONE, Local, match, promising, unit_descriptors

Progress = Callable[[str, int, int], None]
_PART = 1000
"""Pairs that one thread takes at a time."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A pair that the local features support."""

    left: int
    """Row of the left features."""
    right: int
    inliers: int
    matrix: npt.NDArray[np.float64]
    """[2, 3], from pixels of the left canvas to pixels of the right one."""
    mirrored: bool


def compare(
    left: Features,
    right: Features,
    pairs: npt.NDArray[np.int64],
    fewest: int,
    *,
    workers: int,
    progress: Progress | None = None,
) -> list[Found]:
    """Those of the pairs [P, 2] that have at least `fewest` inliers, in their order.

    Args:
        left: features of the first column.
        right: of the second.
        pairs: rows, sorted by the first column.
        fewest: inliers asked for.
        workers: threads.
        progress: called with ("near-duplicate pairs", pairs done, pairs).
    """
    found: list[Found] = []
    starts = range(0, len(pairs), _PART)
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        parts = pool.map(
            lambda start: _part(left, right, pairs[start : start + _PART], fewest), starts
        )
        for start, part in zip(starts, parts, strict=True):
            found += part
            if progress is not None:
                progress("near-duplicate pairs", min(start + _PART, len(pairs)), len(pairs))
    return found


def _part(
    left: Features, right: Features, pairs: npt.NDArray[np.int64], fewest: int
) -> list[Found]:
    @functools.lru_cache(maxsize=1000)
    def strongest(row: int) -> Local:
        return _local(right, row, FIRST)

    found = []
    for here, others in itertools.groupby(pairs.tolist(), key=operator.itemgetter(0)):
        rows = [there for _, there in others]
        own = _local(left, here)
        for there, likely in zip(rows, promising(own, [strongest(r) for r in rows]), strict=True):
            result = match(own, _local(right, there)) if likely else NONE
            if result.inliers >= fewest:
                found.append(
                    Found(
                        left=here,
                        right=there,
                        inliers=result.inliers,
                        matrix=result.matrix,
                        mirrored=result.mirrored,
                    )
                )
    return found


def _local(features: Features, row: int, most: int | None = None) -> Local:
    keypoints = features.keypoints(row)
    return unit_descriptors(keypoints.descriptors[:most]), keypoints.points[:most]
