"""Many image files through a bundle: decoded by threads, answered batch by batch, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from skinbench.bundle.images import read_image, squares
from skinbench.bundle.metadata import Said, image_id, understand
from skinbench.bundle.model import BundleModel
from skinbench.data.images import strict_pillow, usable_cores
from skinbench.errors import DataError, UsageError, one_line

ENDINGS = frozenset({".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
BATCH = 32
AHEAD = 4
"""Batches that are decoded ahead of the one that is answered: memory does not grow with the
number of images."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One image file to be answered."""

    path: Path
    image_id: str


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A file that gave no answer."""

    path: Path
    reason: str


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """A batch of answers."""

    images: tuple[Found, ...]
    probabilities: npt.NDArray[np.float32]
    """[B, C]."""
    unreadable: tuple[Unreadable, ...]
    unknown: tuple[Mapping[str, str], ...]
    """For each image the metadata fields whose word the model never saw."""
    without: int
    """Images that the table of metadata has no row for."""

    @property
    def looked_at(self) -> int:
        """Files of the batch, readable or not."""
        return len(self.images) + len(self.unreadable)


def find_images(named: Sequence[str]) -> list[Found]:
    """Image files of arguments: files, folders (all images below them) and glob patterns.

    Hidden files are left out, as a shell does.

    Raises:
        UsageError: an argument names nothing, or two files would have one image id.
    """
    paths: dict[Path, None] = {}
    for text in named:
        found = _files(text)
        if not found:
            raise UsageError(f"{one_line(text)}: no image there; name files, folders or patterns")
        paths.update(dict.fromkeys(found))
    ids: dict[str, Path] = {}
    for path in paths:
        name = image_id(path.name)
        if name in ids:
            raise UsageError(
                f"{ids[name]} and {path} are both image '{one_line(name)}'; a table of "
                f"predictions has one row an image: predict them apart"
            )
        ids[name] = path
    return [Found(path=path, image_id=name) for name, path in ids.items()]


def _files(text: str) -> list[Path]:
    path = Path(text).expanduser()
    if path.is_dir():
        return sorted(item for item in path.rglob("*") if _is_image(item, path))
    if path.exists():
        return [path]
    start = Path(path.anchor) if path.is_absolute() else Path()
    pattern = str(path.relative_to(path.anchor) if path.is_absolute() else path)
    hidden = Path(pattern).name.startswith(".")
    found = (item for item in start.glob(pattern) if item.is_file())
    return sorted(item for item in found if hidden or not item.name.startswith("."))


def _is_image(item: Path, root: Path) -> bool:
    """By its ending; hidden ones, as of macOS beside each file, are none.

    A link that leads nowhere is one: it is then listed among what could not be read.
    """
    if item.suffix.lower() not in ENDINGS:
        return False
    if any(part.startswith(".") for part in item.relative_to(root).parts):
        return False
    return item.is_file() or (item.is_symlink() and not item.exists())


def predict_files(
    model: BundleModel, found: Sequence[Found], said: Mapping[str, Said] | None
) -> Iterator[Predicted]:
    """Answers batch by batch, in the order of the files; a file that is no image stops nothing.

    Args:
        model: the loaded bundle.
        found: the files.
        said: image id to its metadata; None where there is no table.

    Raises:
        UsageError: a number in the metadata is none.
    """
    batches = [found[start : start + BATCH] for start in range(0, len(found), BATCH)]
    waiting: deque[list[Future[dict[int, npt.NDArray[np.uint8]] | str]]] = deque()
    with strict_pillow(), ThreadPoolExecutor(usable_cores()) as pool:

        def start(batch: Sequence[Found]) -> None:
            waiting.append([pool.submit(_decode, item.path, model.sizes) for item in batch])

        for batch in batches[:AHEAD]:
            start(batch)
        for place, batch in enumerate(batches):
            decoded = [future.result() for future in waiting.popleft()]
            if place + AHEAD < len(batches):
                start(batches[place + AHEAD])
            yield _answer(model, batch, decoded, said)


def _decode(path: Path, sizes: Sequence[int]) -> dict[int, npt.NDArray[np.uint8]] | str:
    """Pixels at each size, or why there are none."""
    try:
        return squares(read_image(path.read_bytes()).image, sizes)
    except DataError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"


def _answer(
    model: BundleModel,
    batch: Sequence[Found],
    decoded: Sequence[dict[int, npt.NDArray[np.uint8]] | str],
    said: Mapping[str, Said] | None,
) -> Predicted:
    pairs = list(zip(batch, decoded, strict=True))
    good = [(item, pixels) for item, pixels in pairs if not isinstance(pixels, str)]
    bad = [Unreadable(path=i.path, reason=why) for i, why in pairs if isinstance(why, str)]
    known = said or {}
    understood = understand(model, [known.get(item.image_id, {}) for item, _ in good])
    probabilities = np.zeros((0, len(model.record.classes)), dtype=np.float32)
    if good:
        pixels = {size: np.stack([one[size] for _, one in good]) for size in model.sizes}
        probabilities = model.answer(pixels, understood.table).probabilities
    return Predicted(
        images=tuple(item for item, _ in good),
        probabilities=probabilities,
        unreadable=tuple(bad),
        unknown=understood.unknown,
        without=0 if said is None else sum(item.image_id not in said for item, _ in good),
    )
