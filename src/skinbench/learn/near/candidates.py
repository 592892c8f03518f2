"""Candidate pairs: the nearest neighbours of each image among embeddings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

NEIGHBOURS = 25
"""Nearest images of each image, siblings left out, that are compared in detail."""
_BLOCK = 1024


def centred(embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Embeddings [N, E] less their mean, to length 1: what all images share says nothing."""
    moved = embeddings - embeddings.mean(0, keepdims=True)
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = moved / np.maximum(length, 1e-12)
    return unit


def nearest(
    left: npt.NDArray[np.float32],
    right: npt.NDArray[np.float32],
    siblings: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    count: int = NEIGHBOURS,
) -> npt.NDArray[np.int64]:
    """The `count` rows of `right` nearest to each row of `left`, as pairs [P, 2].

    Args:
        left: unit vectors [N, E].
        right: unit vectors [M, E].
        siblings: a code for each row of left and of right; equal codes are never paired.
        count: neighbours of one row.
    """
    table = torch.from_numpy(right)
    order = np.argsort(siblings[1], kind="stable")
    codes = siblings[1][order]
    found = []
    for start in range(0, len(left), _BLOCK):
        rows = left[start : start + _BLOCK]
        cosine = torch.from_numpy(rows) @ table.T
        own = siblings[0][start : start + len(rows)]
        first, last = np.searchsorted(codes, own, "left"), np.searchsorted(codes, own, "right")
        for row in np.flatnonzero(last > first):
            cosine[row, order[first[row] : last[row]]] = -torch.inf
        values, columns = cosine.topk(min(count, len(right)), 1)
        kept = torch.isfinite(values).numpy()
        here = np.repeat(np.arange(start, start + len(rows)), kept.sum(1))
        found.append(np.column_stack([here, columns.numpy()[kept]]))
    return np.concatenate(found) if found else np.zeros((0, 2), np.int64)
