"""Gaussian blur, as of a lens out of focus."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import ConditionEntry

SIGMA_SHARES = (0.006, 0.010, 0.015, 0.022, 0.030)
"""Standard deviation as a share of the image's side, by strength (0.8 to 3.8 px at 128 px)."""


def apply(images: npt.NDArray[np.uint8], strength: int) -> npt.NDArray[np.uint8]:
    """Blur [B, H, W, 3] uint8 at strength 1 to 5; each image on its own."""
    from scipy.ndimage import gaussian_filter

    sigma = SIGMA_SHARES[strength - 1] * max(images.shape[1:3])
    blurred = np.empty_like(images)
    for index, image in enumerate(images):
        smooth = gaussian_filter(
            image.astype(np.float32), sigma=(sigma, sigma, 0.0), mode="nearest"
        )
        blurred[index] = np.clip(np.rint(smooth), 0, 255).astype(np.uint8)
    return blurred


ENTRY = ConditionEntry(
    version=1,
    apply=apply,
    note="Gaussian, with a standard deviation of 0.6, 1, 1.5, 2.2 or 3 % of the side",
)
