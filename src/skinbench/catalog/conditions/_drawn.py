"""Dark marks on test images: where they fall is drawn from the image's id alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

Bytes = npt.NDArray[np.uint8]
FINER = 4
"""Marks are drawn at this many times the size and averaged down, so that their edges are smooth."""
Paint = Callable[["ImageDraw", int, np.random.Generator], None]
"""(drawing on grey 0, side in pixels, the image's own generator): draws marks in white."""


def generator(name: str, image_id: str) -> np.random.Generator:
    """Random numbers of one image under one condition: the same in any batch and at any size."""
    digest = hashlib.sha256(f"{name}/{image_id}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def marked(
    images: Bytes,
    image_ids: Sequence[str],
    name: str,
    paint: Paint,
    *,
    colour: tuple[int, int, int],
    opacity: float,
) -> Bytes:
    """Images [B, S, S, 3] with marks of one colour over them.

    Args:
        images: squares.
        image_ids: of each image.
        name: of the condition.
        paint: draws the marks of one image.
        colour: RGB of the marks.
        opacity: in (0, 1], of a pixel that a mark covers whole.
    """
    from PIL import Image, ImageDraw

    ink = np.array(colour, dtype=np.float32)
    made = np.empty_like(images)
    height, width = images.shape[1:3]
    for index, image_id in enumerate(image_ids):
        grey = Image.new("L", (width * FINER, height * FINER), 0)
        paint(ImageDraw.Draw(grey), width * FINER, generator(name, str(image_id)))
        small = grey.resize((width, height), Image.Resampling.BOX)
        cover = np.asarray(small, dtype=np.float32)[..., None] / 255 * opacity
        mixed = images[index] * (1 - cover) + ink * cover
        made[index] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return made
