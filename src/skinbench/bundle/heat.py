"""Class activation maps (Zhou 2016): where in the image a class's logit comes from."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from skinbench.records import Bundle, BundleNetwork

Floats = npt.NDArray[np.float32]
_STOPS = np.array(
    [[0.19, 0.07, 0.23], [0.24, 0.36, 0.81], [0.10, 0.74, 0.83], [0.41, 0.98, 0.41],
     [0.89, 0.86, 0.22], [0.98, 0.50, 0.14], [0.48, 0.02, 0.01]],
    dtype=np.float32,
)  # fmt: skip
"""Seven places of Google's Turbo map (Mikhailov 2019), blue to red, rising in hue."""
QUALITY = 88
"""Of the pictures that are shown."""
STRENGTH = 0.55
"""How much of a hot place's colour is heat."""


def _palette() -> npt.NDArray[np.uint8]:
    """Colours [256, 3] from cold to hot, straight between the stops."""
    place = np.linspace(0, len(_STOPS) - 1, 256)
    channels = [np.interp(place, np.arange(len(_STOPS)), stops) for stops in _STOPS.T]
    found: npt.NDArray[np.uint8] = np.rint(255 * np.stack(channels, axis=1)).astype(np.uint8)
    return found


_PALETTE = _palette()
_WEIGHTS = [round(255 * STRENGTH * (level / 255) ** 0.5) for level in range(256)]
"""How much of a place's colour is heat, by its level."""


def why_no_maps(bundle: Bundle) -> str:
    """Why a bundle can give no heatmap, half a sentence; "" where it can."""
    first, *others = bundle.networks
    if others:
        return "several networks answer together"
    return "" if first.maps else first.no_maps


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


def shrunk(image: Image.Image, longest: int) -> Image.Image:
    """The image with at most `longest` pixels a side."""
    shown = image.copy()
    shown.thumbnail((longest, longest), Image.Resampling.BICUBIC)
    return shown


def overlay(shown: Image.Image, heat: Floats) -> Image.Image:
    """An image under its heat."""
    levels = Image.fromarray(np.rint(255 * np.clip(heat, 0.0, 1.0)).astype(np.uint8))
    warmth = levels.resize(shown.size, Image.Resampling.BILINEAR)
    colours = warmth.copy()
    colours.putpalette(_PALETTE.tobytes())
    return Image.composite(colours.convert("RGB"), shown, warmth.point(_WEIGHTS))


def jpeg(image: Image.Image) -> bytes:
    """An image as JPEG, the same bytes for the same image; PNG would take ten times as long."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=QUALITY, optimize=False)
    return buffer.getvalue()
