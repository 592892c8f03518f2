"""A closer look: the middle of the picture enlarged to its whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import ConditionEntry

FACTORS = (1.1, 1.2, 1.35, 1.5, 1.75)
"""Enlargement by strength."""


def apply(images: npt.NDArray[np.uint8], strength: int) -> npt.NDArray[np.uint8]:
    """Enlarge the middle of [B, H, W, 3] uint8 at strength 1 to 5, bilinear."""
    import cv2

    height, width = images.shape[1:3]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), 0, FACTORS[strength - 1])
    made = np.empty_like(images)
    for index, image in enumerate(images):
        made[index] = cv2.warpAffine(
            image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
    return made


ENTRY = ConditionEntry(version=1, apply=apply, note="the middle enlarged 1.1 to 1.75 times")
