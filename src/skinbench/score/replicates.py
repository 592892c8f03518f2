"""Labelled images under lesion-clustered bootstrap resamples, shared by every metric.

The weight of an image in a replicate is how often its lesion group was drawn. Everything a
metric reads is a product of one matrix (what each group adds) with the draws, in whole numbers,
so no result depends on the order of rows, on how replicates are windowed or on threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench.score.distinct import Key, Numbers, distinct_images
from skinbench.score.draws import draws, draws_within

SAFE_GROUPS = 50
"""Lesion groups of a class that a resample never loses all of (e^-50)."""


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
        self._images = distinct_images(codes, len(known), true, decided, matrix, base)
        self._seed = seed
        self._range, self._balanced = range(replicates + 1), balanced
        self._leave_out = leave_out
        self._strata: npt.NDArray[np.int64] | None = None
        if leave_out:
            self._range = range(len(known))

    def window(self, part: range) -> ReplicateSet:
        """The same images under some of the replicates; `part` is one of `windows`."""
        view = object.__new__(ReplicateSet)
        view.n_classes, view.classes, view._images = self.n_classes, self.classes, self._images
        view._seed, view._range = self._seed, part
        view._balanced, view._leave_out = self._balanced, self._leave_out
        view._strata = self._strata
        return view

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """[N] class indices."""
        return self._images.labels

    @property
    def probabilities(self) -> npt.NDArray[np.float64]:
        """[N, C]."""
        return self._images.probabilities

    @cached_property
    def weights(self) -> Numbers:
        """[R, N] integers, or float64 where the weights given were fractions."""
        drawn: Numbers = self._draws[self._images.groups] * self._images.base[:, None]
        if self._balanced:
            drawn = drawn * self._scale.T[self._images.labels]
        return np.ascontiguousarray(drawn.T)

    @cached_property
    def totals(self) -> Numbers:
        """[R] weight of all images."""
        return np.asarray(self.confusion.sum(axis=(1, 2)))

    @cached_property
    def confusion(self) -> Numbers:
        """[R, C, C], [true, decided]."""
        images, size = self._images, self.n_classes
        cells = self._sums(("cells",), images.labels * size + images.decisions, size * size)
        wide = cells if cells.dtype.kind == "f" else cells.astype(np.int64)
        counts = np.ascontiguousarray(wide.T).reshape(-1, size, size)
        return counts * self._scale[:, :, None] if self._balanced else counts

    def ranking(self, class_index: int) -> tuple[Numbers, Numbers]:
        """Cumulated positive and negative weights [R, T] of a class, highest score first.

        A column for each distinct score; scores in a row that no positive image has share one,
        for they are one straight piece of the ROC curve.
        """

        def made() -> tuple[Numbers, Numbers]:
            return self._cumulated(class_index, True), self._cumulated(class_index, False)

        found: tuple[Numbers, Numbers] = self.once(("ranking", class_index), made)
        return found

    @cached_property
    def data_weights(self) -> npt.NDArray[np.float64]:
        """[N], of the data itself."""
        base = self._images.base.astype(np.float64)
        if not self._balanced:
            return base
        labels = self._images.labels
        totals = np.bincount(labels, base, minlength=self.n_classes)
        share = totals.sum() / max(1, int((totals > 0).sum()))
        scaled: npt.NDArray[np.float64] = base * (share / np.where(totals > 0, totals, 1.0))[labels]
        return scaled

    def sums(self, key: Key, make: Callable[[], Numbers]) -> npt.NDArray[np.float64]:
        """Weighted sums under each replicate [R, K] of the values [K, N] that `make` gives.

        Args:
            key: of these values among all that are asked of these images.
            make: called once for all replicates.
        """
        lines = self._images.lines(key, make, apart=self._balanced)
        found = np.ldexp(lines.whole @ self._wide_draws, -lines.exponents[:, None])
        if not self._balanced:
            return np.ascontiguousarray(found.T)
        by_class = found.reshape(self.n_classes, -1, len(self._range))
        return np.asarray(np.einsum("ckr,rc->rk", by_class, self._scale))

    def once(self, key: Key, make: Callable[[], Any]) -> Any:
        """What `make` gives, made once for all metrics that ask by the same key."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def of_images(self, key: Key, make: Callable[[], Any]) -> Any:
        """The same for what the images alone decide: made once for all replicates."""
        return self._images.kept(key, make)

    @cached_property
    def _made(self) -> dict[Key, Any]:
        return {}

    @property
    def within_classes(self) -> ReplicateSet:
        """The same images under resamples of each class's lesion groups by themselves.

        Where each class has `SAFE_GROUPS` groups none is ever lost, and the usual resamples serve.
        """
        strata = self._images.strata
        sizes = np.bincount(strata[strata >= 0])
        if not len(sizes) or sizes[sizes > 0].min() >= SAFE_GROUPS:
            return self

        def made() -> ReplicateSet:
            view = self.window(self._range)
            view._strata = strata
            return view

        found: ReplicateSet = self.once(("within classes",), made)
        return found

    @property
    def balanced(self) -> bool:
        """Whether all classes weigh the same."""
        return self._balanced

    @cached_property
    def lost_class(self) -> npt.NDArray[np.bool_]:
        """[R] whether a class of these images has none in a replicate."""
        there = np.unique(self._images.labels)
        return np.asarray((self._class_totals[there] <= 0).any(axis=0))

    @cached_property
    def _class_totals(self) -> Numbers:
        return self._sums(("labels",), self._images.labels, self.n_classes)

    @cached_property
    def _scale(self) -> npt.NDArray[np.float64]:
        """[R, C] what to multiply weights of a class with; 0 where the replicate has none."""
        totals = self._class_totals.T.astype(np.float64)
        there = (totals > 0).sum(axis=1, keepdims=True)
        share = totals.sum(axis=1, keepdims=True) / np.maximum(there, 1)
        scale = np.zeros(totals.shape)
        np.divide(share, totals, out=scale, where=totals > 0)
        return scale

    @cached_property
    def _draws(self) -> npt.NDArray[np.int32]:
        """[G, R]."""
        n_groups, part = self._images.n_groups, self._range
        if not n_groups:
            return np.zeros((0, len(part)), dtype=np.int32)
        if self._leave_out:
            counts = np.ones((n_groups, len(part)), dtype=np.int32)
            counts[part, range(len(part))] = 0
            return counts
        if self._strata is not None:
            return draws_within(self._strata, part.start, part.stop, self._seed)
        return draws(n_groups, part.start, part.stop, self._seed)

    @cached_property
    def _wide_draws(self) -> npt.NDArray[np.float64]:
        return self._draws.astype(np.float64)

    def _cumulated(self, class_index: int, positive: bool) -> Numbers:
        """Weights of a class, or of all others, from the highest score down [R, T]."""
        columns, truth, size = self._images.columns(class_index)
        chosen = truth if positive else ~truth
        key = ("ranking", class_index, positive)
        if not self._balanced:
            summed = self._sums(key, columns, size, chosen)
            return np.cumsum(summed, axis=0, out=summed).T
        total = np.zeros((len(self._range), size))
        labels = self._images.labels
        for index in np.unique(labels[chosen]).tolist():
            summed = self._sums((*key, index), columns, size, chosen & (labels == index))
            total += np.cumsum(summed, axis=0, out=summed).T * self._scale[:, index, None]
        return total

    def _sums(self, key: Key, columns: Numbers, size: int, mask: Numbers | None = None) -> Numbers:
        """Weights of images (those of `mask`) summed by column [size, R]."""
        return np.asarray(self._images.matrix(key, columns, size, mask) @ self._draws)
