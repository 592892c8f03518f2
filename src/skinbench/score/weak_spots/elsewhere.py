"""Out of distribution: whether a model's own doubt tells images of elsewhere from its test set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.errors import counted
from skinbench.records import OutOfDistribution
from skinbench.score.evaluate import replicate_values
from skinbench.score.images import ScoredImages
from skinbench.score.intervals import FEWEST_GROUPS, Interval, percentile
from skinbench.score.predictions import Predictions
from skinbench.score.weak_spots.estimates import Settings

SCORES = ("max_probability", "entropy")
Floats = npt.NDArray[np.float64]
_OUTSIDE = ("auroc", 1)


def doubt(score: str, probabilities: Floats) -> Floats:
    """How unsure a model is of each image [N].

    Args:
        score: `max_probability`: 1 - the largest (Hendrycks and Gimpel 2017); `entropy`: in nats
            over the logarithm of the number of classes, so in [0, 1].
        probabilities: [N, C].
    """
    if score == "max_probability":
        return np.asarray(1.0 - probabilities.max(axis=1))
    logs = np.log(np.where(probabilities > 0, probabilities, 1.0))
    return np.asarray(-(probabilities * logs).sum(axis=1) / np.log(probabilities.shape[1]))


def out_of_distribution(
    row: str, own: str, seeds: Mapping[int, Sequence[Predictions]], settings: Settings
) -> list[OutOfDistribution]:
    """AUROC of the doubt between a row's own labelled test images and every set from elsewhere.

    From elsewhere are: the images of each further dataset that the same fits predicted, and on
    any dataset those without a class in the row's label space (ISIC 2019's UNK). Within each
    fold, averaged over folds, then over seeds; resampled by lesion group, both sides together.

    Args:
        row: the row's name.
        own: dataset of its own test.
        seeds: predictions of its cells by seed, one for each fold.
        settings: replicates and level.
    """
    frames = {seed: _tests(parts) for seed, parts in seeds.items() if parts}
    if not frames:
        return []
    first = frames[min(frames)]
    found = []
    for title, dataset, labelled in _elsewhere(first, own):
        pairs = [_pair(frame, own, dataset, labelled) for _, frame in sorted(frames.items())]
        found += [_one((row, own, title, score), pairs, settings) for score in SCORES]
    return found


def _tests(parts: Sequence[Predictions]) -> pd.DataFrame:
    frame = pd.concat([part.frame for part in parts], ignore_index=True)
    chosen = (frame["split"] == "test") & (frame["condition"] == "none") & (frame["weight"] > 0)
    return frame[chosen].sort_values(["dataset", "image_id", "fold"], kind="stable")


def _elsewhere(frame: pd.DataFrame, own: str) -> Iterator[tuple[str, str, bool]]:
    """(in words, dataset, with labels) of every set that is not the row's own test."""
    if not ((frame["dataset"] == own) & frame["label"].notna()).any():
        return
    for dataset in sorted(frame["dataset"].unique()):
        labels = frame.loc[frame["dataset"] == dataset, "label"]
        if dataset != own and labels.notna().any():
            yield str(dataset), str(dataset), True
        if labels.isna().any():
            yield f"images of {dataset} without a class", str(dataset), False


def _pair(
    frame: pd.DataFrame, own: str, dataset: str, labelled: bool
) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Rows of both sides, in a fixed order, and which are from elsewhere."""
    has = frame["label"].notna()
    inside = (frame["dataset"] == own) & has
    outside = (frame["dataset"] == dataset) & (has if labelled else ~has)
    chosen = frame[inside | outside]
    return chosen, outside[inside | outside].to_numpy(dtype=bool)


def _scored(frame: pd.DataFrame, outside: npt.NDArray[np.bool_], score: str) -> ScoredImages:
    columns = [name for name in frame.columns if str(name).startswith("p_")]
    unsure = doubt(score, frame[columns].to_numpy(np.float64))
    return ScoredImages(
        dataset="",
        condition="none",
        classes=("inside", "outside"),
        image_ids=frame["image_id"].to_numpy(dtype=object),
        groups=frame["group_id"].to_numpy(dtype=object),
        labels=outside.astype(np.int64),
        decisions=np.zeros(len(frame), dtype=np.int64),
        probabilities=np.column_stack([-unsure, unsure]),
        weights=frame["weight"].to_numpy(np.float64),
        folds=frame["fold"].to_numpy(np.int64),
    )


def _one(
    place: tuple[str, str, str, str],
    pairs: Sequence[tuple[pd.DataFrame, npt.NDArray[np.bool_]]],
    settings: Settings,
) -> OutOfDistribution:
    row, own, title, score = place
    each = []
    for frame, outside in pairs:
        images = _scored(frame, outside, score)
        values = replicate_values(
            images, [_OUTSIDE], replicates=settings.replicates, seed=settings.seed
        )
        each.append(values[_OUTSIDE])
    values = np.mean(each, axis=0)
    frame, outside = pairs[0]
    sides = [frame[~outside], frame[outside]]
    groups = min(side["group_id"].nunique() for side in sides)
    fields: dict[str, Any] = {
        "row": row,
        "inside": own,
        "outside": title,
        "score": score,
        "n_inside": int(sides[0]["image_id"].nunique()),
        "n_outside": int(sides[1]["image_id"].nunique()),
        "n_groups": int(groups),
    }
    if np.isnan(values[0]):
        return OutOfDistribution(**fields, value=None, reason="one side has no image in a fold")
    bounds = percentile(values, settings.level)
    if groups < FEWEST_GROUPS:
        few = counted(int(groups), "lesion group")
        bounds = Interval(reason=f"no interval: {few}, at least {FEWEST_GROUPS} are needed")
    return OutOfDistribution(
        **fields, value=float(values[0]), low=bounds.low, high=bounds.high, reason=bounds.reason
    )
