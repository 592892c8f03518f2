"""A ruler's ticks along one edge of the picture, as dermatoscopes and paper scales leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from skinbench.catalog.conditions._drawn import marked
from skinbench.records.entries import ConditionEntry

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

SCALES = (0.6, 1.0, 1.4, 1.9, 2.5)
"""How large the ruler is, by strength: ticks, their distance and their width alike."""
DISTANCE = 0.03
TICKS = (0.06, 0.025, 0.04)
"""Length of every tenth tick, of most, and of every fifth; shares of the image's side."""
WIDTH = 0.008
COLOUR = (25, 25, 28)
OPACITY = 0.9


def apply(
    images: npt.NDArray[np.uint8], strength: int, image_ids: Sequence[str]
) -> npt.NDArray[np.uint8]:
    """A ruler on [B, S, S, 3] uint8 at strength 1 to 5; the image's id says at which edge."""
    scale = SCALES[strength - 1]

    def paint(drawing: ImageDraw, side: int, random: np.random.Generator) -> None:
        edge, offset = int(random.integers(4)), float(random.uniform(0, 1))
        first = int(random.integers(10))
        distance, width = scale * DISTANCE * side, max(1, round(scale * WIDTH * side))
        for number in range(int(side / distance) + 2):
            place = (number - 1 + offset) * distance
            length = scale * side * _length(number + first)
            drawing.line(_tick(edge, place, length, side), fill=255, width=width)

    return marked(images, image_ids, "ruler", paint, colour=COLOUR, opacity=OPACITY)


def _length(number: int) -> float:
    tenth, most, fifth = TICKS
    return tenth if number % 10 == 0 else fifth if number % 5 == 0 else most


def _tick(edge: int, place: float, length: float, side: int) -> list[tuple[float, float]]:
    """A line from the edge inwards: top, bottom, left or right."""
    far = side - 1
    lines = (
        [(place, 0.0), (place, length)],
        [(place, float(far)), (place, far - length)],
        [(0.0, place), (length, place)],
        [(float(far), place), (far - length, place)],
    )
    return lines[edge]


ENTRY = ConditionEntry(
    version=1,
    apply=apply,
    by_image=True,
    note=(
        "dark ticks along one edge, drawn from the image's id, 0.6 to 2.5 times as large by "
        "strength: not a photographed ruler"
    ),
)
