"""What a transform between two pictures says about them: overlap, turn, mirror."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Transform = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f) between fractions of two images, as in NearDuplicatePair."""
Floats = npt.NDArray[np.float64]
WHOLE: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_GRID = 48


def in_fractions(matrix: Floats, left: tuple[int, int], right: tuple[int, int]) -> Transform:
    """A matrix [2, 3] between canvases of (width, height) as a transform between fractions."""
    x, y = matrix / np.array(right, float)[:, None] * np.array([*left, 1.0])
    a, b, c, d, e, f = (round(float(value), 6) for value in (*x, *y))
    return a, b, c, d, e, f


def inverse(matrix: Floats) -> Floats:
    """The way back [2, 3]."""
    return np.asarray(np.linalg.inv(np.vstack([matrix, [0.0, 0.0, 1.0]]))[:2])


def overlap(transform: Transform) -> float:
    """Shared area of both frames over the area of either (intersection over union), 0..1."""
    matrix = np.array(transform).reshape(2, 3)
    side = (np.arange(_GRID) + 0.5) / _GRID
    points = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    area = abs(float(np.linalg.det(matrix[:, :2])))
    shared = float(((mapped > 0) & (mapped < 1)).all(1).mean()) * area
    return min(shared / (area + 1 - shared), 1.0)


def orientation(transform: Transform) -> tuple[int, bool]:
    """Quarter turns (as numpy.rot90) and then a mirror left to right, nearest to a transform."""
    a, b, _, d, e, _ = transform
    linear = np.array([[a, b], [d, e]])
    choices = [(turns, mirror) for mirror in (False, True) for turns in range(4)]
    return max(choices, key=lambda choice: float((_linear(*choice) * linear).sum()))


def _linear(turns: int, mirror: bool) -> Floats:
    turn = np.linalg.matrix_power(np.array([[0.0, 1.0], [-1.0, 0.0]]), turns)
    return np.asarray(np.diag([-1.0 if mirror else 1.0, 1.0]) @ turn, float)


def oriented(pixels: npt.NDArray[np.uint8], turns: int, mirror: bool) -> npt.NDArray[np.uint8]:
    """An image [H, W, 3] after `orientation`."""
    turned = np.rot90(pixels, turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirror else turned)
