"""Whether two images show the same skin: local features that one transform maps onto another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from skinbench.learn.near.geometry import inverse
from skinbench.learn.near.keypoints import MIRROR

Floats = npt.NDArray[np.float64]
Local = tuple[torch.Tensor, npt.NDArray[np.float32]]
"""Unit descriptors [K, 128] and points [K, 4] of one image, strongest first."""
RATIO = 0.85
"""Lowe's ratio: a match is nearer than this times the second nearest."""
FEWEST = 4
"""Fewer matches than this are not looked at."""
FIRST, _PROMISING = 110, 4
"""Features compared first, and how many one transform must explain before all are compared: of 106
pairs across lesion ids in HAM10000 one is lost so, at half the time of 150 features."""
_MIRROR = torch.from_numpy(MIRROR)
_LOOSE, _TIGHT = 8.0, 3.0
"""Pixels on the canvas: an inlier of a keypoint's own frame, and of the fitted transform."""
_SUPPORT = 5
"""Matches, loosely counted, from which a transform is fitted: chance alone often gives four."""
_APART = 2.5
"""Pixels: features nearer than this to each other count as one place."""
_SMALLEST, _LARGEST = 1 / 3.0, 3.0
"""Scales of a transform."""
_STRETCH = 1.8
"""Largest ratio of a transform's two scales."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """What the best transform between two images explains."""

    inliers: int
    """Places that it maps."""
    matrix: Floats
    """[2, 3], from pixels of the left canvas to pixels of the right one."""
    mirrored: bool


NONE = Match(inliers=0, matrix=np.zeros((2, 3)), mirrored=False)


def unit_descriptors(descriptors: npt.NDArray[np.uint8]) -> torch.Tensor:
    """RootSIFT (Arandjelovic and Zisserman 2012): [K, 128] float32 of length 1."""
    values = torch.from_numpy(np.ascontiguousarray(descriptors)).float()
    return (values / values.sum(-1, keepdim=True).clamp(min=1)).sqrt()


def promising(left: Local, rights: Sequence[Local]) -> list[bool]:
    """Whether the strongest features of an image find a few places in each of some others.

    Most candidates fail here, many at once, at a tenth of the cost of `match`.
    """
    here = left[0][:FIRST]
    if len(here) < 2 or not rights:
        return [False] * len(rights)
    there = torch.zeros(len(rights), FIRST, here.shape[1])
    for row, (descriptors, _) in enumerate(rights):
        there[row, : len(descriptors)] = descriptors[:FIRST]
    both = torch.cat([here, here[:, _MIRROR]])
    cosine = (both @ there.reshape(-1, here.shape[1]).T).reshape(2, len(here), len(rights), FIRST)
    kept, columns = _clear(cosine)
    found = [False] * len(rights)
    for mirrored in range(2):
        for row, (_, points) in enumerate(rights):
            picked = np.flatnonzero(kept[mirrored, :, row])
            if len(picked) >= FEWEST and not found[row]:
                place = columns[mirrored, picked, row]
                near = _supporters(left[1][picked], points[place], bool(mirrored))
                found[row] = bool(near.sum(1).max() >= _PROMISING)
    return found


def match(left: Local, right: Local) -> Match:
    """The best match of two images, direct or mirrored, found from either side."""
    there = _match(left, right)
    if there.inliers == 0:  # of pairs with REVIEW inliers from the other side, 1 in 100
        return there
    back = _match(right, left)
    if back.inliers <= there.inliers:
        return there
    return Match(inliers=back.inliers, matrix=inverse(back.matrix), mirrored=back.mirrored)


def _match(left: Local, right: Local) -> Match:
    best = NONE
    if min(len(left[1]), len(right[1])) < 2:
        return best
    both = torch.cat([left[0], left[0][:, _MIRROR]])
    cosine = (both @ right[0].T).reshape(2, len(left[0]), 1, len(right[0]))
    kept, columns = _clear(cosine)
    for mirrored in range(2):
        rows = np.flatnonzero(kept[mirrored, :, 0])
        if len(rows) >= FEWEST:
            there = right[1][columns[mirrored, rows, 0]]
            found = consensus(left[1][rows], there, bool(mirrored))
            best = max(best, found, key=lambda item: item.inliers)
    return best


def _clear(cosine: torch.Tensor) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Which features [2, K, R] are matched, and with which one [2, K, R] of each image.

    They are each other's nearest, and the second nearest is clearly farther (Lowe's ratio).

    Args:
        cosine: [2, K, R, L] between unit vectors; the nearest values are overwritten.
    """
    best, column = cosine.max(3)
    # An index across rows would take four times as long as all else; the value says the same.
    nearest = cosine.amax(1).gather(2, column.permute(0, 2, 1)).permute(0, 2, 1)
    mutual = best == nearest
    cosine.scatter_(3, column[..., None], -1)
    # |a - b|^2 = 2 - 2 cos for vectors of length 1.
    clear = (1 - best) < RATIO**2 * (1 - cosine.amax(3))
    return (mutual & clear).numpy(), column.numpy()


