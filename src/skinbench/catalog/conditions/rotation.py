"""The picture turned about its centre; what comes in at the corners is mirrored skin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import ConditionEntry

DEGREES = (5.0, 10.0, 20.0, 45.0, 90.0)
"""Anticlockwise, by strength."""


def apply(images: npt.NDArray[np.uint8], strength: int) -> npt.NDArray[np.uint8]:
    """Turn [B, H, W, 3] uint8 at strength 1 to 5, bilinear; no black corners come in."""
    import cv2

    height, width = images.shape[1:3]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), DEGREES[strength - 1], 1)
    made = np.empty_like(images)
    for index, image in enumerate(images):
        made[index] = cv2.warpAffine(
            image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
        )
    return made


ENTRY = ConditionEntry(
    version=1, apply=apply, note="turned by 5, 10, 20, 45 or 90 degrees, corners mirrored"
)
