"""Images decoded and resized once into a memory map that every fit of a machine shares."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from PIL import Image

from skinbench.data.images import Progress, decode_file, strict_pillow
from skinbench.data.tables import read_parquet, write_parquet
from skinbench.errors import CorruptObjectError, DataError, StoreError, UsageError
from skinbench.records import STAGE_VERSIONS, Manifest
from skinbench.store import Store, content_digest
from skinbench.store.arrays import open_array

_IMAGES, _INDEX = "images.npy", "index.parquet"
_INDEX_SCHEMA = pa.schema([pa.field("image_id", pa.string(), nullable=False)])
_RESIZE = "square, bilinear with antialias"
MAX_IMAGE_SIZE = 4096
Fill = Callable[[npt.NDArray[np.uint8], Path], None]


@dataclass(frozen=True, kw_only=True)
class PixelStore:
    """All images of one manifest at one size, open for reading."""

    digest: str
    images: npt.NDArray[np.uint8]
    """Read-only memory map [N, H, W, 3], RGB, in the order of image_ids."""
    image_ids: tuple[str, ...]

    def rows(self, ids: Sequence[str]) -> npt.NDArray[np.int64]:
        """Row of each image [len(ids)].

        Raises:
            DataError: an id is not in the store.
        """
        found = pd.Index(self.image_ids).get_indexer(pd.Index(list(ids), dtype=object))
        if (found < 0).any():
            missing = ids[int(np.flatnonzero(found < 0)[0])]
            raise DataError(f"image '{missing}' is not in the pixel store {self.digest}")
        return found.astype(np.int64)


def pixel_digest(manifest_digest: str, image_size: int) -> str:
    """Name of the pixel store of a manifest at a size in pixels."""
    return content_digest(
        ["pixels", STAGE_VERSIONS["pixels"], manifest_digest, image_size, _RESIZE]
    )


def build_pixels(
    manifest: Manifest,
    image_size: int,
    store: Store,
    *,
    workers: int,
    progress: Progress | None = None,
) -> PixelStore:
    """Decode every image of a manifest, unless that was done before.

    Two processes may build the same store at once: one of them wins, both get it.

    Args:
        manifest: its root holds the files.
        image_size: side of the square in pixels; the aspect ratio is given up.
        store: where the pixels go.
        workers: threads that decode.
        progress: called as images are done.

    Raises:
        UsageError: an image_size or number of workers that cannot be.
        StoreError: the disk is full, too small (with the bytes needed and free) or read-only.
        DataError: a file is gone, or is not the one that the manifest was made from.
    """
    if not 1 <= image_size <= MAX_IMAGE_SIZE or workers < 1:
        raise UsageError(
            f"image_size {image_size} is not within 1..{MAX_IMAGE_SIZE}, or workers {workers} "
            f"is below 1"
        )
    digest = pixel_digest(manifest.digest, image_size)
    publish_pixels(
        store,
        digest,
        manifest.table,
        image_size,
        lambda images, _: _decode_all(images, manifest, workers, progress),
    )
    return open_pixels(store, digest)


def squared(image: Image.Image, side: int) -> npt.NDArray[np.uint8]:
    """An RGB image as the square [side, side, 3] that networks are given."""
    # No reducing_gap and no draft mode: both trade exactness for speed.
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def publish_pixels(
    store: Store, digest: str, image_ids: pd.DataFrame, image_size: int, fill: Fill
) -> None:
    """Write a pixel store whose pixels are made by `fill`, unless it exists.

    Args:
        store: where the pixels go.
        digest: their name.
        image_ids: [N] column image_id.
        image_size: side of the square in pixels.
        fill: (images [N, S, S, 3] uint8 to be filled, the store's folder).

    Raises:
        StoreError: the disk is full, too small or read-only.
    """
    if store.has("pixels", digest):
        return
    shape = (len(image_ids), image_size, image_size, 3)
    _check_space(store, math.prod(shape))

    def write(folder: Path) -> None:
        images = reserve(folder / _IMAGES, shape)
        fill(images, folder)
        images.flush()
        _write_index(image_ids, folder)

    store.publish("pixels", digest, write)


def adopt_pixels(store: Store, digest: str, image_ids: pd.DataFrame, images: Path) -> None:
    """Make a file of pixels a pixel store, unless it exists.

    Args:
        store: where the pixels go.
        digest: their name.
        image_ids: [N] column image_id.
        images: an .npy [N, S, S, 3] uint8 below the store's root; it is moved.

    Raises:
        StoreError: the store cannot be written.
    """

    def write(folder: Path) -> None:
        images.replace(folder / _IMAGES)
        _write_index(image_ids, folder)

    store.publish("pixels", digest, write)


def _write_index(image_ids: pd.DataFrame, folder: Path) -> None:
    write_parquet(image_ids[["image_id"]], _INDEX_SCHEMA, folder / _INDEX)


def open_pixels(store: Store, digest: str) -> PixelStore:
    """Open a pixel store for reading.

    Raises:
        CorruptObjectError: it is not there, or is damaged.
    """
    folder = store.open("pixels", digest)
    index = read_parquet(folder / _INDEX, _INDEX_SCHEMA)
    images = open_array(folder / _IMAGES, "r")
    side = images.shape[1] if images.ndim == 4 else 0
    if images.shape != (len(index), side, side, 3) or images.dtype != np.uint8:
        raise CorruptObjectError(
            f"{folder / _IMAGES} is {images.dtype} {images.shape}, not pixels of "
            f"{len(index)} images; run `skinbench cache verify`, then the suite again"
        )
    return PixelStore(digest=digest, images=images, image_ids=tuple(index["image_id"]))


def thumbnail(manifest: Manifest, image_id: str, size: int) -> Image.Image:
    """An image from its original file, RGB, with its aspect ratio, at most size x size pixels.

    Raises:
        DataError: the manifest has no such image, or its file is gone or changed.
    """
    rows = manifest.table[manifest.table["image_id"] == image_id]
    if rows.empty:
        raise DataError(f"image '{image_id}' is not in data '{manifest.name}'")
    with strict_pillow():
        image = decode_file(manifest.root / rows["path"].iloc[0], rows["file_digest"].iloc[0])
    image.thumbnail((size, size), Image.Resampling.LANCZOS, reducing_gap=None)
    return image


def _check_space(store: Store, needed: int) -> None:
    folder = store.root
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"cannot build pixels in {store.root}: {needed:,} bytes needed, {free:,} free; "
            f"free some (`skinbench cache clear`), name another store, or use a smaller image_size"
        )


def _decode_all(
    images: npt.NDArray[np.uint8], manifest: Manifest, workers: int, progress: Progress | None
) -> None:
    table, side = manifest.table, images.shape[1]
    paths = [manifest.root / path for path in table["path"]]
    digests = table["file_digest"].tolist()

    def fill(row: int) -> None:
        images[row] = squared(decode_file(paths[row], digests[row]), side)

    with strict_pillow(), ThreadPoolExecutor(workers) as pool:
        for done, _ in enumerate(pool.map(fill, range(len(table))), start=1):
            if progress is not None and (done % 100 == 0 or done == len(table)):
                progress("building pixels", done, len(table))


def reserve(path: Path, shape: tuple[int, ...]) -> np.memmap[tuple[int, ...], np.dtype[np.uint8]]:
    """An .npy memory map whose disk space is taken at once.

    A full disk is then an OSError here, and not a SIGBUS in the middle of a write to the map.
    """
    images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return images


class PixelRows:
    """Pixels of N images that are read when they are sliced, so that N may exceed memory.

    Stands in for an array [N, S, S, 3] uint8 where a plain model asks for one.

    Args:
        read: positions [B] int64 -> pixels [B, S, S, 3].
        length: N.
        image_size: S.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(
        self,
        read: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.uint8]],
        length: int,
        image_size: int,
    ) -> None:
        self._read, self._length = read, length
        self.shape = (length, image_size, image_size, 3)

    def __len__(self) -> int:
        """N."""
        return self._length

    def __getitem__(self, key: slice | int | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Pixels of a slice, of an index array, or of one image."""
        positions = np.arange(self._length, dtype=np.int64)[key]
        if np.ndim(positions) == 0:
            return cast(npt.NDArray[np.uint8], self._read(np.array([positions], dtype=np.int64))[0])
        return self._read(np.asarray(positions, dtype=np.int64))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[np.uint8]:
        """All pixels at once."""
        del copy
        return cast(npt.NDArray[np.uint8], np.asarray(self[:], dtype=dtype))
