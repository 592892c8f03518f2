"""What the training data look like, and how often val images would be warned about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from safetensors.numpy import save

from skinbench.bundle.likeness import (
    Measured,
    Values,
    colour_distance,
    feature_distance,
    measure,
    outside,
    values_of,
)
from skinbench.bundle.model import BundleModel
from skinbench.pipeline.exporting.stored import Stored
from skinbench.records import FalseAlarms, Likeness, LikenessCheck, SplitTable
from skinbench.score.intervals import wilson

FILE = "likeness.safetensors"
SAMPLE = 2000
"""Train images at most that pixels and features are taken from, evenly over their ids."""
AXES = 32
"""Directions of features that are looked at, those of the largest variance within classes."""
SHARE = 0.99
"""Of the images that a limit is chosen on, this many are within it."""
FEW = 40
"""Val images below which the features' limit is chosen on train."""
Advance = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class _Images:
    """Some images of a split."""

    measured: Measured
    features: npt.NDArray[np.float32] | None
    labels: npt.NDArray[np.object_]
    groups: npt.NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.labels)


def learn_likeness(
    model: BundleModel, stored: Stored, split: SplitTable, fold: int, root: Path, advance: Advance
) -> Likeness | None:
    """Limits from train, false alarms from val; None for a model that reads no image.

    Args:
        model: the exported model.
        stored: the run's images.
        split: which of them train it.
        fold: of the cell.
        root: folder of the bundle, which gets FILE.
        advance: called with images done.
    """
    if not model.sizes:
        return None
    size = model.sizes[0]
    network = next((item for item in model.record.networks if item.features), None)
    train = _take(model, stored, split, (fold, "train"), size, advance)
    val = _take(model, stored, split, (fold, "val"), size, advance)
    arrays: dict[str, Values] = {}
    if network is not None and train.features is not None:
        arrays = _axes(train.features, train.labels)
        plain = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
        (root / FILE).write_bytes(save(plain))
    return _limits(train, val, size, arrays, "" if network is None else network.name)


