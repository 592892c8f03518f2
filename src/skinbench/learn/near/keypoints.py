"""Local features of one image: SIFT (Lowe 2004) by OpenCV, and their mirrored twins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MOST = 300
"""Keypoints kept of one image, the strongest first."""
_CONTRAST, _EDGE = 0.005, 12.0
"""Skin is soft: OpenCV's 0.04 finds 10 keypoints or fewer in half of HAM10000 at 200x150."""
_DARK, _SHADE, _RIM, _MARGIN = 40, 0.35, 0.001, 0.06
"""A dark rim: grey values below the first number or this share of the image's median, over the
least share of its area; and the share of the longer side that is left out around it."""


def _mirror() -> npt.NDArray[np.int64]:
    """Where each value of a descriptor comes from when the image is seen in a mirror.

    A descriptor is 4 x 4 cells of 8 orientations in the frame of its keypoint. A mirror along
    that frame's axis swaps the cells across it and turns orientation o into -o.
    """
    row, column, turn = np.meshgrid(np.arange(4), np.arange(4), np.arange(8), indexing="ij")
    source = ((3 - row) * 4 + column) * 8 + (-turn) % 8
    return source.reshape(-1)


MIRROR = _mirror()


@dataclass(frozen=True, kw_only=True)
class Keypoints:
    """The local features of one image, strongest first."""

    descriptors: npt.NDArray[np.uint8]
    """[K, 128], OpenCV's scale."""
    points: npt.NDArray[np.float32]
    """[K, 4]: x and y in pixels of the canvas, size in pixels, angle in radians."""


def dark_rim(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Where a picture [H, W] is a black frame or a vignette, or lies along one.

    Every picture of one dermatoscope has the same dark rim; it would match itself.
    """
    import cv2

    limit = max(_DARK, _SHADE * float(np.median(grey)))
    count, parts, facts, _ = cv2.connectedComponentsWithStats((grey < limit).astype(np.uint8))
    height, width = grey.shape
    rim = np.zeros(count, bool)
    for part in range(1, count):
        x, y, wide, high, area = facts[part]
        touches = x == 0 or y == 0 or x + wide == width or y + high == height
        rim[part] = touches and area >= _RIM * grey.size
    dark = rim[parts].astype(np.uint8)
    if dark.any():
        width = 2 * round(_MARGIN * max(grey.shape)) + 1
        dark = cv2.dilate(dark, np.ones((width, width), np.uint8))
    return np.asarray(dark, bool)


def find_keypoints(grey: npt.NDArray[np.uint8]) -> Keypoints:
    """SIFT of a grey image [H, W]; up to MOST keypoints, the same ones every time."""
    import cv2

    sift = cv2.SIFT_create(nfeatures=MOST, contrastThreshold=_CONTRAST, edgeThreshold=_EDGE)
    found, descriptors = sift.detectAndCompute(
        grey, np.where(dark_rim(grey), 0, 255).astype(np.uint8)
    )
    if descriptors is None:
        return Keypoints(
            descriptors=np.zeros((0, 128), np.uint8), points=np.zeros((0, 4), np.float32)
        )
    order = np.argsort([-item.response for item in found], kind="stable")[:MOST]
    points = [
        (found[i].pt[0], found[i].pt[1], found[i].size, np.deg2rad(found[i].angle)) for i in order
    ]
    return Keypoints(
        descriptors=descriptors[order].astype(np.uint8), points=np.array(points, np.float32)
    )
