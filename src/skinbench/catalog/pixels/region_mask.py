"""The image with all but the lesion that another row's segmentation finds painted over."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from skinbench.catalog.pixels._regions import NOTE, lesion, resized, share
from skinbench.errors import UsageError
from skinbench.records.entries import PixelsEntry


def make(
    images: npt.NDArray[np.uint8],
    maps: npt.NDArray[np.float32],
    size: int,
    options: Mapping[str, object],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Images [B, H, H, 3] with `fill` outside the lesion; whole where none is found.

    The lesion is widened by `margin` of the image's side before the rest is painted over.

    Raises:
        UsageError: an option is no number in its range.
    """
    from PIL import Image
    from scipy.ndimage import distance_transform_edt

    margin = share(options, "region_mask", "margin")
    threshold = share(options, "region_mask", "threshold")
    least = share(options, "region_mask", "least")
    fill = options["fill"]
    if isinstance(fill, bool) or not isinstance(fill, int) or not 0 <= fill <= 255:
        raise UsageError(f"pixels region_mask: fill is a grey value in 0..255, got {fill!r}")
    made = np.empty((len(images), size, size, 3), dtype=np.uint8)
    whole = np.zeros(len(images), dtype=np.bool_)
    for index, (image, likely) in enumerate(zip(images, maps, strict=True)):
        large = Image.fromarray(likely).resize((size, size), Image.Resampling.BILINEAR)
        region = lesion(np.asarray(large), threshold, least)
        made[index] = resized(image, size)
        whole[index] = region is None
        if region is not None:
            made[index][distance_transform_edt(~region) > margin * size] = fill
    return made, whole


ENTRY = PixelsEntry(
    version=1,
    map="mask",
    make=make,
    options={"margin": 0.05, "threshold": 0.5, "least": 0.005, "fill": 0},
    note=NOTE,
)
