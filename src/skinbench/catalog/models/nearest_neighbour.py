"""Plain baseline: the label of the most similar train image, by 24x18 RGB thumbnails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import ModelEntry

if TYPE_CHECKING:
    import pandas as pd

THUMBNAIL = (24, 18)
"""Width and height in pixels."""
SMOOTHING = 0.01
"""Probability shared evenly by all classes: a wrong neighbour costs log(C / 0.01), not infinity."""
QUERY_ROWS, TRAIN_ROWS = 256, 4096
"""Rows of one block of the distance matrix: about 25 MB at once, whatever the sizes."""


class NearestNeighbour:
    """One nearest neighbour by Euclidean distance between pixels.

    Pixels have 7 bits, -64 to 63: the squares of 1,296 of them sum up to below 2^24, so float32
    is exact, and the answer depends neither on the blocks nor on threads. The earliest train
    image wins a tie.
    """

    def fit(
        self,
        pixels: npt.NDArray[np.uint8],
        table: pd.DataFrame,
        labels: npt.NDArray[np.int64],
        n_classes: int,
        seed: int,
    ) -> dict[str, npt.NDArray[Any]]:
        """Keep the thumbnails [N, 1296] int8 and labels [N] of train."""
        return {
            "thumbnails": _thumbnails(pixels),
            "labels": np.ascontiguousarray(labels, dtype=np.int64),
            "n_classes": np.array([n_classes], dtype=np.int64),
        }

    def predict(
        self,
        state: Mapping[str, npt.NDArray[Any]],
        pixels: npt.NDArray[np.uint8],
        table: pd.DataFrame,
    ) -> npt.NDArray[np.float32]:
        """One-hot of the neighbour's label, smoothed by SMOOTHING: [N, C]."""
        nearest = _nearest(_thumbnails(pixels), state["thumbnails"])
        n_classes = int(state["n_classes"][0])
        probabilities = np.full((len(nearest), n_classes), SMOOTHING / n_classes)
        probabilities[np.arange(len(nearest)), state["labels"][nearest]] += 1 - SMOOTHING
        return probabilities.astype(np.float32)


def _thumbnails(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
    from PIL import Image

    width, height = THUMBNAIL
    small = np.empty((len(pixels), height * width * 3), dtype=np.int8)
    for start in range(0, len(pixels), QUERY_ROWS):
        for row, image in enumerate(pixels[start : start + QUERY_ROWS], start):
            resized = Image.fromarray(image).resize(THUMBNAIL, Image.Resampling.BOX)
            small[row] = (np.asarray(resized).reshape(-1) >> 1).astype(np.int8) - 64
    return small


def _nearest(queries: npt.NDArray[np.int8], train: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    best = np.zeros(len(queries), dtype=np.int64)
    least = np.full(len(queries), np.inf, dtype=np.float32)
    for columns in _blocks(len(train), TRAIN_ROWS):
        known = train[columns].astype(np.float32)
        norms = np.einsum("ij,ij->i", known, known)
        for rows in _blocks(len(queries), QUERY_ROWS):
            # |q|^2 is the same for all candidates of a query, so it is left out.
            distances = norms - np.float32(2) * (queries[rows].astype(np.float32) @ known.T)
            nearest = distances.argmin(axis=1)
            values = distances[np.arange(len(nearest)), nearest]
            closer = values < least[rows]
            best[rows] = np.where(closer, nearest + columns.start, best[rows])
            least[rows] = np.minimum(values, least[rows])
    return best


def _blocks(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


ENTRY = ModelEntry(version=1, kind="plain", plain=NearestNeighbour)
