"""Finding a dataset's tables and images below its root, in any letter case."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from skinbench.errors import DataError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
_SHOWN = 3
FileIndex = dict[str, list[str]]


def require_folder(root: Path, title: str) -> None:
    """Check that a dataset's root is a folder.

    Raises:
        DataError: it is not.
    """
    if not root.is_dir():
        raise DataError(f"{title}: {root} is not a folder; set root to where it is unpacked")


def find_table(root: Path, names: Sequence[str], title: str) -> Path:
    """The dataset's table: in the root, or in a folder of its own name as some archives unpack.

    Raises:
        DataError: the root is no folder, holds no such table, or it is a link that leads out.
    """
    require_folder(root, title)
    path = _look(root, names)
    if path is None:
        raise DataError(
            f"{title}: no {' or '.join(names[:_SHOWN])} in {root}; "
            f"set root to the folder that holds it"
        )
    return path


def find_further_table(root: Path, names: Sequence[str]) -> Path | None:
    """A table that not every copy of the dataset has.

    Raises:
        DataError: it is a link that leads out of the root.
    """
    return _look(root, names)


def _look(root: Path, names: Sequence[str]) -> Path | None:
    entries = {path.name.lower(): path for path in sorted(root.iterdir(), reverse=True)}
    for name in names:
        found = entries.get(name.lower())
        folder = entries.get(Path(name).stem.lower())
        if found is None and folder is not None and folder.is_dir():
            found = _look(folder, [name])
        if found is not None and found.is_file():
            if not found.resolve().is_relative_to(root.resolve()):
                raise DataError(
                    f"{found} is a link that leads out of {root}; copy the file there instead"
                )
            return found
    return None


def index_files(root: Path, *, depth: int, skip: str = "") -> FileIndex:
    """Image files under a folder by lower-case stem.

    Args:
        root: folder to look in.
        depth: how many levels of sub-folders are searched.
        skip: sub-folders whose lower-case name contains this are left out.

    Returns:
        Stem to paths relative to root (POSIX), sorted.
    """
    found: FileIndex = {}
    start = os.fspath(root)
    # Links are followed so that a linked folder is seen, and then refused by name.
    for folder, subfolders, files in os.walk(start, followlinks=True):
        inside = os.path.relpath(folder, start).replace(os.sep, "/")
        level = 0 if inside == "." else inside.count("/") + 1
        subfolders[:] = sorted(
            name for name in subfolders if level < depth and not (skip and skip in name.lower())
        )
        prefix = "" if inside == "." else f"{inside}/"
        for name in files:
            stem, suffix = os.path.splitext(name)  # noqa: PTH122 - 10,000 names, Path is slow
            if suffix.lower() in IMAGE_SUFFIXES and not name.startswith("."):
                found.setdefault(stem.lower(), []).append(prefix + name)
    return {stem: sorted(paths) for stem, paths in found.items()}


def paths_of(images: FileIndex, ids: Iterable[str]) -> list[str]:
    """The first file of each id, or an empty text where there is none."""
    keys = (image_id.lower() for image_id in ids)
    return [images[key][0] if key in images else "" for key in keys]


def unused_files(images: FileIndex, ids: Iterable[str]) -> tuple[str, ...]:
    """The files that no id names, sorted; further copies of a used one are not among them."""
    return tuple(sorted(images[stem][0] for stem in images.keys() - {v.lower() for v in ids}))
