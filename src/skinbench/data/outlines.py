"""The outline of a lesion, from the mask that comes with its image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from contourpy import contour_generator
from PIL import Image, ImageDraw

from skinbench.data.images import strict_pillow
from skinbench.records import Manifest

Outline = tuple[tuple[int, ...], ...]
"""Polygons x0, y0, x1, y1, ... in thousandths of the image's width and height."""
SIDE = 256
"""A mask is outlined at this longer side."""
POINTS = 96
"""Points of a polygon at most."""
LEAST = 0.002
"""Smaller parts are left out: share of the frame's box."""


def lesion_outline(manifest: Manifest, image_id: str) -> Outline:
    """Polygons around an image's lesion mask; none where it has no mask that can be read."""
    path = manifest.table.loc[manifest.table["image_id"] == image_id, "mask_path"].iloc[0]
    if not isinstance(path, str) or not path:
        return ()
    return outline_of(manifest.root / path)


def outline_of(path: Path) -> Outline:
    """The same of a mask file."""
    try:
        with strict_pillow(), Image.open(path) as image:
            whole = image.convert("L").point(lambda value: 255 if value > 127 else 0)
            scale = SIDE / max(whole.size)
            size = max(1, round(whole.width * scale)), max(1, round(whole.height * scale))
            mask = np.asarray(whole.resize(size, Image.Resampling.BOX), dtype=np.float64)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ()
    height, width = mask.shape
    # A frame of skin around it closes the line where a lesion reaches the picture's border.
    padded = np.pad(mask, 1)
    x = np.clip((np.arange(width + 2) - 0.5) / width, 0, 1) * 1000
    y = np.clip((np.arange(height + 2) - 0.5) / height, 0, 1) * 1000
    lines = contour_generator(x=x, y=y, z=padded).lines(127.5)
    kept = [
        np.asarray(line) for line in lines if np.ptp(np.asarray(line), axis=0).prod() > LEAST * 1e6
    ]
    kept.sort(key=lambda line: (-len(line), *line[0]))
    return tuple(_thinned(line) for line in kept)


def drawn(picture: Image.Image, outline: Outline) -> Image.Image:
    """A picture with the outline on it: white within black, seen on any skin and in any print."""
    marked = picture.convert("RGB")
    drawing = ImageDraw.Draw(marked)
    scale = np.array(marked.size) / 1000
    for line in outline:
        points = [tuple(point) for point in (np.reshape(line, (-1, 2)) * scale).tolist()]
        closed = [*points, points[0]]
        for colour, width in (("black", 4), ("white", 2)):
            drawing.line(closed, fill=colour, width=width, joint="curve")
    return marked


def _thinned(line: npt.NDArray[np.float64]) -> tuple[int, ...]:
    chosen = np.unique(np.linspace(0, len(line) - 1, min(POINTS, len(line))).round().astype(int))
    return tuple(int(value) for value in np.rint(line[chosen]).ravel())
