"""Embedding and local features of every distinct image of a dataset, computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from skinbench.data.images import decode_file, strict_pillow
from skinbench.learn.near.embedding import BATCH, SIDE, Embedder
from skinbench.learn.near.keypoints import Keypoints, find_keypoints
from skinbench.records import Manifest
from skinbench.store import Store, content_digest
from skinbench.store.arrays import open_array

Progress = Callable[[str, int, int], None]
VERSION = 2
"""Raised whenever the numbers of this part change."""
SMALLEST, LARGEST = 112, 200
"""Pixels: the longer side of what local features are looked for in; smaller images are enlarged."""
_FILES = ("embeddings.npy", "counts.npy", "descriptors.npy", "points.npy")


@dataclass(frozen=True, kw_only=True)
class Features:
    """Of the distinct images of one dataset, in the order of their pixel digests."""

    pixels: npt.NDArray[np.object_]
    """Pixel digests [U], sorted."""
    embeddings: npt.NDArray[np.float32]
    """[U, E]."""
    ends: npt.NDArray[np.int64]
    """[U + 1]: keypoints of image i are rows ends[i]:ends[i + 1]."""
    descriptors: npt.NDArray[np.uint8]
    """[sum of keypoints, 128], memory-mapped."""
    points: npt.NDArray[np.float32]
    """[sum of keypoints, 4]."""

    def keypoints(self, row: int) -> Keypoints:
        """The local features of one image."""
        part = slice(int(self.ends[row]), int(self.ends[row + 1]))
        return Keypoints(
            descriptors=np.array(self.descriptors[part]), points=np.array(self.points[part])
        )


def canvas_size(width: int, height: int, *, squashed: bool) -> tuple[int, int]:
    """Size in pixels (width, height) that an image is brought to for its local features."""
    side = min(max(width, height, SMALLEST), LARGEST)
    if squashed:
        return side, side
    scale = side / max(width, height)
    return max(round(width * scale), 16), max(round(height * scale), 16)


def build_features(
    manifest: Manifest,
    store: Store,
    weights: tuple[Path, str],
    *,
    squashed: bool,
    workers: int,
    progress: Progress | None = None,
) -> Features:
    """Look at every distinct image once, unless the store has seen these images.

    Args:
        manifest: its root holds the files.
        store: objects `duplicates/<digest>` are made.
        weights: file and digest of the network.
        squashed: local features on a square canvas, for images whose aspect ratio is lost.
        workers: threads.
        progress: called with ("near-duplicate features", images done, images).

    Raises:
        DataError: a file is gone, or is not the one that the manifest was made from.
    """
    table = manifest.table.drop_duplicates("pixel_digest").sort_values("pixel_digest")
    pixels = table["pixel_digest"].to_numpy(object)
    name = content_digest(["near-features", VERSION, weights[1], squashed, list(pixels)])
    if not store.has("duplicates", name):
        paths = [manifest.root / path for path in table["path"]]
        work = _Work(paths, table["file_digest"].tolist(), Embedder(weights[0]), squashed)
        store.publish("duplicates", name, lambda folder: work.write(folder, workers, progress))
    folder = store.open("duplicates", name)
    embeddings, counts, descriptors, points = (open_array(folder / file, "r") for file in _FILES)
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Features(
        pixels=pixels,
        embeddings=np.asarray(embeddings, np.float32),
        ends=ends,
        descriptors=descriptors,
        points=points,
    )


class _Work:
    """One pass over the files of a dataset."""

    def __init__(
        self, paths: Sequence[Path], digests: Sequence[str], embedder: Embedder, squashed: bool
    ) -> None:
        self._paths, self._digests = paths, digests
        self._embedder, self._squashed = embedder, squashed

    def write(self, folder: Path, workers: int, progress: Progress | None) -> None:
        """Fill the folder of a stored object."""
        total = len(self._paths)
        starts = range(0, total, BATCH)
        embeddings: list[npt.NDArray[np.float16]] = []
        keypoints: list[Keypoints] = []
        with strict_pillow(), ThreadPoolExecutor(max(workers, 1)) as pool:
            for batch, found in pool.map(self._batch, starts):
                embeddings.append(batch)
                keypoints += found
                if progress is not None:
                    progress("near-duplicate features", len(keypoints), total)
        np.save(folder / _FILES[0], np.concatenate(embeddings))
        np.save(folder / _FILES[1], np.array([len(item.points) for item in keypoints], np.int32))
        np.save(folder / _FILES[2], np.concatenate([item.descriptors for item in keypoints]))
        np.save(folder / _FILES[3], np.concatenate([item.points for item in keypoints]))

    def _batch(self, start: int) -> tuple[npt.NDArray[np.float16], list[Keypoints]]:
        rows = range(start, min(start + BATCH, len(self._paths)))
        small = np.empty((len(rows), SIDE, SIDE, 3), np.uint8)
        keypoints = []
        for place, row in enumerate(rows):
            image = decode_file(self._paths[row], self._digests[row])
            small[place] = network_input(image)
            size = canvas_size(*image.size, squashed=self._squashed)
            grey = image.convert("L")
            if grey.size != size:
                grey = grey.resize(size, Image.Resampling.BICUBIC)
            keypoints.append(find_keypoints(np.asarray(grey)))
        return self._embedder.embed(small).astype(np.float16), keypoints


def network_input(image: Image.Image) -> npt.NDArray[np.uint8]:
    """An image as the network sees it [SIDE, SIDE, 3]."""
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def rows_of(table: pd.DataFrame, features: Features) -> npt.NDArray[np.int64]:
    """Row of each image of a manifest's table in its features [N]."""
    wanted = table["pixel_digest"].to_numpy(object)
    return np.searchsorted(features.pixels, wanted).astype(np.int64)