def _take(
    model: BundleModel,
    stored: Stored,
    split: SplitTable,
    part: tuple[int, str],
    size: int,
    advance: Advance,
) -> _Images:
    table = split.table
    chosen = table[(table["fold"] == part[0]) & (table["split"] == part[1])]
    chosen = chosen.drop_duplicates(["dataset", "image_id"]).sort_values(["dataset", "image_id"])
    chosen = chosen.iloc[:: max(1, -(-len(chosen) // SAMPLE))]
    rows, pixels, features = [], [], []
    name = next((item.name for item in model.record.networks if item.features), None)
    for dataset, ids in chosen.groupby("dataset", sort=True)["image_id"]:
        for batch, found in stored.batches(str(dataset), ids.tolist(), model.sizes):
            rows.append(found)
            pixels.append(batch[size])
            if name is not None:
                features.append(model.answer(batch, found, with_features=True).features[name])
            advance(len(found))
    facts = pd.concat(rows) if rows else pd.DataFrame()
    if not rows:
        return _Images(
            measured=measure(np.zeros((0, 8, 8, 3), np.uint8), np.zeros(0), np.zeros(0)),
            features=None,
            labels=np.zeros(0, object),
            groups=np.zeros(0, object),
        )
    measured = [
        measure(one, f["width"].to_numpy(np.float64), f["height"].to_numpy(np.float64))
        for one, f in zip(pixels, rows, strict=True)
    ]
    return _Images(
        measured=_join(measured),
        features=np.concatenate(features) if features else None,
        labels=facts["label"].to_numpy(dtype=object),
        groups=facts["group_id"].to_numpy(dtype=object),
    )


def _join(parts: list[Measured]) -> Measured:
    return Measured(
        shorter=np.concatenate([part.shorter for part in parts]),
        ratio=np.concatenate([part.ratio for part in parts]),
        sharpness=np.concatenate([part.sharpness for part in parts]),
        colour=np.concatenate([part.colour for part in parts]),
    )


def _axes(features: npt.NDArray[np.float32], labels: npt.NDArray[np.object_]) -> dict[str, Values]:
    """Where classes lie, and the directions in which their images vary, to unit variance."""
    values = features.astype(np.float64)
    mean = values.mean(axis=0)
    known = sorted({str(label) for label in labels if isinstance(label, str)})
    centres = np.stack([values[labels == label].mean(axis=0) for label in known])
    within = values - centres[[known.index(str(label)) for label in labels]]
    _, spread, axes = np.linalg.svd(within, full_matrices=False)
    kept = max(1, min(AXES, len(values) // 10, int((spread > 1e-6 * spread[0]).sum())))
    scale = spread[:kept] / np.sqrt(max(1, len(values) - len(known)))
    projection = axes[:kept].T / np.maximum(scale, 1e-12)
    return {
        "feature_mean": mean,
        "feature_axes": projection,
        "class_centres": (centres - mean) @ projection,
    }


def _limits(
    train: _Images, val: _Images, size: int, arrays: Mapping[str, Values], network: str
) -> Likeness:
    colour = train.measured.colour
    mean = colour.mean(axis=0)
    covariance = np.cov(colour.T) + 1e-3 * np.eye(6) * max(1.0, float(colour.var(axis=0).mean()))
    inverse = np.linalg.inv(covariance)
    away = colour_distance(colour, mean, np.asarray(inverse, dtype=np.float64))
    limits: list[tuple[str, float | None, float | None, str]] = [
        ("size", float(train.measured.shorter.min()), None, "the smallest of train"),
        (
            "shape",
            round(0.98 * float(train.measured.ratio.min()), 4),
            round(1.02 * float(train.measured.ratio.max()), 4),
            "2 % beyond train's extremes",
        ),
        (
            "sharpness",
            float(np.quantile(train.measured.sharpness, 1 - SHARE)),
            None,
            f"all but {1 - SHARE:.0%} of train",
        ),
        ("colour", None, float(np.quantile(away, SHARE)), f"{SHARE:.0%} of train"),
    ]
    chosen_on = np.zeros(len(val), dtype=bool)
    if arrays and val.features is not None and train.features is not None:
        chosen_on, limit = _feature_limit(train, val, arrays)
        limits.append(("features", None, *limit))
    draft = Likeness(
        image_size=size,
        colour_mean=tuple(map(float, mean)),
        colour_inverse=tuple(tuple(map(float, row)) for row in inverse),
        checks=tuple(
            LikenessCheck(
                name=n, low=low, high=high, rule=rule, false_alarms=_rate(np.zeros(0, dtype=bool))
            )
            for n, low, high, rule in limits
        ),
        any_false_alarms=_rate(np.zeros(0, dtype=bool)),
        network=network if arrays else "",
        file=FILE if arrays else "",
    )
    return _with_rates(draft, val, arrays, chosen_on)


def _feature_limit(
    train: _Images, val: _Images, arrays: Mapping[str, Values]
) -> tuple[npt.NDArray[np.bool_], tuple[float, str]]:
    """Half of val's groups choose the limit: a trained network knows its train images too well."""
    assert val.features is not None
    assert train.features is not None
    order = {group: place for place, group in enumerate(sorted(set(map(str, val.groups))))}
    half = np.array([order[str(group)] % 2 == 0 for group in val.groups], dtype=bool)
    if len(val) < FEW:
        limit = float(np.quantile(feature_distance(train.features, arrays), SHARE))
        return np.zeros(len(val), dtype=bool), (limit, f"{SHARE:.0%} of train")
    limit = float(np.quantile(feature_distance(val.features[half], arrays), SHARE))
    return half, (limit, f"{SHARE:.0%} of half of val, false alarms from the other half")


def _with_rates(
    draft: Likeness, val: _Images, arrays: Mapping[str, Values], chosen_on: npt.NDArray[np.bool_]
) -> Likeness:
    """The same with false-alarm rates, on val images that chose no limit."""
    distance = None
    if arrays and val.features is not None:
        distance = feature_distance(val.features, arrays)
    values = values_of(draft, val.measured, distance)
    left = ~chosen_on
    warned = np.zeros(int(left.sum()), dtype=bool)
    checks = []
    for check in draft.checks:
        alarms = outside(check, values[check.name])
        kept = alarms[left] if check.name == "features" else alarms
        warned |= alarms[left]
        checks.append(
            LikenessCheck(
                name=check.name,
                low=check.low,
                high=check.high,
                rule=check.rule,
                false_alarms=_rate(kept),
            )
        )
    return Likeness(
        image_size=draft.image_size,
        colour_mean=draft.colour_mean,
        colour_inverse=draft.colour_inverse,
        checks=tuple(checks),
        any_false_alarms=_rate(warned),
        network=draft.network,
        file=draft.file,
    )


def _rate(alarms: npt.NDArray[np.bool_]) -> FalseAlarms:
    if not len(alarms):
        return FalseAlarms(share=None)
    share = float(np.mean(alarms))
    low, high = wilson(share, len(alarms), 0.95)
    return FalseAlarms(share=share, low=low, high=high, n=len(alarms))
