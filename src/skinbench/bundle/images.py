"""From an image file to the pixels that a bundle's networks take: the pixel store's own steps."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from skinbench.data.images import decode_rgb, image_formats
from skinbench.data.pixels import squared
from skinbench.errors import DataError, one_line

MOST_PIXELS = 50_000_000
"""Of one image; 24 megapixels is what a camera makes."""
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class ReadImage:
    """One decoded image."""

    image: Image.Image
    """RGB, as a viewer shows it."""
    width: int
    height: int
    notes: tuple[str, ...] = ()
    """What was done to make it so, a sentence each."""


def read_image(data: bytes, most_pixels: int = MOST_PIXELS) -> ReadImage:
    """Decode a file: size first, then content, so that a small file cannot become a huge image.

    Args:
        data: BMP, GIF, JPEG, JPEG 2000, PNG, PPM, TIFF or WebP.
        most_pixels: width times height that is still decoded.

    Raises:
        DataError: it is none of these, is damaged or cut off, or is too large; one line.
    """
    if not data:
        raise DataError("the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=image_formats()) as head:
            width, height = head.size
            mode, frames = head.mode, int(getattr(head, "n_frames", 1))
            turned = int(head.getexif().get(0x0112, 1)) != 1
    except UnidentifiedImageError as error:
        raise DataError(
            "the file is no image that can be read; expected JPEG, PNG, TIFF, WebP, BMP or GIF"
        ) from error
    except Image.DecompressionBombError as error:
        raise DataError(f"the image is larger than {most_pixels / 1e6:.0f} megapixels") from error
    except Exception as error:  # Pillow raises many kinds on broken headers
        raise DataError(f"the image's header is damaged: {_said(error)}") from error
    if width * height > most_pixels:
        raise DataError(
            f"the image has {width:,} x {height:,} pixels; at most "
            f"{most_pixels / 1e6:.0f} megapixels are read"
        )
    try:
        image = decode_rgb(data)
    except Exception as error:  # likewise on broken content
        raise DataError(f"the image is damaged or cut off: {_said(error)}") from error
    return ReadImage(
        image=image, width=image.width, height=image.height, notes=_notes(mode, frames, turned)
    )


def squares(image: Image.Image, sizes: Sequence[int]) -> dict[int, Bytes]:
    """The image at each size: [S, S, 3]."""
    return {size: squared(image, size) for size in sizes}


def _notes(mode: str, frames: int, turned: bool) -> tuple[str, ...]:
    found = []
    if turned:
        found.append("turned as its EXIF data says")
    if mode == "CMYK":
        found.append("converted from CMYK, which changes colours")
    if mode.startswith("I") or mode == "F":
        found.append("16-bit grey: its upper 8 bits are looked at")
    elif mode in {"1", "L", "LA"}:
        found.append("the file is grey, without colour")
    if mode in {"RGBA", "LA", "PA"}:
        found.append("transparent places became white")
    if frames > 1:
        found.append(f"the first of its {frames} pictures is looked at")
    return tuple(found)


def _said(error: BaseException) -> str:
    return one_line(" ".join(str(error).split())[:120]) or type(error).__name__
