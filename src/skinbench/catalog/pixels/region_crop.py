"""The square around the lesion that another row's segmentation finds, enlarged to the image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from skinbench.catalog.pixels._regions import NOTE, Region, lesion, resized, share
from skinbench.records.entries import PixelsEntry


def make(
    images: npt.NDArray[np.uint8],
    maps: npt.NDArray[np.float32],
    size: int,
    options: Mapping[str, object],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Images [B, H, H, 3] cut to the lesion; whole where none is found.

    The square's side is the longer one of the lesion's box, with `margin` of that beside it on
    each side; it is moved, not shrunk, where it would leave the image. What `source_size` adds
    is kept by the enlargement.

    Raises:
        UsageError: an option is no number in its range.
    """
    margin = share(options, "region_crop", "margin", most=5.0)
    threshold = share(options, "region_crop", "threshold")
    least = share(options, "region_crop", "least")
    made = np.empty((len(images), size, size, 3), dtype=np.uint8)
    whole = np.zeros(len(images), dtype=np.bool_)
    for index, (image, likely) in enumerate(zip(images, maps, strict=True)):
        region = lesion(likely, threshold, least)
        whole[index] = region is None
        if region is not None:
            top, left, side = square(region, image.shape[0], margin)
            image = image[top : top + side, left : left + side]
        made[index] = resized(image, size)
    return made, whole


def square(region: Region, height: int, margin: float) -> tuple[int, int, int]:
    """Top, left and side of the square around a region, in pixels of an image.

    Args:
        region: [h, h], True somewhere.
        height: side of the square image that is cut, in pixels.
        margin: share of the region's longer side that is left beside it on each side.
    """
    scale = height / region.shape[0]
    bounds = []
    for axis in (1, 0):
        there = np.flatnonzero(region.any(axis=axis))
        bounds.append((there[0] * scale, (there[-1] + 1) * scale))
    longest = max(high - low for low, high in bounds)
    side = min(height, max(1, round(longest * (1 + 2 * margin))))
    corners = [round((low + high - side) / 2) for low, high in bounds]
    top, left = (int(np.clip(corner, 0, height - side)) for corner in corners)
    return top, left, side


ENTRY = PixelsEntry(
    version=1,
    map="mask",
    make=make,
    options={"margin": 0.1, "threshold": 0.5, "least": 0.005, "source_size": None},
    note=NOTE,
)
