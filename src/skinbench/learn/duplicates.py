"""Near-duplicates: images of one lesion that no id links, found by looking at their pixels.

Two stages. The nearest neighbours of each image among the embeddings of a pretrained network are
candidates; candidates whose local features one transform maps onto each other are reported.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from skinbench.data.resampling import resampled_apart
from skinbench.errors import UsageError
from skinbench.learn.allocator import keep_pages
from skinbench.learn.near.between import (
    BY_NETWORK,
    BY_WORDS,
    DUPLICATE,
    REVIEW,
    pairs_between,
    side_of,
)
from skinbench.learn.near.embedding import MODELS, weights_file
from skinbench.learn.near.features import VERSION, build_features
from skinbench.learn.near.geometry import WHOLE
from skinbench.learn.near.lesions import all_rows, groups_of
from skinbench.records import (
    ImageName,
    Manifest,
    NearDuplicatePair,
    NearDuplicates,
)
from skinbench.store import Store, content_digest, read_record, write_json

Progress = Callable[[str, int, int], None]
SEARCH_VERSION = 6
"""Raised whenever the numbers of candidates or matching change."""
ALIKE, SHARED, EVIDENT = 0.62, 0.5, 60
"""A near-duplicate shares this much of the frame, and either looks alike to the network or has this
many inliers; with less it is another view. In HAM10000 the partners of six pairs known from the
literature are alike by 0.70-0.85 and share 0.57 and more; 60 inliers are a copy in other light."""
_RESULT = "near_duplicates.json"


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
            (ALIKE, SHARED, EVIDENT),
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
        pairs.sort(key=self._rank)
        near = tuple(pair for pair in pairs if _is_near_duplicate(pair))
        looked, absent = _scope(weights)
        return NearDuplicates(
            datasets={manifest.name: manifest.digest for manifest in self._manifests},
            images=len(self._table),
            compared=self._compared,
            pairs=near,
            groups=groups_of(near, self._table),
            other_views=tuple(pair for pair in pairs if not _is_near_duplicate(pair)),
            looked_for=looked,
            not_looked_for=absent,
            notes=self._notes(),
        )

    def _rank(self, pair: NearDuplicatePair) -> tuple[object, ...]:
        order = {manifest.name: number for number, manifest in enumerate(self._manifests)}
        names = ((order[name.dataset], name.image_id) for name in (pair.left, pair.right))
        return (pair.verdict, not pair.identical, -pair.inliers, *names)

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
                    overlap=1.0,
                    transform=WHOLE,
                    identical=True,
                )
                for other in others
            ]
        return found

    def _name(self, row: pd.Series[Any]) -> ImageName:
        return ImageName(dataset=str(row["dataset"]), image_id=str(row["image_id"]))

    def _between(self, left: int, right: int, weights: tuple[Path, str]) -> list[NearDuplicatePair]:
        """Pairs of one dataset and another, or of one with itself."""
        manifests = [self._manifests[left], self._manifests[right]]
        if any(manifest.table.empty for manifest in manifests):
            return []
        squashed = resampled_apart(*manifests)
        sides = [
            side_of(
                manifest,
                build_features(
                    manifest,
                    self._store,
                    weights,
                    squashed=squashed,
                    workers=self._workers,
                    progress=self._progress,
                ),
                self._table,
            )
            for manifest in manifests[: 1 if left == right else 2]
        ]
        pairs, compared = pairs_between(
            sides[0],
            sides[-1],
            weights=weights[0],
            squashed=squashed,
            workers=self._workers,
            progress=self._progress,
        )
        self._compared += compared
        return pairs

    def _notes(self) -> tuple[str, ...]:
        return tuple(
            f"{left.name} and {right.name} were resampled differently (one of them has square "
            f"images only): both were squashed to squares before they were compared"
            for left, right in itertools.combinations(self._manifests, 2)
            if resampled_apart(left, right)
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


def _is_near_duplicate(pair: NearDuplicatePair) -> bool:
    """Whether two pictures are alike as a whole, not only in the skin that they share."""
    alike = pair.similarity >= ALIKE or pair.inliers >= EVIDENT
    return pair.identical or (alike and pair.overlap >= SHARED)
