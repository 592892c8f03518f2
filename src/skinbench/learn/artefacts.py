"""Whether the heat of a map lies on what is no skin: corners, a dark rim, hairs and rulers."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from skinbench.records import ARTEFACTS

VERSION = 1
LEAST = 0.1
"""A flag needs so much of a map's heat on the artefact ..."""
EXCESS = 1.5
"""... and so many times what even heat would put there."""
DARK = 32
"""Brightest channel below which a pixel is nearly black, of 255."""
SPAN = 0.055
"""A line is thinner than this share of the side, and darker than what lies on both sides of it."""
FALL = 18
"""By so many grey levels of 255."""
LENGTH = 0.1
"""The least longer side of a line's box, as a share of the side ..."""
TICK = 0.035
"""... which may be this short at the edge of the picture, where rulers lie."""
SOLID = (0.2, 0.45)
"""A line, and one at the picture's edge, covers at most this share of the square over its longer
side; a spot covers more."""

Flags = npt.NDArray[np.bool_]


def artefact_regions(images: npt.NDArray[np.uint8]) -> dict[str, Flags]:
    """Where each artefact lies on images [N, S, S, 3]: name to [N, S, S].

    Lines are found as DullRazor finds hairs (Lee 1997): what a closing along some direction
    fills. A rim is what is nearly black and reaches the picture's border.
    """
    rims, lines = (np.zeros(images.shape[:3], dtype=np.bool_) for _ in range(2))
    for index, image in enumerate(images):
        rims[index], lines[index] = _rim(image), _lines(image)
    corners = np.broadcast_to(corner_region(images.shape[1]), images.shape[:3])
    return {"corners": corners, "vignette": rims, "lines": lines}


def flagged(
    heat: npt.NDArray[np.float32], regions: dict[str, Flags]
) -> dict[str, npt.NDArray[np.float64]]:
    """For each artefact, 1 where a map [N, S, S] is flagged, 0 where not, NaN where it is flat."""
    total = heat.sum(axis=(1, 2), dtype=np.float64)
    found = {}
    for name in ARTEFACTS:
        inside = np.where(regions[name], heat, 0.0).sum(axis=(1, 2), dtype=np.float64)
        even = regions[name].mean(axis=(1, 2)) * total
        hit = (inside >= LEAST * total) & (inside >= EXCESS * even)
        found[name] = np.where(total > 0, hit.astype(np.float64), np.nan)
    return found


def artefact_flags(
    heat: npt.NDArray[np.float32], images: npt.NDArray[np.uint8]
) -> list[tuple[str, ...]]:
    """The artefacts that each map [N, S, S] is flagged for on its image [N, S, S, 3]."""
    if not len(heat):
        return []
    found = flagged(heat, artefact_regions(images))
    return [
        tuple(name for name in ARTEFACTS if found[name][index] == 1) for index in range(len(heat))
    ]


def corner_region(side: int) -> Flags:
    """Pixels [S, S] outside the circle that touches the four sides."""
    offset = (np.arange(side) + 0.5) / side - 0.5
    return np.asarray(np.hypot(offset[:, None], offset[None]) > 0.5)


def _rim(image: npt.NDArray[np.uint8]) -> Flags:
    dark = (image.max(axis=2) < DARK).astype(np.uint8)
    _, parts = cv2.connectedComponents(dark, connectivity=4)
    border = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    return np.asarray(np.isin(parts, np.unique(border[border > 0])))


def _lines(image: npt.NDArray[np.uint8]) -> Flags:
    side = image.shape[0]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    span = max(5, round(SPAN * side)) | 1
    straight, slanted = np.ones((1, span), dtype=np.uint8), np.eye(span, dtype=np.uint8)
    ways = (straight, straight.T.copy(), slanted, slanted[::-1].copy())
    filled = np.max([cv2.morphologyEx(grey, cv2.MORPH_CLOSE, way) for way in ways], axis=0)
    thin = (filled - grey > FALL).astype(np.uint8)  # a closing is never darker
    _, parts, boxes, _ = cv2.connectedComponentsWithStats(thin, connectivity=8)
    left, top, wide, tall, area = boxes.T
    longest = np.maximum(wide, tall)
    edge = (left == 0) | (top == 0) | (left + wide == side) | (top + tall == side)
    kept = (longest >= np.where(edge, TICK, LENGTH) * side) & (
        area <= np.where(edge, *SOLID[::-1]) * longest**2
    )
    kept[0] = False  # what is no line
    return np.asarray(kept[parts])
