"""How often each lesion group is drawn in each bootstrap replicate.

Replicate 0 is the data. Replicate r > 0 draws as many lesion groups as there are, with
replacement. Draws go over the sorted group ids and depend on nothing but their number and the
seed, so rows that are scored on the same images share their resamples.
"""

from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import numpy.typing as npt

STREAM = 25
"""Replicates drawn from one random stream: any window of whole streams can be made alone."""
WINDOW_VALUES = 8_000_000
"""Images times replicates held at once (32 MB an array)."""
STRATUM = 1_000_003
"""Apart by more than seeds are: each class has resamples of its own."""
KEPT_BYTES = 800_000_000
"""Of draws, a byte each: a thousand replicates of 750,000 groups."""


def windows(n_rows: int, replicates: int) -> list[range]:
    """Ranges of replicate numbers, 0 (the data) in the first, each small enough to hold."""
    streams = max(1, WINDOW_VALUES // max(1, n_rows) // STREAM)
    cuts = [0, *range(1 + streams * STREAM, replicates + 1, streams * STREAM), replicates + 1]
    return [range(start, stop) for start, stop in pairwise(cuts)]


def left_out_windows(n_rows: int, n_groups: int) -> list[range]:
    """Ranges of groups to leave out, each small enough to hold."""
    step = max(1, WINDOW_VALUES // max(1, n_rows))
    return [range(start, min(start + step, n_groups)) for start in range(0, n_groups, step)]


class _Kept:
    """Draws made last, up to a number of bytes: rows on the same images share them."""

    def __init__(self, most: int) -> None:
        self.most, self.size, self.lock = most, 0, threading.Lock()
        self.found: dict[tuple[int, int, int, int], npt.NDArray[np.integer]] = {}

    def get(self, key: tuple[int, int, int, int]) -> npt.NDArray[np.integer]:
        with self.lock:
            if key in self.found:
                self.found[key] = self.found.pop(key)  # the last one used goes last
                return self.found[key]
            made = _draw(*key)
            while self.found and self.size + made.nbytes > self.most:
                self.size -= self.found.pop(next(iter(self.found))).nbytes
            self.found[key] = made
            self.size += made.nbytes
            return made


_kept = _Kept(KEPT_BYTES)


def draws(n_groups: int, start: int, stop: int, seed: int) -> npt.NDArray[np.int32]:
    """How often each group is drawn in replicates start to stop [G, stop - start].

    Args:
        n_groups: groups to draw from, at least 1.
        start: first replicate; 0, or one more than a multiple of STREAM.
        stop: one after the last.
        seed: of the whole bootstrap.
    """
    return _kept.get((n_groups, start, stop, seed)).astype(np.int32)


def draws_within(
    strata: npt.NDArray[np.integer], start: int, stop: int, seed: int
) -> npt.NDArray[np.int32]:
    """The same, each stratum by itself [G, stop - start].

    Args:
        strata: [G] each group's stratum; those below 0 are neither drawn nor lost.
        start: first replicate, as of `draws`.
        stop: one after the last.
        seed: of the whole bootstrap.
    """
    counts = np.ones((len(strata), stop - start), dtype=np.int32)
    for stratum in np.unique(strata).tolist():
        chosen = strata == stratum
        counts[chosen] = draws(int(chosen.sum()), start, stop, seed + STRATUM * (1 + stratum))
    return counts


def _draw(n_groups: int, start: int, stop: int, seed: int) -> npt.NDArray[np.integer]:
    counts = np.ones((n_groups, stop - start), dtype=np.uint8)
    for low in range(max(start, 1), stop, STREAM):
        generator = np.random.default_rng([seed, n_groups, (low - 1) // STREAM])
        drawn = generator.integers(0, n_groups, size=(STREAM, n_groups))
        drawn += np.arange(STREAM)[:, None] * n_groups
        counted = np.bincount(drawn.ravel(), minlength=STREAM * n_groups)
        if counted.max(initial=0) > np.iinfo(counts.dtype).max:
            counts = counts.astype(np.int32)
        width = min(STREAM, stop - low)
        counts[:, low - start : low - start + width] = counted.reshape(STREAM, -1)[:width].T
    return counts
