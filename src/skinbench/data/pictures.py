"""Small pictures for people to look at, which hold pixels and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from skinbench.store import replacing

QUALITY = 80
"""Of WebP, of 100."""


def save_picture(path: Path, picture: Image.Image, size: int) -> None:
    """Write a picture as WebP, at most `size` pixels long, atomically.

    Only its pixels are written: no EXIF, XMP, comment or colour profile of the file it came from,
    which may name a patient, a place or a time.

    Raises:
        StoreError: the disk is full or read-only.
    """
    bare = Image.fromarray(np.asarray(picture.convert("RGB")))
    bare.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=None)
    with replacing(path) as temporary:
        bare.save(temporary, format="WEBP", quality=QUALITY, method=4)
