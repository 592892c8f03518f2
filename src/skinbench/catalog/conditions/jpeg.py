"""JPEG artefacts, as of a picture that was stored small or sent by a messenger."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import ConditionEntry

QUALITIES = (60, 40, 25, 15, 8)
"""Of Pillow's encoder, by strength, with halved colour resolution (4:2:0)."""


def apply(images: npt.NDArray[np.uint8], strength: int) -> npt.NDArray[np.uint8]:
    """Encode and decode [B, H, W, 3] uint8 at strength 1 to 5, at the size that networks see."""
    from PIL import Image

    made = np.empty_like(images)
    for index, image in enumerate(images):
        buffer = io.BytesIO()
        Image.fromarray(image).save(
            buffer, "JPEG", quality=QUALITIES[strength - 1], subsampling="4:2:0"
        )
        with Image.open(buffer, formats=("JPEG",)) as file:
            made[index] = np.asarray(file.convert("RGB"))
    return made


ENTRY = ConditionEntry(
    version=1,
    apply=apply,
    note="encoded at the size that networks see, at quality 60, 40, 25, 15 or 8",
)
