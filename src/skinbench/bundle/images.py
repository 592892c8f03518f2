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
_ORIENTATION = 0x0112
_TURNED = frozenset({"JPEG", "MPO", "TIFF", "WEBP"})
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
    notes = _looked_at(data, most_pixels)
    try:
        image = decode_rgb(data)
    except Exception as error:  # likewise on broken content
        raise DataError(f"the image is damaged or cut off: {_said(error)}") from error
    return ReadImage(image=image, width=image.width, height=image.height, notes=notes)


def _looked_at(data: bytes, most_pixels: int) -> tuple[str, ...]:
    """What the header says; nothing is decoded before its size is known to be small enough."""
    too_large = f"the image has more than {most_pixels / 1e6:.0f} megapixels"
    try:
        with Image.open(io.BytesIO(data), formats=image_formats()) as head:
            if head.width * head.height > most_pixels:
                raise DataError(f"{too_large}: {head.width:,} x {head.height:,} pixels")
            animated = bool(getattr(head, "is_animated", False))
            # Of other kinds getexif would decode the image.
            turned = head.format in _TURNED and int(head.getexif().get(_ORIENTATION, 1)) != 1
            return _notes(head.mode, animated, turned)
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(
            "the file is no image that can be read; expected JPEG, PNG, TIFF, WebP, BMP or GIF"
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(too_large) from error
    except Exception as error:  # Pillow raises many kinds on broken headers
        raise DataError(f"the image's header is damaged: {_said(error)}") from error


def squares(image: Image.Image, sizes: Sequence[int]) -> dict[int, Bytes]:
    """The image at each size: [S, S, 3]."""
    return {size: squared(image, size) for size in sizes}


def _notes(mode: str, animated: bool, turned: bool) -> tuple[str, ...]:
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
    if animated:
        found.append("the first of its pictures is looked at")
    return tuple(found)


def _said(error: BaseException) -> str:
    return one_line(" ".join(str(error).split())[:120]) or type(error).__name__
