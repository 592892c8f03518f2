"""Which pixels a fit sees: of the images themselves, or made with another fit's maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.pixels import pixel_digest, publish_pixels
from skinbench.records import STAGE_VERSIONS, FitSpec, MadePixels
from skinbench.store import Store, content_digest
from skinbench.store.arrays import open_array

_FALLBACK = "fallback.npy"
Make = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.bool_]]
"""Fills pixels [N, S, S, 3] uint8; which images stand as they are [N]."""


def seen_digest(made: MadePixels | None, manifest_digest: str, image_size: int) -> str:
    """Name of the pixel store that a fit reads, of one dataset at its image size."""
    if made is None:
        return pixel_digest(manifest_digest, image_size)
    stage = STAGE_VERSIONS["pixels"]
    return content_digest(["made pixels", stage, made, manifest_digest, image_size])


def sizes_read(spec: FitSpec) -> tuple[int, ...]:
    """Sizes at which a fit needs the images themselves, each once."""
    if spec.pixels is None:
        return (spec.train.image_size,)
    return tuple(dict.fromkeys((spec.pixels.source_size, spec.pixels.fit_size)))


def publish_made(
    store: Store, digest: str, image_ids: pd.DataFrame, image_size: int, make: Make
) -> None:
    """Write a store of made pixels, and which of its images stand as they are.

    Raises:
        StoreError: the disk is full, too small or read-only.
    """

    def fill(images: npt.NDArray[np.uint8], folder: Path) -> None:
        np.save(folder / _FALLBACK, make(images), allow_pickle=False)

    publish_pixels(store, digest, image_ids, image_size, fill)


def read_fallbacks(store: Store, digest: str) -> npt.NDArray[np.bool_]:
    """Which images of a store of made pixels stand as they are [N].

    Raises:
        CorruptObjectError: the store is absent or damaged.
    """
    path = store.open("pixels", digest) / _FALLBACK
    found: npt.NDArray[np.bool_] = open_array(path)
    return found
