"""A second source of candidates: images that share visual words (Sivic and Zisserman 2003).

A network sees what a picture is of, at one size and one way up. Words of local features do not
mind turns, mirrors and zooms, so each finds pairs that the other misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from skinbench.learn.near.features import Features
from skinbench.learn.near.keypoints import MIRROR

WORDS = 4096
"""Size of the vocabulary, where there are enough features for it."""
STRONGEST = 150
"""Keypoints of an image that are made into words."""
_WIDTH = 32
"""Principal components of a descriptor."""
_SAMPLE, _ROUNDS, _BLOCK, _SHARE = 60_000, 4, 2048, 65_536


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Centres of k-means in principal components of mirror-blind descriptors."""

    mean: torch.Tensor
    """[64]."""
    axes: torch.Tensor
    """[64, D]."""
    centres: torch.Tensor
    """[W, D]."""

    def words(self, descriptors: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """Word [K] of each descriptor [K, 128]."""
        return _nearest((_mirror_blind(descriptors) - self.mean) @ self.axes, self.centres).numpy()


def word_vectors(features: Sequence[Features], *, workers: int) -> tuple[sparse.csr_matrix, ...]:
    """Unit tf-idf vectors [U, W] of each set of images, over a vocabulary of all of them.

    Args:
        features: of one dataset or more.
        workers: threads.
    """
    owners = [_strongest(item) for item in features]
    vocabulary = _learn(features, [rows for rows, _ in owners])
    total = len(vocabulary.centres)
    counts = []
    for item, (rows, images) in zip(features, owners, strict=True):
        words = _all_words(vocabulary, item.descriptors, rows, workers)
        shape = (len(item.ends) - 1, total)
        counts.append(sparse.csr_matrix((np.ones(len(words), np.float32), (images, words)), shape))
    seen = np.sum([np.diff(count.tocsc().indptr) for count in counts], axis=0)
    rarity = np.log(max(sum(count.shape[0] for count in counts), 2) / np.maximum(seen, 1))
    return tuple(_unit(count, rarity) for count in counts)


def _strongest(features: Features) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of descriptors that count, and the image of each."""
    sizes = np.minimum(np.diff(features.ends), STRONGEST)
    images = np.repeat(np.arange(len(sizes)), sizes)
    within = np.arange(len(images)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return features.ends[images] + within, images


def _learn(features: Sequence[Features], rows: Sequence[npt.NDArray[np.int64]]) -> Vocabulary:
    total = sum(len(part) for part in rows)
    step = max(total // _SAMPLE, 1)
    parts = [item.descriptors[part[::step]] for item, part in zip(features, rows, strict=True)]
    sample = _mirror_blind(np.concatenate(parts))
    mean = sample.mean(0) if len(sample) else torch.zeros(64)
    moved = sample - mean
    axes = torch.linalg.eigh(moved.T @ moved / max(len(moved), 1)).eigenvectors[:, -_WIDTH:]
    points = moved @ axes
    size = max(min(WORDS, len(points) // 8), 1)
    centres = points[:: max(len(points) // size, 1)][:size].clone()
    for _ in range(_ROUNDS if len(points) else 0):
        word = _nearest(points, centres)
        members = torch.bincount(word, minlength=len(centres))
        sums = torch.zeros_like(centres).index_add_(0, word, points)
        # A centre that lost all its members stays where it is.
        centres = torch.where(members[:, None] > 0, sums / members[:, None].clamp(min=1), centres)
    if not len(centres):
        centres = torch.zeros(1, axes.shape[1])
    return Vocabulary(mean=mean, axes=axes, centres=centres)


def _mirror_blind(descriptors: npt.NDArray[np.uint8]) -> torch.Tensor:
    """[K, 128] -> [K, 64], the same for a feature and its mirrored twin."""
    values = torch.from_numpy(np.ascontiguousarray(descriptors)).float()
    both = (values + values[:, MIRROR]).reshape(-1, 4, 4, 8)[:, :2].reshape(-1, 64)
    return (both / both.sum(1, keepdim=True).clamp(min=1)).sqrt()


def _nearest(points: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    half = (centres**2).sum(1) / 2
    found = torch.empty(len(points), dtype=torch.int64)
    # One buffer: thousands of freed blocks of this size would leave the heap in pieces.
    buffer = torch.empty(min(_BLOCK, len(points)), len(centres))
    for start in range(0, len(points), _BLOCK):
        part = points[start : start + _BLOCK]
        product = torch.mm(part, centres.T, out=buffer[: len(part)]).sub_(half)
        torch.argmax(product, 1, out=found[start : start + len(part)])
    return found


def _all_words(
    vocabulary: Vocabulary,
    descriptors: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.int64],
    workers: int,
) -> npt.NDArray[np.int64]:
    found = np.empty(len(rows), np.int64)

    def share(start: int) -> None:
        part = rows[start : start + _SHARE]
        found[start : start + len(part)] = vocabulary.words(descriptors[part])

    with ThreadPoolExecutor(max(workers, 1)) as pool:
        list(pool.map(share, range(0, len(rows), _SHARE)))
    return found


def _unit(counts: sparse.csr_matrix, rarity: npt.NDArray[np.float64]) -> sparse.csr_matrix:
    """Square roots of counts (a ruler repeats itself), weighted by rarity, to length 1."""
    weighted = sparse.csr_matrix(counts.sqrt() @ sparse.diags(rarity.astype(np.float32)))
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(1)).ravel())
    return sparse.csr_matrix(
        sparse.diags((1 / np.maximum(length, 1e-9)).astype(np.float32)) @ weighted
    )
