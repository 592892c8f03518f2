"""A dark round frame, as of a dermatoscope whose field is smaller than the picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import ConditionEntry

RADII = (0.92, 0.84, 0.76, 0.68, 0.60)
"""Where the picture is black, as a share of half the diagonal, by strength."""
EDGE = 0.08
"""Over which it darkens evenly, in the same unit."""


def apply(images: npt.NDArray[np.uint8], strength: int) -> npt.NDArray[np.uint8]:
    """Darken the corners of [B, H, W, 3] uint8 at strength 1 to 5."""
    height, width = images.shape[1:3]
    y = (np.arange(height, dtype=np.float32) - (height - 1) / 2)[:, None]
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2)[None, :]
    distance = np.sqrt(x * x + y * y) / (np.hypot(height, width) / 2)
    light = np.clip((RADII[strength - 1] - distance) / EDGE, 0, 1).astype(np.float32)
    darker: npt.NDArray[np.uint8] = np.rint(images * light[None, :, :, None]).astype(np.uint8)
    return darker


ENTRY = ConditionEntry(
    version=1,
    apply=apply,
    note="black beyond 92, 84, 76, 68 or 60 % of half the diagonal, darkening evenly before",
)
