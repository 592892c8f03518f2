"""Lesion-clustered bootstrap resamples as integer weights, shared by every metric.

Replicate 0 is the data. Replicate r > 0 draws as many lesion groups as there are, with
replacement; the weight of an image is how often its group was drawn. Draws go over the sorted
group ids and depend on nothing but their number and the seed, so rows that are scored on the
same images share their resamples. Everything a metric reads is a product of one sparse matrix
(what each group adds) with the draws, in integers, so no result depends on the order of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

STREAM = 25
"""Replicates drawn from one random stream: any window of whole streams can be made alone."""
EXACT_ROWS = 100_000
"""Images above which ranking metrics are taken over bins of scores."""
BINS = 4096
SAFE_GROUPS = 50
"""Lesion groups of a class that a resample never loses all of (e^-50)."""
STRATUM = 1_000_003
"""Apart by more than seeds are: each class has resamples of its own."""
WINDOW_VALUES = 8_000_000
"""Images times replicates held at once (32 MB an array)."""

Numbers = npt.NDArray[Any]


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
        self.most, self.size = most, 0
        self.found: dict[tuple[int, int, int, int], npt.NDArray[np.int32]] = {}

    def get(self, key: tuple[int, int, int, int]) -> npt.NDArray[np.int32]:
        if key in self.found:
            self.found[key] = self.found.pop(key)  # the last one used goes last
            return self.found[key]
        made = _draw(*key)
        while self.found and self.size + made.nbytes > self.most:
            self.size -= self.found.pop(next(iter(self.found))).nbytes
        self.found[key] = made
        self.size += made.nbytes
        return made


_kept = _Kept(400_000_000)


def draws(n_groups: int, start: int, stop: int, seed: int) -> npt.NDArray[np.int32]:
    """How often each group is drawn in replicates start to stop [G, stop - start].

    Args:
        n_groups: groups to draw from, at least 1.
        start: first replicate; 0, or one more than a multiple of STREAM.
        stop: one after the last.
        seed: of the whole bootstrap.
    """
    return _kept.get((n_groups, start, stop, seed))


def _draw(n_groups: int, start: int, stop: int, seed: int) -> npt.NDArray[np.int32]:
    counts = np.ones((n_groups, stop - start), dtype=np.int32)
    first = max(start, 1)
    for low in range(first, stop, STREAM):
        generator = np.random.default_rng([seed, n_groups, (low - 1) // STREAM])
        drawn = generator.integers(0, n_groups, size=(STREAM, n_groups))
        drawn += np.arange(STREAM)[:, None] * n_groups
        counted = np.bincount(drawn.ravel(), minlength=STREAM * n_groups)
        width = min(STREAM, stop - low)
        counts[:, low - start : low - start + width] = counted.reshape(STREAM, -1)[:width].T
    counts.setflags(write=False)
    return counts


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Distinct images in canonical order, each with the weight of its copies."""

    groups: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    decisions: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    base: Numbers
    """int64 with greatest common divisor 1, or float64 where weights are fractions."""
    orders: dict[int, tuple[Numbers, Numbers]] = field(default_factory=dict)

    def columns(self, class_index: int) -> tuple[Numbers, Numbers]:
        """For each row, the column of its score in `ranking`, and whether it is positive."""
        if class_index not in self.orders:
            scores = self.probabilities[:, class_index]
            positive = self.labels == class_index
            self.orders[class_index] = (_ranking_columns(scores, positive), positive)
        return self.orders[class_index]


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


def _canonical(
    groups: Numbers, labels: Numbers, decisions: Numbers, probabilities: Numbers, weights: Numbers
) -> _Rows:
    """Sort rows by content and merge equal ones, so that order and repetition leave no trace."""
    order = np.lexsort((*probabilities.T[::-1], decisions, labels, groups))
    groups, labels, decisions = groups[order], labels[order], decisions[order]
    probabilities, weights = probabilities[order], weights[order]
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
    return _Rows(
        groups=groups[new],
        labels=labels[new],
        decisions=decisions[new],
        probabilities=probabilities[new],
        base=base,
    )


def _whole(weights: Numbers) -> Numbers:
    """Weights as int64 where a common factor of up to 1024 makes them whole, else float64."""
    for factor in (1, 1024):
        scaled = weights * factor
        if np.all(scaled == np.rint(scaled)) and float(np.abs(scaled).sum()) < 2**40:
            return np.asarray(scaled.astype(np.int64))
    return np.asarray(weights, dtype=np.float64)


