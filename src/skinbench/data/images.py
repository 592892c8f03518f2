"""Opening image files: decode to RGB as a viewer shows it, and look at many files once."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from skinbench.errors import DataError
from skinbench.store import FileDigests, Store

Progress = Callable[[str, int, int], None]
"""(what, done, total)."""


_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
"""What a file may be, whatever its ending: Pillow would start Ghostscript for an EPS."""


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What one look at an image file found."""

    digest: str
    """sha256 of its bytes."""
    pixels: str
    """sha256 of its size and RGB values as decoded; empty where it does not decode."""
    width: int
    """Pixels, after the rotation that EXIF asks for; 0 where it does not decode."""
    height: int
    problem: str = ""
    """Why it does not decode; empty where it does."""


@contextlib.contextmanager
def strict_pillow() -> Iterator[None]:
    """Make an oversized or truncated image an error, and Pillow's remarks on odd files silent.

    Filters of warnings belong to the process, so this wraps a whole pool of threads.
    """
    _refuse_truncated()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _refuse_truncated() -> None:
    """Undo what other libraries set for the whole process: weasyprint does, when imported."""
    ImageFile.LOAD_TRUNCATED_IMAGES = False


@functools.cache
def image_formats() -> tuple[str, ...]:
    """What Pillow may open a file as."""
    Image.init()  # which of them there are depends on how Pillow was built
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def decode_rgb(data: bytes) -> Image.Image:
    """Decode a whole image file to mode RGB, rotated as its EXIF says.

    Transparent pixels become white; 16-bit grey keeps its upper 8 bits; of an animation the
    first picture is taken. Raises whatever Pillow
    raises on a damaged, truncated or oversized file.
    """
    _refuse_truncated()
    with Image.open(io.BytesIO(data), formats=image_formats()) as file:
        file.load()
        image = ImageOps.exif_transpose(file)
    if image.mode in {"I", "I;16", "I;16L", "I;16B", "I;16N", "F"}:
        values = np.asarray(image).astype(np.float64)
        # Pillow opens 16-bit grey as `I` or `I;16`; 65535 / 257 = 255.
        wide = image.mode.startswith("I;") or (image.mode == "I" and values.max(initial=0) > 255)
        scale = 257.0 if wide else 1.0
        image = Image.fromarray(np.clip(values / scale, 0, 255).astype(np.uint8))
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def usable_cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def examine_files(
    paths: Sequence[Path],
    store: Store,
    cache: str,
    progress: Progress | None = None,
    *,
    anew: bool = False,
    keep: Callable[[int, Image.Image], None] | None = None,
) -> list[ImageFacts]:
    """Read and decode each file once, ever: facts are remembered by (path, size, mtime).

    Args:
        paths: files that exist.
        store: where the facts are remembered.
        cache: name of the remembered list.
        progress: called as files are read.
        anew: read every file, whatever is remembered.
        keep: called, from several threads, with the position in `paths` and the RGB image of
            each file that decodes and was not remembered.
    """
    known = FileDigests(store.root, cache)
    facts = [None if anew else _from_text(known.lookup(path)) for path in paths]
    unread = [index for index, fact in enumerate(facts) if fact is None]

    def look(index: int) -> ImageFacts:
        fact, image = _examine(paths[index])
        if keep is not None and image is not None:
            keep(index, image)
        return fact

    with strict_pillow(), ThreadPoolExecutor(usable_cores()) as pool:
        looks = pool.map(look, unread)
        for done, (index, fact) in enumerate(zip(unread, looks, strict=True), start=1):
            facts[index] = fact
            known.remember(paths[index], _to_text(fact))
            if progress is not None and (done % 100 == 0 or done == len(unread)):
                progress("reading images", done, len(unread))
    known.save()
    return [fact for fact in facts if fact is not None]


def decode_file(path: Path, digest: str) -> Image.Image:
    """An image file, RGB.

    Raises:
        DataError: it is gone, or is not the one that the manifest was made from.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise DataError(f"{path} changed since its manifest was made; run the suite again")
    return decode_rgb(data)


def _examine(path: Path) -> tuple[ImageFacts, Image.Image | None]:
    """The facts of a file, and its image where it decodes."""
    try:
        data = path.read_bytes()
    except OSError as error:
        problem = error.strerror or str(error)
        return ImageFacts(digest="", pixels="", width=0, height=0, problem=problem), None
    digest = hashlib.sha256(data).hexdigest()
    try:
        image = decode_rgb(data)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly every kind on damaged files
        problem = " ".join(f"{type(error).__name__}: {error}".split())
        if isinstance(error, UnidentifiedImageError):  # names the bytes in memory, not the file
            problem = "not an image of a known format" if data else "the file is empty"
        return ImageFacts(digest=digest, pixels="", width=0, height=0, problem=problem), None
    size = "{} {} ".format(*image.size).encode()
    pixels = hashlib.sha256(size + image.tobytes()).hexdigest()
    facts = ImageFacts(digest=digest, pixels=pixels, width=image.width, height=image.height)
    return facts, image


def _to_text(fact: ImageFacts) -> str:
    return f"{fact.digest or '-'} {fact.pixels or '-'} {fact.width} {fact.height} {fact.problem}"


def _from_text(text: str | None) -> ImageFacts | None:
    parts = (text or "").split(" ", 4)
    if len(parts) != 5 or parts[0] == "-" or not (parts[2] + parts[3]).isdigit():
        return None
    digest, pixels, width, height, problem = parts
    return ImageFacts(
        digest=digest,
        pixels=pixels.removeprefix("-"),
        width=int(width),
        height=int(height),
        problem=problem,
    )
