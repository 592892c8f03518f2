"""Pairs of two datasets, or of one with itself: candidates, comparison, and what is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.images import decode_file, strict_pillow
from skinbench.learn.near.candidates import centred, nearest
from skinbench.learn.near.embedding import BATCH, Embedder
from skinbench.learn.near.features import Features, canvas_size, network_input, rows_of
from skinbench.learn.near.geometry import in_fractions, inverse, orientation, oriented, overlap
from skinbench.learn.near.search import Found, compare
from skinbench.learn.near.words import word_vectors
from skinbench.records import ImageName, Manifest, NearDuplicatePair

Progress = Callable[[str, int, int], None]
DUPLICATE, REVIEW = 12, 7
"""Inliers from which a pair is a duplicate, and from which a person has to look."""
BY_NETWORK, BY_WORDS = 12, 8
"""Nearest images of each image, siblings left out, that are compared in detail."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """The distinct images of one dataset."""

    rows: pd.DataFrame
    """Of `lesions.all_rows`, one for each distinct image, in the order of the features."""
    features: Features
    mean: npt.NDArray[np.float32]
    """Of the embeddings [E]."""
    vectors: npt.NDArray[np.float32]
    """Centred unit embeddings [U, E]."""
    paths: Sequence[tuple[Path, str]]
    """File and digest of each distinct image."""

    @property
    def lesion(self) -> npt.NDArray[np.int64]:
        """Code of each image's lesion [U]."""
        return self.rows["lesion"].to_numpy(np.int64)

    def name(self, row: int) -> ImageName:
        """Which image a row is."""
        facts = self.rows.iloc[row]
        return ImageName(dataset=str(facts["dataset"]), image_id=str(facts["image_id"]))

    def canvas(self, row: int, *, squashed: bool) -> tuple[int, int]:
        """Width and height in pixels of what its local features were looked for in."""
        facts = self.rows.iloc[row]
        return canvas_size(int(facts["width"]), int(facts["height"]), squashed=squashed)


def side_of(manifest: Manifest, features: Features, table: pd.DataFrame) -> Side:
    """One dataset made ready.

    Args:
        manifest: the dataset.
        features: its features.
        table: of `lesions.all_rows`.
    """
    rows = table[table["dataset"] == manifest.name].drop_duplicates("pixel_digest")
    rows = rows.iloc[np.argsort(rows_of(rows, features))]
    files = manifest.table.set_index("image_id").loc[rows["image_id"], ["path", "file_digest"]]
    mean = features.embeddings.mean(0)
    return Side(
        rows=rows,
        features=features,
        mean=mean,
        vectors=centred(features.embeddings, mean),
        paths=[(manifest.root / path, digest) for path, digest in files.to_numpy()],
    )


def pairs_between(
    left: Side,
    right: Side,
    *,
    weights: Path,
    squashed: bool,
    workers: int,
    progress: Progress | None = None,
) -> tuple[list[NearDuplicatePair], int]:
    """What two sides (or one and itself: `left is right`) share, and the pairs compared.

    Args:
        left: one dataset.
        right: another, or the same object.
        weights: file of the network.
        squashed: local features were looked for on square canvases.
        workers: threads.
        progress: called with (what, done, total).
    """
    wanted = candidates(left, right, workers)
    found = compare(
        left.features, right.features, wanted, REVIEW, workers=workers, progress=progress
    )
    pairs = [_pair(item, left, right, squashed=squashed) for item in found]
    likeness = _likeness(pairs, found, left, right, weights)
    return [
        dataclasses.replace(pair, similarity=round(value, 6))
        for pair, value in zip(pairs, likeness, strict=True)
    ], len(wanted)


def candidates(left: Side, right: Side, workers: int) -> npt.NDArray[np.int64]:
    """Pairs of rows [P, 2], sorted, by embeddings and by words of local features."""
    apart = left is not right
    both = [left.features, right.features] if apart else [left.features]
    words = word_vectors(both, workers=workers)
    found = []
    sources = ((left.vectors, right.vectors, BY_NETWORK), (words[0], words[-1], BY_WORDS))
    for here, there, count in sources:
        near = nearest(here, there, (left.lesion, right.lesion), count, workers=workers)
        found.append(near if apart else np.sort(near, 1))
        if apart:
            back = nearest(there, here, (right.lesion, left.lesion), count, workers=workers)
            found.append(back[:, ::-1])
    return np.unique(np.concatenate(found), axis=0)


def _pair(found: Found, left: Side, right: Side, *, squashed: bool) -> NearDuplicatePair:
    names = [left.name(found.left), right.name(found.right)]
    sizes = [
        left.canvas(found.left, squashed=squashed),
        right.canvas(found.right, squashed=squashed),
    ]
    matrix = found.matrix
    if left is right and names[1] < names[0]:
        names, sizes, matrix = names[::-1], sizes[::-1], inverse(matrix)
    transform = in_fractions(matrix, sizes[0], sizes[1])
    return NearDuplicatePair(
        left=names[0],
        right=names[1],
        verdict="duplicate" if found.inliers >= DUPLICATE else "review",
        inliers=found.inliers,
        similarity=0.0,
        overlap=round(overlap(transform), 4),
        transform=transform,
        mirrored=found.mirrored,
    )


def _likeness(
    pairs: Sequence[NearDuplicatePair],
    found: Sequence[Found],
    left: Side,
    right: Side,
    weights: Path,
) -> list[float]:
    """Cosine of the embeddings of each pair, its left image turned as its right one shows it.

    A network knows up from down, so a picture that was turned is looked at again, turned back.
    """
    ends = [
        # `_pair` may have swapped the two; the transform starts from what is left now.
        (item.left, item.right) if pair.left == left.name(item.left) else (item.right, item.left)
        for pair, item in zip(pairs, found, strict=True)
    ]
    turned = {
        index: way
        for index, pair in enumerate(pairs)
        if (way := orientation(pair.transform)) != (0, False)
    }
    vectors = {index: left.vectors[here] for index, (here, _) in enumerate(ends)}
    indices = list(turned)
    embedder = Embedder(weights) if turned else None
    for start in range(0, len(indices), BATCH):
        part = indices[start : start + BATCH]
        with strict_pillow():
            images = [
                oriented(network_input(decode_file(*left.paths[ends[index][0]])), *turned[index])
                for index in part
            ]
        if embedder is not None:
            seen = centred(embedder.embed(np.stack(images)), left.mean)
            vectors |= dict(zip(part, seen, strict=True))
    return [float(vectors[i] @ right.vectors[there]) for i, (_, there) in enumerate(ends)]