class ReplicateSet:
    """One labelled set of images under R = replicates + 1 sets of weights.

    Implements records.entries.Replicates. Rows that are equal in everything are one row with
    the sum of their weights; `labels`, `probabilities` and `weights` are in that canonical order.

    Args:
        labels: class indices [N].
        probabilities: [N, C].
        groups: lesion group ids [N], of any sortable kind.
        replicates: bootstrap resamples beside the data itself.
        seed: of the resamples.
        decisions: class indices [N]; None decides for the first of the largest probabilities.
        weights: [N], above 0; None weighs all alike.
        universe: sorted group ids to draw from; None draws from those of `groups`. A part of a
            test set (a fold, a slice) passes the ids of the whole to share its resamples.
        balanced: scale the weights of each class, in each replicate by itself, so that all
            classes with images have the same total; results are then float64.
        classes: class codes, for metrics that are about classes by name.
        leave_out: replicate g is the data without group g, in place of resamples.

    Raises:
        ValueError: `universe` lacks a group.
    """

    def __init__(
        self,
        labels: npt.ArrayLike,
        probabilities: npt.ArrayLike,
        groups: Sequence[object] | Numbers,
        *,
        replicates: int,
        seed: int,
        decisions: npt.ArrayLike | None = None,
        weights: npt.ArrayLike | None = None,
        universe: Numbers | None = None,
        balanced: bool = False,
        classes: Sequence[str] = (),
        leave_out: bool = False,
    ) -> None:
        matrix = np.asarray(probabilities, dtype=np.float64)
        true = np.asarray(labels, dtype=np.int64)
        decided = matrix.argmax(axis=1) if decisions is None else np.asarray(decisions, np.int64)
        ids = np.asarray(groups)
        known = np.unique(ids) if universe is None else universe
        base = np.ones(len(true)) if weights is None else np.asarray(weights, dtype=np.float64)
        self.n_classes, self.classes = matrix.shape[1], tuple(classes)
        codes = np.searchsorted(known, ids)
        if len(ids) and not np.array_equal(known[np.minimum(codes, len(known) - 1)], ids):
            raise ValueError("universe lacks a group id of the images")
        self._rows = _canonical(codes, true, decided, matrix, _whole(base))
        self._n_groups, self._seed = len(known), seed
        self._range, self._balanced = range(replicates + 1), balanced
        self._leave_out = leave_out
        self._strata: npt.NDArray[np.int64] | None = None
        if leave_out:
            self._range = range(len(known))

    def window(self, part: range) -> ReplicateSet:
        """The same images under some of the replicates; `part` is one of `windows`."""
        view = object.__new__(ReplicateSet)
        view.n_classes, view.classes, view._rows = self.n_classes, self.classes, self._rows
        view._n_groups, view._seed, view._range = self._n_groups, self._seed, part
        view._balanced, view._leave_out = self._balanced, self._leave_out
        view._strata = self._strata
        return view

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """[N] class indices."""
        return self._rows.labels

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """[N, C]."""
        return self._rows.probabilities

    @cached_property
    def weights(self) -> Numbers:
        """[R, N] integers, or float64 where the weights given were fractions."""
        drawn: Numbers = self._draws[self._rows.groups] * self._rows.base[:, None]
        if self._balanced:
            drawn = drawn * self._scale.T[self._rows.labels]
        return np.ascontiguousarray(drawn.T)

    @cached_property
    def confusion(self) -> Numbers:
        """[R, C, C], [true, decided]."""
        rows, size = self._rows, self.n_classes
        cells = self._sums(rows.labels * size + rows.decisions, size * size)
        wide = cells if cells.dtype.kind == "f" else cells.astype(np.int64)
        counts = np.ascontiguousarray(wide.T).reshape(-1, size, size)
        return counts * self._scale[:, :, None] if self._balanced else counts

    def ranking(self, class_index: int) -> tuple[Numbers, Numbers]:
        """Cumulated positive and negative weights [R, T] of a class, highest score first.

        A column for each distinct score; scores in a row that no positive image has share one,
        for they are one straight piece of the ROC curve.
        """
        if class_index not in self._rankings:
            columns, positive = self._rows.columns(class_index)
            size = int(columns.max()) + 1 if len(columns) else 0
            cumulated = self._by_class if self._balanced else self._cumulated
            self._rankings[class_index] = (
                cumulated(columns, positive, size),
                cumulated(columns, ~positive, size),
            )
        return self._rankings[class_index]

    @cached_property
    def data_weights(self) -> npt.NDArray[np.float64]:
        """[N], of the data itself."""
        base = self._rows.base.astype(np.float64)
        if not self._balanced:
            return base
        totals = np.bincount(self._rows.labels, base, minlength=self.n_classes)
        share = totals.sum() / max(1, int((totals > 0).sum()))
        scaled: npt.NDArray[np.float64] = (
            base * (share / np.where(totals > 0, totals, 1.0))[self._rows.labels]
        )
        return scaled

    def sums(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Weighted sums of values [K, N] under each replicate [R, K]."""
        rows = self._rows
        weighted = values * rows.base
        if not self._balanced:
            return self._drawn_sums(weighted)
        total = np.zeros((len(self._range), len(values)))
        for index in np.unique(rows.labels):
            part = self._drawn_sums(np.where(rows.labels == index, weighted, 0.0))
            total += part * self._scale[:, index, None]
        return total

    def once(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        """What `make` gives, made once for all metrics that ask by the same key."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    @cached_property
    def _made(self) -> dict[tuple[object, ...], Any]:
        return {}

    def _drawn_sums(self, weighted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Sums by group first, then over the groups drawn, in a fixed order (no BLAS)."""
        by_group = [np.bincount(self._rows.groups, line, self._n_groups) for line in weighted]
        table = sparse.csr_array(np.array(by_group).reshape(len(weighted), self._n_groups))
        return np.ascontiguousarray(np.asarray(table @ self._draws, dtype=np.float64).T)

    @cached_property
    def within_classes(self) -> ReplicateSet:
        """The same images under resamples of each class's lesion groups by themselves.

        A group is of the class of its first image in canonical order, the lowest class index.
        Where each class has `SAFE_GROUPS` groups none is ever lost, and the usual resamples serve.
        """
        rows = self._rows
        strata = np.full(self._n_groups, -1)
        strata[rows.groups[::-1]] = rows.labels[::-1]
        sizes = np.bincount(strata[strata >= 0])
        if not len(sizes) or sizes[sizes > 0].min() >= SAFE_GROUPS:
            return self
        view = self.window(self._range)
        view._strata = strata
        return view

    @property
    def balanced(self) -> bool:
        """Whether all classes weigh the same."""
        return self._balanced

    @cached_property
    def lost_class(self) -> npt.NDArray[np.bool_]:
        """[R] whether a class of these images has none in a replicate."""
        there = np.unique(self._rows.labels)
        totals = self._sums(self._rows.labels, self.n_classes)[there]
        return np.asarray((totals <= 0).any(axis=0))

    @cached_property
    def _scale(self) -> npt.NDArray[np.float64]:
        """[R, C] what to multiply weights of a class with; 0 where the replicate has none."""
        totals = self._sums(self._rows.labels, self.n_classes).T.astype(np.float64)
        there = (totals > 0).sum(axis=1, keepdims=True)
        share = totals.sum(axis=1, keepdims=True) / np.maximum(there, 1)
        scale = np.zeros(totals.shape)
        np.divide(share, totals, out=scale, where=totals > 0)
        return scale

    def _by_class(self, columns: Numbers, mask: Numbers, size: int) -> Numbers:
        """As `_cumulated`, each class with its scale."""
        total = np.zeros((len(self._range), size))
        for index in np.unique(self._rows.labels[mask]):
            chosen = mask & (self._rows.labels == index)
            total += self._cumulated(columns, chosen, size) * self._scale[:, index, None]
        return total

    @cached_property
    def _rankings(self) -> dict[int, tuple[Numbers, Numbers]]:
        return {}

    @property
    def _draws(self) -> npt.NDArray[np.int32]:
        if not self._n_groups:
            return np.zeros((0, len(self._range)), dtype=np.int32)
        if self._leave_out:
            counts = np.ones((self._n_groups, len(self._range)), dtype=np.int32)
            counts[self._range, range(len(self._range))] = 0
            return counts
        if self._strata is not None:
            return self._stratified
        return draws(self._n_groups, self._range.start, self._range.stop, self._seed)

    @cached_property
    def _stratified(self) -> npt.NDArray[np.int32]:
        counts = np.ones((self._n_groups, len(self._range)), dtype=np.int32)
        strata = self._strata
        for stratum in np.unique(strata) if strata is not None else ():
            chosen = strata == stratum
            seed = self._seed + STRATUM * (1 + int(stratum))
            counts[chosen] = draws(int(chosen.sum()), self._range.start, self._range.stop, seed)
        return counts

    def _cumulated(self, columns: Numbers, mask: Numbers, size: int) -> Numbers:
        sums = self._sums(columns[mask], size, mask)
        return np.cumsum(sums, axis=0, out=sums).T

    def _sums(self, columns: Numbers, size: int, mask: Numbers | None = None) -> Numbers:
        """Weights of rows (those of `mask`) summed by column [size, R]."""
        rows = self._rows
        base = rows.base if mask is None else rows.base[mask]
        groups = rows.groups if mask is None else rows.groups[mask]
        if base.dtype.kind == "i":  # 32 bits hold any resample of this much weight
            base = base.astype(np.int32 if rows.base.sum() < 2**26 else np.int64)
        matrix = sparse.csr_array((base, (columns, groups)), shape=(size, self._n_groups))
        return np.asarray(matrix @ self._draws)
