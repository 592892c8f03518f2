"""Class activation maps (Zhou 2016): where in the image a class's logit comes from."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from skinbench.records import BundleNetwork

Floats = npt.NDArray[np.float32]
_STOPS = np.array(
    [[0.19, 0.07, 0.23], [0.24, 0.36, 0.81], [0.10, 0.74, 0.83], [0.41, 0.98, 0.41],
     [0.89, 0.86, 0.22], [0.98, 0.50, 0.14], [0.48, 0.02, 0.01]]
)  # fmt: skip
"""Seven places of Google's Turbo map (Mikhailov 2019), blue to red, rising in hue."""
STRENGTH = 0.55
"""How much of a hot place's colour is heat."""


def class_heat(maps: Floats, class_index: int, network: BundleNetwork) -> Floats | None:
    """Heat [S, S] in [0, 1] of one class of one image; None where nothing speaks for it.

    What is negative is 0, then the map is scaled to its largest place, as Grad-CAM is shown.

    Args:
        maps: [C, h, w] of the image.
        class_index: of the network's own classes.
        network: says which part of the image it sees.
    """
    found = np.maximum(maps[class_index].astype(np.float64), 0.0)
    top = found.max()
    if not np.isfinite(top) or top <= 0:
        return None
    start, side = network.seen
    size = network.image_size or side
    picture = Image.fromarray((found / top).astype(np.float32), mode="F")
    large = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
    whole = np.zeros((size, size), dtype=np.float32)
    whole[start : start + side, start : start + side] = np.clip(large, 0.0, 1.0)
    return whole


def overlay(image: Image.Image, heat: Floats, longest: int) -> bytes:
    """The image under its heat, as PNG, at most `longest` pixels a side."""
    shown = image.copy()
    shown.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    mask = Image.fromarray(heat, mode="F").resize(shown.size, Image.Resampling.BILINEAR)
    warmth = np.clip(np.asarray(mask), 0.0, 1.0)
    place = warmth * (len(_STOPS) - 1)
    below = np.minimum(place.astype(int), len(_STOPS) - 2)
    share = (place - below)[..., None]
    colour = 255 * (_STOPS[below] * (1 - share) + _STOPS[below + 1] * share)
    weight = (STRENGTH * np.sqrt(warmth))[..., None]
    mixed = np.asarray(shown, dtype=np.float64) * (1 - weight) + colour * weight
    return png(Image.fromarray(np.clip(np.rint(mixed), 0, 255).astype(np.uint8)))


def png(image: Image.Image) -> bytes:
    """An image as PNG, the same bytes for the same image."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=False)
    return buffer.getvalue()


def shown_image(image: Image.Image, longest: int) -> bytes:
    """The image itself as PNG, at most `longest` pixels a side."""
    shown = image.copy()
    shown.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return png(shown)
