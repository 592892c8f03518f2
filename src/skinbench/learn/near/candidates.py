"""Candidate pairs: the nearest neighbours of each image among unit vectors of any kind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

Pairs = npt.NDArray[np.int64]
Vectors = Any
"""npt.NDArray[np.float32] or scipy.sparse.csr_matrix, for which there are no types."""
_BLOCK = 512


def centred(
    embeddings: npt.NDArray[np.float32], mean: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Embeddings [N, E] less the mean [E], to length 1: what all images share says nothing."""
    moved = embeddings - mean
    length = np.linalg.norm(moved, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = moved / np.maximum(length, 1e-12)
    return unit


def nearest(
    left: Vectors,
    right: Vectors,
    siblings: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    count: int,
    *,
    workers: int,
) -> Pairs:
    """The `count` rows of `right` nearest to each row of `left`, as pairs [P, 2].

    Args:
        left: unit vectors [N, E], dense or sparse.
        right: unit vectors [M, E] of the same kind.
        siblings: a code for each row of left and of right; equal codes are never paired.
        count: neighbours of one row.
        workers: threads.
    """
    order = np.argsort(siblings[1], kind="stable")
    codes = siblings[1][order]
    turned = right.T
    few = min(count, right.shape[0])
    # Filled in place: small results kept between big ones would leave the heap in pieces.
    columns = np.empty((left.shape[0], few), np.int64)
    kept = np.empty((left.shape[0], few), bool)

    def block(start: int) -> None:
        product = left[start : start + _BLOCK] @ turned
        cosine = product.toarray() if sparse.issparse(product) else product
        own = siblings[0][start : start + len(cosine)]
        first, last = np.searchsorted(codes, own, "left"), np.searchsorted(codes, own, "right")
        for row in np.flatnonzero(last > first):
            cosine[row, order[first[row] : last[row]]] = -np.inf
        part = slice(start, start + len(cosine))
        columns[part] = np.argpartition(cosine, -few, axis=1)[:, -few:]
        kept[part] = np.isfinite(np.take_along_axis(cosine, columns[part], 1))

    with ThreadPoolExecutor(max(workers, 1)) as pool:
        list(pool.map(block, range(0, left.shape[0], _BLOCK) if few else ()))
    rows, places = np.nonzero(kept)
    return np.column_stack([rows, columns[rows, places]]).astype(np.int64)
