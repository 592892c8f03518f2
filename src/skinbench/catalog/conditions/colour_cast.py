"""A warm colour cast, as of a camera whose white balance is off."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import ConditionEntry

SHIFTS = (0.04, 0.08, 0.13, 0.19, 0.27)
"""By strength: red is multiplied by 1 + shift, blue by 1 - shift."""


def apply(images: npt.NDArray[np.uint8], strength: int) -> npt.NDArray[np.uint8]:
    """Shift [B, H, W, 3] uint8 from blue to red at strength 1 to 5, highlights clipped."""
    shift, levels = SHIFTS[strength - 1], np.arange(256)
    made = images.copy()
    for channel, gain in ((0, 1 + shift), (2, 1 - shift)):
        table = np.clip(np.rint(levels * gain), 0, 255).astype(np.uint8)
        made[..., channel] = table[images[..., channel]]
    return made


ENTRY = ConditionEntry(
    version=1, apply=apply, note="red raised and blue lowered by 4, 8, 13, 19 or 27 %"
)