def consensus(
    left: npt.NDArray[np.float32], right: npt.NDArray[np.float32], mirrored: bool
) -> Match:
    """The affine transform that explains most matches, and how many places it maps.

    Each match alone gives a similarity, by the positions, sizes and angles of its two
    keypoints; each is tried, and the best is fitted again as an affine map of its inliers.
    Nothing is drawn at random.

    Args:
        left: points [M, 4] of the matches.
        right: theirs [M, 4].
        mirrored: the right image is seen in a mirror.
    """
    here, there = left[:, :2].astype(float), right[:, :2].astype(float)
    near = _supporters(left, right, mirrored)
    best = NONE
    support = near.sum(1)
    for index in np.argsort(-support, kind="stable")[:5]:
        if support[index] < _SUPPORT:
            break
        found = _refined(here, there, near[index], mirrored)
        best = max(best, found, key=lambda item: item.inliers)
    return best


def _supporters(
    left: npt.NDArray[np.float32], right: npt.NDArray[np.float32], mirrored: bool
) -> npt.NDArray[np.bool_]:
    """For each match alone [H]: which matches [M] its transform explains, loosely."""
    matrices = _hypotheses(left.astype(float), right.astype(float), mirrored)
    mapped = left[:, :2].astype(float) @ matrices[:, :, :2].transpose(0, 2, 1)
    gap = mapped + matrices[:, None, :, 2] - right[:, :2]
    return np.asarray((gap**2).sum(2) < _LOOSE**2)


def _hypotheses(left: Floats, right: Floats, mirrored: bool) -> Floats:
    """One similarity [2, 3] for each match."""
    scale = right[:, 2] / left[:, 2]
    angle = right[:, 3] + left[:, 3] if mirrored else right[:, 3] - left[:, 3]
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    sign = -1.0 if mirrored else 1.0
    linear = np.stack([cosine, -sign * sine, sine, sign * cosine], 1).reshape(-1, 2, 2)
    shift = right[:, :2] - np.einsum("mij,mj->mi", linear, left[:, :2])
    return np.concatenate([linear, shift[:, :, None]], 2)


def _refined(here: Floats, there: Floats, inside: npt.NDArray[np.bool_], mirrored: bool) -> Match:
    for _ in range(4):
        if inside.sum() < FEWEST:
            return NONE
        matrix = _affine(here[inside], there[inside])
        error = ((here @ matrix[:, :2].T + matrix[:, 2] - there) ** 2).sum(1)
        again = error < _TIGHT**2
        if (again == inside).all():
            break
        inside = again
    if inside.sum() < FEWEST or not plausible(matrix, mirrored):
        return NONE
    count = min(places(here[inside]), places(there[inside]))
    return Match(inliers=count, matrix=matrix, mirrored=mirrored)


def _affine(here: Floats, there: Floats) -> Floats:
    """Least squares [2, 3]."""
    ones = np.column_stack([here, np.ones(len(here))])
    return np.asarray(np.linalg.lstsq(ones, there, rcond=None)[0].T, float)


def plausible(matrix: Floats, mirrored: bool) -> bool:
    """Whether a camera could have made it: scale, stretch and handedness."""
    scales = np.linalg.svd(matrix[:, :2], compute_uv=False)
    if (np.linalg.det(matrix[:, :2]) < 0) != mirrored:
        return False
    return bool(
        scales[1] >= _SMALLEST and scales[0] <= _LARGEST and scales[0] <= _STRETCH * scales[1]
    )


def places(points: Floats) -> int:
    """How many points [M, 2] are left when those near another one are dropped."""
    distance = ((points[:, None] - points[None]) ** 2).sum(2) < _APART**2
    kept = np.zeros(len(points), bool)
    for index in range(len(points)):
        kept[index] = not (distance[index] & kept).any()
    return int(kept.sum())
