"""Dark hairs across the picture, drawn as bent lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from skinbench.catalog.conditions._drawn import marked
from skinbench.records.entries import ConditionEntry

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

COUNTS = (4, 8, 14, 22, 32)
"""Hairs by strength; those of a lower strength are among them."""
LENGTHS = (0.3, 0.9)
WIDTHS = (0.006, 0.012)
"""Shares of the image's side."""
BEND = 0.15
"""How far the middle of a hair is drawn aside at most, as a share of the side."""
COLOUR = (45, 32, 24)
OPACITY = 0.85
_PIECES = 16


def apply(
    images: npt.NDArray[np.uint8], strength: int, image_ids: Sequence[str]
) -> npt.NDArray[np.uint8]:
    """Hairs over [B, S, S, 3] uint8 at strength 1 to 5.

    Each starts anywhere, runs in any direction, and is a quadratic Bezier curve of one width.
    """

    def paint(drawing: ImageDraw, side: int, random: np.random.Generator) -> None:
        for _ in range(COUNTS[strength - 1]):
            _hair(drawing, side, random)

    return marked(images, image_ids, "hair", paint, colour=COLOUR, opacity=OPACITY)


def _hair(drawing: ImageDraw, side: int, random: np.random.Generator) -> None:
    start = random.uniform(-0.05, 1.05, size=2)
    angle, length = random.uniform(0, 2 * np.pi), random.uniform(*LENGTHS)
    aside, width = random.uniform(-BEND, BEND), random.uniform(*WIDTHS)
    along = np.array([np.cos(angle), np.sin(angle)])
    end = start + length * along
    middle = (start + end) / 2 + 2 * aside * np.array([-along[1], along[0]])
    t = np.linspace(0, 1, _PIECES + 1)[:, None]
    curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * middle + t**2 * end
    points = [(float(x), float(y)) for x, y in curve * side]
    drawing.line(points, fill=255, width=max(1, round(width * side)), joint="curve")


ENTRY = ConditionEntry(
    version=1,
    apply=apply,
    by_image=True,
    note=(
        "4, 8, 14, 22 or 32 dark hairs, bent lines 0.6 to 1.2 % of the side wide, drawn from the "
        "image's id: not photographed hair"
    ),
)
