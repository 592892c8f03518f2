"""Near-duplicates: images of one lesion that no id links, found by looking at their pixels.

Two stages. The nearest neighbours of each image among the embeddings of a pretrained network are
candidates; candidates whose local features one transform maps onto each other are reported.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from skinbench.errors import UsageError
from skinbench.learn.allocator import keep_pages
from skinbench.learn.near.candidates import centred, nearest
from skinbench.learn.near.embedding import MODELS, weights_file
from skinbench.learn.near.features import (
    VERSION,
    Features,
    build_features,
    canvas_size,
    rows_of,
)
from skinbench.learn.near.lesions import all_rows, groups_of
from skinbench.learn.near.search import Found, compare
from skinbench.learn.near.words import word_vectors
from skinbench.records import (
    ImageName,
    Manifest,
    NearDuplicatePair,
    NearDuplicates,
)
from skinbench.store import Store, content_digest, read_record, write_json

Progress = Callable[[str, int, int], None]
DUPLICATE, REVIEW = 12, 7
"""Inliers from which a pair is a duplicate, and from which a person has to look."""
SEARCH_VERSION = 1
"""Raised whenever the numbers of candidates or matching change."""
BY_NETWORK, BY_WORDS = 15, 10
"""Nearest images of each image, siblings left out, that are compared in detail."""
_RESULT = "near_duplicates.json"
_WHOLE = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def find_near_duplicates(
    manifests: Sequence[Manifest],
    store: Store,
    *,
    weights: Path | None,
    workers: int,
    progress: Progress | None = None,
) -> NearDuplicates:
    """Pairs of images that show the same lesion although no lesion id or image id says so.

    Searches within each dataset and between every two. What was computed for an image set, and
    the result, are kept in the store by content: a second call reads one file.

    Args:
        manifests: with different names; their roots hold the files.
        store: holds what was computed before.
        weights: a .safetensors file of mobilenetv1_100 or mobilenetv2_100 trained with mean and
            standard deviation 0.5, or a folder (SKINBENCH_WEIGHTS) with one; None where there is
            none: then only pixel-identical images are found, and the result says so.
        workers: threads; they change no number.
        progress: called with (what, done, total).

    Raises:
        UsageError: two manifests of one name, fewer than one worker, or a path without weights.
        DataError: an image file is gone or changed since its manifest was made.
        StoreError: the store cannot be written.
    """
    names = [manifest.name for manifest in manifests]
    if len(set(names)) != len(names) or workers < 1:
        raise UsageError(
            f"near-duplicates: {', '.join(names)} with {workers} workers; each dataset needs a "
            f"name of its own, and workers must be at least 1"
        )
    path = weights_file(weights)
    digest = store.digest_of(path) if path else ""
    key = content_digest(
        [
            "near-duplicates",
            (SEARCH_VERSION, VERSION, BY_NETWORK, BY_WORDS, DUPLICATE, REVIEW),
            digest,
            [(m.name, m.digest) for m in manifests],
        ]
    )
    if not store.has("duplicates", key):
        keep_pages()
        search = _Search(manifests, store, workers, progress)
        result = search.run((path, digest) if path else None)
        store.publish("duplicates", key, lambda folder: write_json(folder / _RESULT, result))
    return read_record(store.open("duplicates", key) / _RESULT, NearDuplicates)


class _Search:
    def __init__(
        self,
        manifests: Sequence[Manifest],
        store: Store,
        workers: int,
        progress: Progress | None,
    ) -> None:
        self._manifests, self._store = manifests, store
        self._workers, self._progress = workers, progress
        self._table = all_rows(manifests)
        self._compared = 0

    def run(self, weights: tuple[Path, str] | None) -> NearDuplicates:
        pairs = self._identical()
        if weights is not None:
            threads = torch.get_num_threads()
            torch.set_num_threads(1)  # rounding would change with it; `workers` are threads of ours
            try:
                with threadpool_limits(1, user_api="blas"):
                    for left, right in itertools.combinations_with_replacement(
                        range(len(self._manifests)), 2
                    ):
                        pairs += self._between(left, right, weights)
            finally:
                torch.set_num_threads(threads)
        order = {manifest.name: number for number, manifest in enumerate(self._manifests)}
        pairs.sort(
            key=lambda p: (
                p.verdict,
                not p.identical,
                -p.inliers,
                *((order[name.dataset], name.image_id) for name in (p.left, p.right)),
            )
        )
        looked, absent = _scope(weights)
        return NearDuplicates(
            datasets={manifest.name: manifest.digest for manifest in self._manifests},
            images=len(self._table),
            compared=self._compared,
            pairs=tuple(pairs),
            groups=groups_of(pairs, self._table),
            looked_for=looked,
            not_looked_for=absent,
            notes=self._notes(),
        )

    def _identical(self) -> list[NearDuplicatePair]:
        """Pairs of equal pixels that no id links; each image with the first of its like."""
        found = []
        for _, rows in self._table.groupby("pixel_digest", sort=True):
            distinct = rows.drop_duplicates("lesion")
            first, *others = [self._name(row) for _, row in distinct.iterrows()]
            found += [
                NearDuplicatePair(
                    left=first,
                    right=other,
                    verdict="duplicate",
                    inliers=0,
                    similarity=1.0,
                    transform=_WHOLE,
                    identical=True,
                )
                for other in others
            ]
        return found

    def _name(self, row: pd.Series[Any]) -> ImageName:
        return ImageName(dataset=str(row["dataset"]), image_id=str(row["image_id"]))

    def _between(self, left: int, right: int, weights: tuple[Path, str]) -> list[NearDuplicatePair]:
        """Pairs of one dataset and another, or of one with itself."""
        if self._manifests[left].table.empty or self._manifests[right].table.empty:
            return []
        squashed = _resampled_apart(self._manifests[left], self._manifests[right])
        features = [
            build_features(
                self._manifests[number],
                self._store,
                weights,
                squashed=squashed,
                workers=self._workers,
                progress=self._progress,
            )
            for number in (left, right)
        ]
        firsts = [self._firsts(number, features[side]) for side, number in ((0, left), (1, right))]
        lesion = [rows["lesion"].to_numpy(np.int64) for rows in firsts]
        vectors = [centred(item.embeddings) for item in features]
        wanted = self._candidates(features, vectors, lesion, apart=left != right)
        self._compared += len(wanted)
        found = compare(
            features[0], features[1], wanted, REVIEW, workers=self._workers, progress=self._progress
        )
        return [self._pair(item, firsts, vectors, squashed) for item in found]

    def _candidates(
        self,
        features: Sequence[Features],
        vectors: Sequence[npt.NDArray[np.float32]],
        lesion: Sequence[npt.NDArray[np.int64]],
        *,
        apart: bool,
    ) -> npt.NDArray[np.int64]:
        """Pairs of rows [P, 2], sorted, by embeddings and by words of local features."""
        words = word_vectors(features if apart else features[:1], workers=self._workers)
        found = []
        for kind, count in ((vectors, BY_NETWORK), ((words[0], words[-1]), BY_WORDS)):
            near = nearest(kind[0], kind[1], (lesion[0], lesion[1]), count, workers=self._workers)
            found.append(near if apart else np.sort(near, 1))
            if apart:
                back = nearest(
                    kind[1], kind[0], (lesion[1], lesion[0]), count, workers=self._workers
                )
                found.append(back[:, ::-1])
        return np.unique(np.concatenate(found), axis=0)

    def _firsts(self, number: int, features: Features) -> pd.DataFrame:
        """The first row of the table for each distinct image, in the order of the features."""
        rows = self._table[self._table["dataset"] == self._manifests[number].name]
        rows = rows.drop_duplicates("pixel_digest")
        return rows.iloc[np.argsort(rows_of(rows, features))]

    def _pair(
        self,
        found: Found,
        firsts: Sequence[pd.DataFrame],
        vectors: Sequence[npt.NDArray[np.float32]],
        squashed: bool,
    ) -> NearDuplicatePair:
        rows = (firsts[0].iloc[found.left], firsts[1].iloc[found.right])
        sizes = [canvas_size(row["width"], row["height"], squashed=squashed) for row in rows]
        left, right = (self._name(row) for row in rows)
        similarity = float(vectors[0][found.left] @ vectors[1][found.right])
        matrix = found.matrix
        if left.dataset == right.dataset and right.image_id < left.image_id:
            left, right, sizes = right, left, sizes[::-1]
            matrix = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
        return NearDuplicatePair(
            left=left,
            right=right,
            verdict="duplicate" if found.inliers >= DUPLICATE else "review",
            inliers=found.inliers,
            similarity=round(similarity, 6),
            transform=_in_fractions(matrix, sizes[0], sizes[1]),
            mirrored=found.mirrored,
        )

    def _notes(self) -> tuple[str, ...]:
        return tuple(
            f"{left.name} and {right.name} were resampled differently (one of them has square "
            f"images only): both were squashed to squares before they were compared"
            for left, right in itertools.combinations(self._manifests, 2)
            if _resampled_apart(left, right)
        )


def _scope(weights: tuple[Path, str] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was looked for, and what was not."""
    identical = "pixel-identical images"
    if weights is None:
        return (identical,), (
            f"near-duplicates: there are no pretrained weights to find candidates with; put "
            f"{MODELS[0]}*.safetensors into the folder that SKINBENCH_WEIGHTS names",
        )
    return (
        identical,
        f"near-duplicates: neighbours by {weights[0].name}, {DUPLICATE} local features and more "
        f"in the same places (from {REVIEW}: to be looked at)",
    ), ()


def _in_fractions(
    matrix: npt.NDArray[np.float64], left: tuple[int, int], right: tuple[int, int]
) -> tuple[float, float, float, float, float, float]:
    """A transform between canvases of (width, height) as one between fractions of the images."""
    x, y = matrix / np.array(right, float)[:, None] * np.array([*left, 1.0])
    a, b, c, d, e, f = (round(float(value), 6) for value in (*x, *y))
    return a, b, c, d, e, f


def _resampled_apart(left: Manifest, right: Manifest) -> bool:
    """Whether one of two datasets has nothing but square images and the other has not."""
    square = [bool((m.table["width"] == m.table["height"]).all()) for m in (left, right)]
    return square[0] != square[1]
