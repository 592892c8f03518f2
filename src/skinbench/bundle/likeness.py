"""Whether an image looks like the training data: size, shape, sharpness, colour, features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from skinbench.errors import CorruptObjectError
from skinbench.records import FalseAlarms, Likeness, LikenessCheck

Bytes = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
_LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601, as Pillow turns RGB to grey."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is looked at of N images."""

    shorter: Values
    """[N] the shorter side of the file, in pixels."""
    ratio: Values
    """[N] width to height."""
    sharpness: Values
    """[N] log10 of the variance of the Laplacian."""
    colour: Values
    """[N, 6] mean and standard deviation of R, G and B."""


@dataclass(frozen=True, kw_only=True)
class Unlike:
    """One warning."""

    check: str
    message: str
    false_alarms: FalseAlarms


def sharpness(pixels: Bytes) -> Values:
    """Log10 of the variance of the Laplacian of each image's grey values [N] (Pech-Pacheco 2000).

    Args:
        pixels: [N, S, S, 3].
    """
    grey = pixels.astype(np.float64) @ _LUMA
    centre = grey[:, 1:-1, 1:-1]
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    return np.asarray(np.log10((around - 4 * centre).var(axis=(1, 2)) + 1e-6))


def colours(pixels: Bytes) -> Values:
    """Mean and standard deviation of R, G and B of each image [N, 6]."""
    flat = pixels.reshape(len(pixels), -1, 3).astype(np.float64)
    return np.concatenate([flat.mean(axis=1), flat.std(axis=1)], axis=1)


def measure(pixels: Bytes, width: Values, height: Values) -> Measured:
    """Everything but features of N images."""
    return Measured(
        shorter=np.minimum(width, height),
        ratio=width / height,
        sharpness=sharpness(pixels),
        colour=colours(pixels),
    )


def colour_distance(colour: Values, mean: Values, inverse: Values) -> Values:
    """Mahalanobis distance [N] of six numbers of colour from those of train."""
    away = colour - mean
    squared = np.einsum("ni,ij,nj->n", away, inverse, away)
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def feature_distance(features: npt.NDArray[np.floating], arrays: Mapping[str, Values]) -> Values:
    """Mahalanobis distance [N] to the nearest class centre of train (Lee 2018).

    Args:
        features: [N, F].
        arrays: feature_mean [F], feature_axes [F, K], class_centres [C, K].
    """
    placed = (features.astype(np.float64) - arrays["feature_mean"]) @ arrays["feature_axes"]
    away = placed[:, None, :] - arrays["class_centres"][None]
    return np.asarray(np.sqrt((away * away).sum(axis=2).min(axis=1)))


def read_arrays(path: Path) -> dict[str, Values]:
    """The arrays of `feature_distance`.

    Raises:
        CorruptObjectError: the file cannot be read.
    """
    try:
        found: dict[str, Values] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CorruptObjectError(f"{path} cannot be read: {error}") from error
    return found


def values_of(likeness: Likeness, found: Measured, distance: Values | None) -> dict[str, Values]:
    """The number [N] that each check holds against its limits."""
    mean, inverse = np.array(likeness.colour_mean), np.array(likeness.colour_inverse)
    values = {
        "size": found.shorter,
        "shape": found.ratio,
        "sharpness": found.sharpness,
        "colour": colour_distance(found.colour, mean, inverse),
    }
    return values if distance is None else {**values, "features": distance}


def outside(check: LikenessCheck, values: Values) -> npt.NDArray[np.bool_]:
    """Which of N numbers get a warning."""
    low = -np.inf if check.low is None else check.low
    high = np.inf if check.high is None else check.high
    return np.asarray((values < low) | (values > high))


def judge(likeness: Likeness, found: Measured, distance: Values | None) -> tuple[Unlike, ...]:
    """Warnings about one image.

    Args:
        likeness: of the bundle.
        found: of that image, N = 1.
        distance: of its features [1]; None where there are none.
    """
    values = values_of(likeness, found, distance)
    return tuple(
        Unlike(
            check=check.name,
            message=_message(check, float(values[check.name][0])),
            false_alarms=check.false_alarms,
        )
        for check in likeness.checks
        if check.name in values and bool(outside(check, values[check.name])[0])
    )


def _message(check: LikenessCheck, value: float) -> str:
    if check.name == "size":
        return (
            f"The image is smaller than any in the training data: its shorter side has "
            f"{value:.0f} pixels, theirs {check.low:.0f} or more."
        )
    if check.name == "shape":
        return (
            f"Its shape is unlike the training data's: {value:.2f} times as wide as high, theirs "
            f"{check.low:.2f} to {check.high:.2f}. It is squashed to a square."
        )
    if check.name == "sharpness":
        return "It is more blurred than nearly all training images."
    if check.name == "colour":
        return "Its colours and contrast are unlike nearly all training images."
    return (
        "What the network sees in it is far from all that it was trained on: its answer has no "
        "footing in the training data."
    )
