"""Labelled images in canonical order, equal ones as one: order and repetition leave no trace.

What metrics need of the images alone, whatever the resample, is made here once and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

EXACT_ROWS = 100_000
"""Images above which ranking metrics are taken over bins of scores."""
BINS = 4096
SMALL_WEIGHT = 2**26
"""Weight of which 32 bits hold any resample's sum."""
EXACT_BITS = 52
"""Whole numbers up to 2 ** 53 are exact as float64."""

Numbers = npt.NDArray[Any]
Key = tuple[object, ...]


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Values summed by lesion group, as whole numbers: sums of them are exact in any order."""

    whole: npt.NDArray[np.float64]
    """[K, G] whole numbers, so small that no resample's sum is beyond 2 ** 53."""
    exponents: npt.NDArray[np.int32]
    """[K]; a value is its whole number times 2 ** -exponent."""


@dataclass(frozen=True, kw_only=True)
class DistinctImages:
    """Distinct images, each with the weight of its copies."""

    groups: npt.NDArray[np.int64]
    """[N] place of the lesion group among the sorted ids."""
    n_groups: int
    labels: npt.NDArray[np.int64]
    decisions: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    base: Numbers
    """[N] int64 with greatest common divisor 1, or float64 where weights are fractions."""
    _kept: dict[Key, Any] = field(default_factory=dict)

    def kept(self, key: Key, make: Callable[[], Any]) -> Any:
        """What `make` gives, made at the first call by this key."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def columns(self, class_index: int) -> tuple[Numbers, Numbers, int]:
        """Of each image its score's column in a ranking, whether it is positive; all columns."""

        def made() -> tuple[Numbers, Numbers, int]:
            positive = self.labels == class_index
            columns = _ranking_columns(self.probabilities[:, class_index], positive)
            return columns, positive, int(columns.max()) + 1 if len(columns) else 0

        found: tuple[Numbers, Numbers, int] = self.kept(("columns", class_index), made)
        return found

    @cached_property
    def strata(self) -> npt.NDArray[np.int64]:
        """[G] class of each group: that of its first image, the lowest; -1 without any."""
        found = np.full(self.n_groups, -1)
        found[self.groups[::-1]] = self.labels[::-1]
        return found

    def matrix(
        self, key: Key, columns: Numbers, size: int, mask: Numbers | None = None
    ) -> sparse.csc_array:
        """What each group adds to each column [size, G], of the images where `mask` is true.

        Stored by group: a product with draws then reads those in order, which for a million
        images are far too many for a processor's cache, and writes to the few columns that fit.
        """

        def made() -> sparse.csc_array:
            chosen = slice(None) if mask is None else mask
            base = self.base[chosen]
            if base.dtype.kind == "i":
                base = base.astype(np.int32 if self.base.sum() < SMALL_WEIGHT else np.int64)
            places = (columns[chosen], self.groups[chosen])
            return sparse.csc_array((base, places), shape=(size, self.n_groups))

        found: sparse.csc_array = self.kept(("matrix", *key), made)
        return found

    def lines(self, key: Key, make: Callable[[], Numbers], *, apart: bool) -> Lines:
        """Weighted values by group; `make` gives them for each image [K, N].

        Args:
            key: of these values.
            make: called once.
            apart: K lines for each class in turn, over its own images alone.
        """

        def made() -> Lines:
            weighted = make() * self.base
            parts = [weighted]
            if apart:
                known = range(self.probabilities.shape[1])
                parts = [np.where(self.labels == index, weighted, 0.0) for index in known]
            summed = [np.bincount(self.groups, line, self.n_groups) for p in parts for line in p]
            return _exact(np.array(summed, dtype=np.float64).reshape(len(summed), self.n_groups))

        found: Lines = self.kept(("lines", apart, *key), made)
        return found


def distinct_images(
    groups: Numbers,
    n_groups: int,
    labels: Numbers,
    decisions: Numbers,
    probabilities: Numbers,
    weights: Numbers,
) -> DistinctImages:
    """Sort images by content and merge equal ones.

    Args:
        groups: places of lesion groups [N].
        n_groups: how many groups there are.
        labels: class indices [N].
        decisions: class indices [N].
        probabilities: [N, C].
        weights: [N], above 0.
    """
    order = np.lexsort((*probabilities.T[::-1], decisions, labels, groups))
    groups, labels, decisions = groups[order], labels[order], decisions[order]
    probabilities, weights = probabilities[order], _whole(weights)[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (
        (np.diff(groups) != 0)
        | (np.diff(labels) != 0)
        | (np.diff(decisions) != 0)
        | (probabilities[1:] != probabilities[:-1]).any(axis=1)
    )
    base = np.add.reduceat(weights, np.flatnonzero(new)) if len(order) else weights
    if base.dtype.kind == "i" and len(base):
        base = base // np.gcd.reduce(base)
    return DistinctImages(
        groups=groups[new],
        n_groups=n_groups,
        labels=labels[new],
        decisions=decisions[new],
        probabilities=probabilities[new],
        base=base,
    )


def _ranking_columns(scores: Numbers, positive: Numbers) -> Numbers:
    """Number the distinct scores from the highest down; runs without a positive share one.

    Above EXACT_ROWS images, scores in one of BINS bins count as tied. No bin holds more than two
    in BINS of the positives or of the negatives (but for true ties), so AUROC is at most 1 / BINS
    off; that images of a bin stand in any order makes it far less.
    """
    if len(scores) > EXACT_ROWS and positive.any() and not positive.all():
        steps = np.linspace(0, 1, BINS // 2 + 1)
        edges = [np.quantile(scores[mask], steps, method="lower") for mask in (positive, ~positive)]
        scores = np.searchsorted(np.unique(np.concatenate(edges)), scores, side="right")
    distinct, inverse = np.unique(-scores, return_inverse=True)
    has_positive = np.zeros(len(distinct), dtype=bool)
    has_positive[inverse[positive]] = True
    starts = np.ones(len(distinct), dtype=bool)
    starts[1:] = has_positive[1:] | has_positive[:-1]
    return np.asarray((np.cumsum(starts) - 1)[inverse])


def _whole(weights: Numbers) -> Numbers:
    """Weights as int64 where a common factor of up to 1024 makes them whole, else float64."""
    for factor in (1, 1024):
        scaled = weights * factor
        if np.all(scaled == np.rint(scaled)) and float(np.abs(scaled).sum()) < 2**40:
            return np.asarray(scaled.astype(np.int64))
    return np.asarray(weights, dtype=np.float64)


def _exact(values: npt.NDArray[np.float64]) -> Lines:
    """Values [K, G] in fixed point; of G groups drawn no sum is above G times the largest.

    For 1,000 groups a value keeps 42 bits below the largest one's, for a million 32.
    """
    most = np.abs(values).max(axis=1, initial=0.0) * max(1, values.shape[1])
    exponents = EXACT_BITS - np.frexp(most)[1]
    return Lines(whole=np.rint(np.ldexp(values, exponents[:, None])), exponents=exponents)
