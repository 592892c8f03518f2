"""The images that one row is scored on, folds pooled: plain arrays in one fixed order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.errors import PredictionsError
from skinbench.score.predictions import Predictions

Key = tuple[str, str]
"""(dataset, condition)."""


@dataclass(frozen=True, kw_only=True)
class ScoredImages:
    """Labelled test images of one row, seed, dataset and condition.

    Sorted by image id, then fold. Images without a label or with weight 0 are not in here.
    """

    dataset: str
    condition: str
    classes: tuple[str, ...]
    image_ids: npt.NDArray[np.object_]
    """[N]; an image that every fold predicts (a foreign test set) is there once for each."""
    groups: npt.NDArray[np.object_]
    """[N] lesion group ids."""
    labels: npt.NDArray[np.int64]
    """[N] indices into classes."""
    decisions: npt.NDArray[np.int64]
    """[N] indices into classes; the first of tied maxima."""
    probabilities: npt.NDArray[np.float64]
    """[N, C]; NaN where unknown (a baseline keeps only the classes that its checks name)."""
    weights: npt.NDArray[np.float64]
    """[N], above 0; they never add independent images."""
    folds: npt.NDArray[np.int64]
    unlabelled: int = 0
    """Test images left out because they have no label."""
    balanced: bool = False
    """Scored with every class weighing the same, see `score.balance`."""

    def __len__(self) -> int:
        return len(self.image_ids)

    def subset(self, mask: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> ScoredImages:
        """The images where `mask` [N] is true, or those at positions, in that order."""
        arrays: dict[str, Any] = {
            name: getattr(self, name)[mask]
            for name in (
                "image_ids",
                "groups",
                "labels",
                "decisions",
                "probabilities",
                "weights",
                "folds",
            )
        }
        return replace(self, **arrays)

    def scored_weights(self) -> npt.NDArray[np.float64]:
        """What each image counts in a score [N]; where balanced, w becomes w W / (K W_class)."""
        if not self.balanced or not len(self):
            return self.weights
        totals = np.bincount(self.labels, self.weights, minlength=len(self.classes))
        share = totals.sum() / (totals > 0).sum()
        return np.asarray(self.weights * (share / totals[self.labels]))

    @cached_property
    def group_codes(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.intp]]:
        """Sorted lesion group ids [G], and the place of each image's among them [N]."""
        return np.unique(self.groups, return_inverse=True)

    @cached_property
    def _image_codes(self) -> npt.NDArray[np.intp]:
        """[N] a number for each distinct image; equal ids stand beside each other."""
        new = np.ones(len(self), dtype=bool)
        new[1:] = self.image_ids[1:] != self.image_ids[:-1]
        if len(self) and np.any(self.image_ids[1:] < self.image_ids[:-1]):
            return np.unique(self.image_ids, return_inverse=True)[1]
        return np.cumsum(new) - 1

    def places(self, universe: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
        """Where each image's lesion group stands in sorted group ids that have them all [N]."""
        ids, codes = self.group_codes
        if universe is ids:
            return codes
        return np.asarray(np.searchsorted(universe, ids)[codes])

    def count(self, mask: npt.NDArray[np.bool_] | None = None) -> int:
        """Distinct images, of those where `mask` is true."""
        return self._all_images if mask is None else _distinct(self._image_codes, mask)

    @cached_property
    def _all_images(self) -> int:
        return _distinct(self._image_codes, None)

    def count_groups(self, mask: npt.NDArray[np.bool_] | None = None) -> int:
        """Distinct lesion groups, of the images where `mask` is true."""
        return _distinct(self.group_codes[1], mask)

    def count_given(self, on: str, class_index: int | None) -> int:
        """Distinct lesion groups that a metric is a mean over, see `conditioned`."""
        key = (on, class_index if on != "all" else None)
        if key not in self._counted:
            self._counted[key] = self.count_groups(self.conditioned(on, class_index))
        return self._counted[key]

    def count_positive(self, class_index: int) -> int:
        """Distinct images of a class."""
        key = ("images", class_index)
        if key not in self._counted:
            self._counted[key] = self.count(self.labels == class_index)
        return self._counted[key]

    @cached_property
    def _counted(self) -> dict[tuple[str, int | None], int]:
        return {}

    def conditioned(self, on: str, class_index: int | None) -> npt.NDArray[np.bool_]:
        """Which images a metric is a mean over (MetricEntry.conditions_on) [N]."""
        if class_index is None or on == "all":
            return np.ones(len(self), dtype=bool)
        if on == "decided":
            return np.asarray(self.decisions == class_index)
        positive = np.asarray(self.labels == class_index)
        return positive if on == "positives" else ~positive


def _distinct(codes: npt.NDArray[np.intp], mask: npt.NDArray[np.bool_] | None) -> int:
    return int(np.count_nonzero(np.bincount(codes if mask is None else codes[mask])))


def pool(classes: Sequence[str], parts: Sequence[Predictions]) -> dict[Key, ScoredImages]:
    """Pool the test rows of one row's folds (one seed), apart by dataset and condition.

    Args:
        classes: the row's classes.
        parts: predictions of its cells, one for each fold.

    Raises:
        PredictionsError: a cell has other classes, or two cells predict the same image, fold
            and condition.
    """
    codes = tuple(classes)
    for part in parts:
        if part.classes != codes:
            raise PredictionsError(
                f"predictions have the classes {', '.join(part.classes)}; the row has "
                f"{', '.join(codes)}"
            )
    frames = [part.frame[part.frame["split"] == "test"] for part in parts]
    if not frames:
        return {}
    frame = pd.concat(frames, ignore_index=True)
    twice = frame.duplicated(["dataset", "image_id", "fold", "condition"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise PredictionsError(
            f"image {row['image_id']} is predicted twice in fold {row['fold']} under condition "
            f"{row['condition']}; each cell of a row must be another fold"
        )
    found: dict[Key, ScoredImages] = {}
    for (dataset, condition), part_frame in frame.groupby(["dataset", "condition"], sort=True):
        found[str(dataset), str(condition)] = _arrays(
            str(dataset), str(condition), codes, part_frame
        )
    return found


def _arrays(
    dataset: str, condition: str, classes: tuple[str, ...], frame: pd.DataFrame
) -> ScoredImages:
    labelled = frame["label"].notna()
    kept = frame[labelled & (frame["weight"] > 0)].sort_values(["image_id", "fold"], kind="stable")
    probabilities = kept[[f"p_{code}" for code in classes]].to_numpy(np.float64)
    decisions = probabilities.argmax(axis=1) if len(kept) else np.zeros(0, dtype=np.int64)
    return ScoredImages(
        dataset=dataset,
        condition=condition,
        classes=classes,
        image_ids=kept["image_id"].to_numpy(dtype=object),
        groups=kept["group_id"].to_numpy(dtype=object),
        labels=pd.Index(classes).get_indexer(pd.Index(kept["label"])).astype(np.int64),
        decisions=decisions.astype(np.int64),
        probabilities=probabilities,
        weights=kept["weight"].to_numpy(np.float64),
        folds=kept["fold"].to_numpy(np.int64),
        unlabelled=int(frame.loc[~labelled, "image_id"].nunique()),
    )
