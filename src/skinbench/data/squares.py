"""Squares of images, made while their files are decoded for the first time: no file is twice."""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
from PIL import Image

from skinbench.data.pixels import adopt_pixels, pixel_digest, publish_pixels, reserve, squared
from skinbench.records import Manifest
from skinbench.store import Store
from skinbench.store.arrays import open_array

_SPARE = 3
"""Times the squares' size that must be free on the disk: they lie there twice for a moment."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class _File:
    """An .npy that is being filled."""

    path: Path
    start: int
    """Where its array begins, in bytes."""
    descriptor: int


class Squares:
    """What a look at image files keeps for pixel stores; a context, whose end removes it.

    Nothing is made until an image comes, so a dataset that was looked at before costs nothing;
    its pixel stores are then built from the files (data/pixels.py).

    Args:
        store: where the pixels will be.
        sizes: sides of the squares in pixels.
        count: files that will be looked at.
    """

    def __init__(self, store: Store, sizes: Sequence[int], count: int) -> None:
        self._store, self._sizes, self._count = store, tuple(dict.fromkeys(sizes)), count
        self._folder = store.root / "pixels" / f".squares.{uuid.uuid4().hex[:8]}"
        self._files: dict[int, _File] | None = None
        self._have = np.zeros(count, dtype=bool)
        self._lock = threading.Lock()

    def __enter__(self) -> Squares:
        """Nothing is made yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove what was kept."""
        for file in (self._files or {}).values():
            os.close(file.descriptor)
        self._files = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def keep(self, index: int, image: Image.Image) -> None:
        """Take the squares of a decoded image. Safe in several threads.

        Args:
            index: of the file, below `count`.
            image: RGB, whole.
        """
        with self._lock:
            if self._files is None:
                self._files = self._reserve()
        whole = True
        for side, file in self._files.items():
            square = squared(image, side)
            # Not through a memory map, whose page faults cost more than the write.
            at = file.start + index * square.nbytes
            whole &= os.pwrite(file.descriptor, square.tobytes(), at) == square.nbytes
        self._have[index] = whole

    def publish(self, manifest: Manifest, index: npt.NDArray[np.int64]) -> None:
        """Write the pixel stores of a manifest, if every image of it was kept.

        Args:
            manifest: what was read from the files.
            index: [N] the file of each of its rows.

        Raises:
            StoreError: the disk is full, too small or read-only.
        """
        if not self._files or not self._have[index].all():
            return
        as_they_lie = np.array_equal(index, np.arange(self._count))
        for side, file in self._files.items():
            digest, ids = pixel_digest(manifest.digest, side), manifest.table
            if as_they_lie:
                adopt_pixels(self._store, digest, ids, file.path)
                continue
            kept = open_array(file.path, "r")

            def fill(images: Pixels, _: Path, kept: Pixels = kept) -> None:
                np.take(kept, index, axis=0, out=images)

            publish_pixels(self._store, digest, ids, side, fill)

    def _reserve(self) -> dict[int, _File]:
        """A file for each size; none where there is no room, or it cannot be written."""
        needed = sum(self._count * side * side * 3 for side in self._sizes)
        try:
            self._folder.mkdir(parents=True)
            room = shutil.disk_usage(self._folder).free >= _SPARE * needed
            if not room or not hasattr(os, "pwrite"):  # Windows has none
                return {}
            return {side: self._file(side) for side in self._sizes}
        except OSError:  # who builds the pixel stores says what is wrong
            return {}

    def _file(self, side: int) -> _File:
        path = self._folder / f"{side}.npy"
        images = reserve(path, (self._count, side, side, 3))
        return _File(path=path, start=images.offset, descriptor=os.open(path, os.O_WRONLY))
