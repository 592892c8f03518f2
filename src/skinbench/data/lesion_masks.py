"""Lesion masks decoded and resized once, beside the pixels of the same images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from skinbench.data.images import Progress, strict_pillow
from skinbench.errors import DataError
from skinbench.records import Manifest
from skinbench.store import Store, content_digest
from skinbench.store.arrays import open_array

Digests = Callable[[Sequence[Path], str], list[str]]
Masks = npt.NDArray[np.uint8]
SKIN, LESION, UNKNOWN = 0, 1, 255
"""Values of a stored mask; UNKNOWN everywhere where an image has no mask, or an empty one."""
_FILE = "masks.npy"
_VERSION = 1


class MaskDigests:
    """What the mask files of manifests hold, each manifest read once.

    Args:
        digests_of: (files, name) -> sha256 of each, remembered under the name.
    """

    def __init__(self, digests_of: Digests) -> None:
        self._digests_of = digests_of
        self._known: dict[str, str] = {}

    def of(self, manifests: Iterable[Manifest]) -> dict[str, str]:
        """Manifest digest to the digest over the contents of its mask files.

        Raises:
            DataError: a mask file is gone.
        """
        found = {}
        for manifest in manifests:
            if manifest.digest not in self._known:
                self._known[manifest.digest] = self._digest(manifest)
            found[manifest.digest] = self._known[manifest.digest]
        return found

    def _digest(self, manifest: Manifest) -> str:
        named = [(row, path) for row, path in enumerate(_paths(manifest)) if path is not None]
        for _, path in named:
            if not path.is_file():
                raise DataError(f"data '{manifest.name}': the mask {path} is gone")
        contents = self._digests_of([path for _, path in named], f"masks-{manifest.adapter}")
        return content_digest([(row, one) for (row, _), one in zip(named, contents, strict=True)])


def mask_digest(manifest_digest: str, masks: str, image_size: int) -> str:
    """Name of the masks of a manifest at a size in pixels.

    Args:
        manifest_digest: of the images.
        masks: digest of the mask files.
        image_size: side of the square.
    """
    return content_digest(["masks", _VERSION, manifest_digest, masks, image_size])


def build_masks(
    manifest: Manifest,
    masks: str,
    image_size: int,
    store: Store,
    *,
    workers: int,
    progress: Progress | None = None,
) -> str:
    """Decode every mask of a manifest, unless that was done before.

    A mask is resized to the square of the images, and a pixel is lesion where half of it or
    more was.

    Args:
        manifest: its root holds the files.
        masks: digest of the mask files.
        image_size: side of the square in pixels.
        store: gets `masks/<digest>/masks.npy` [N, S, S] uint8.
        workers: threads that decode.
        progress: called as masks are done.

    Returns:
        The digest in the store.

    Raises:
        DataError: a mask cannot be read.
        StoreError: the disk is full or read-only.
    """
    digest = mask_digest(manifest.digest, masks, image_size)
    if store.has("masks", digest):
        return digest

    def write(folder: Path) -> None:
        paths = _paths(manifest)
        made = np.full((len(paths), image_size, image_size), UNKNOWN, dtype=np.uint8)

        def fill(row: int) -> None:
            path = paths[row]
            if path is not None:
                mask = _decode(path, image_size)
                made[row] = mask if mask.any() else UNKNOWN

        with strict_pillow(), ThreadPoolExecutor(workers) as pool:
            for done, _ in enumerate(pool.map(fill, range(len(paths))), start=1):
                if progress is not None and (done % 100 == 0 or done == len(paths)):
                    progress("reading masks", done, len(paths))
        np.save(folder / _FILE, made, allow_pickle=False)

    store.publish("masks", digest, write)
    return digest


def open_masks(store: Store, digest: str) -> Masks:
    """Masks [N, S, S] of SKIN, LESION and UNKNOWN, a read-only memory map.

    Raises:
        CorruptObjectError: they are absent or damaged.
    """
    return open_array(store.open("masks", digest) / _FILE, "r")


def known(masks: Masks) -> npt.NDArray[np.bool_]:
    """Which images have a mask [N]."""
    corner: npt.NDArray[np.bool_] = np.asarray(masks[:, 0, 0]) != UNKNOWN
    return corner


def _paths(manifest: Manifest) -> list[Path | None]:
    return [
        manifest.root / path if isinstance(path, str) and path else None
        for path in manifest.table["mask_path"]
    ]


def _decode(path: Path, image_size: int) -> Masks:
    try:
        with Image.open(path) as image:
            whole = image.convert("L").point(lambda value: 255 if value > 127 else 0)
            small = whole.resize((image_size, image_size), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: the mask cannot be read: {error}") from error
    lesion: Masks = (np.asarray(small) >= 128).astype(np.uint8)
    return lesion
