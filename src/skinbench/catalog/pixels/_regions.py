"""Where a segmentation finds the lesion, for entries that show nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from skinbench.errors import UsageError

Region = npt.NDArray[np.bool_]
NOTE = "where no lesion is found, the whole image is seen"


def lesion(likely: npt.NDArray[np.float32], threshold: float, least: float) -> Region | None:
    """The largest connected region [h, h] above a threshold, touching corners included.

    Args:
        likely: [h, h] probability that a pixel is lesion.
        threshold: above which a pixel counts.
        least: share of the image that the region has at least; None is given below it.
    """
    from scipy.ndimage import label

    parts, count = label(likely > threshold, structure=np.ones((3, 3)))
    if not count:
        return None
    sizes = np.bincount(parts.ravel())[1:]
    if sizes.max() < least * likely.size:
        return None
    region: Region = parts == 1 + int(sizes.argmax())
    return region


def share(options: Mapping[str, object], entry: str, name: str, most: float = 1.0) -> float:
    """An option that is a number from 0.

    Raises:
        UsageError: it is none, or above `most`.
    """
    value = options[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise UsageError(f"pixels {entry}: {name} is a number in 0..{most:g}, got {value!r}")
    return float(value)


def resized(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """An image [H, W, 3] as a square of `size` pixels, as the pixel store resizes."""
    from PIL import Image

    if image.shape[:2] == (size, size):
        return image
    made: npt.NDArray[np.uint8] = np.asarray(
        Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR)
    )
    return made
