"""Unpacking a zip from a stranger: every member is judged before one byte is written.

Refused are names that leave the folder or mean different files on different systems, links,
devices, encrypted or duplicate members, and bombs. Sizes are counted again while writing, since
a directory of a zip can lie. Whatever goes wrong, the target folder is gone afterwards.
"""

from __future__ import annotations

import re
import shutil
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path

from skinbench.data.fetch import DISK_RESERVE
from skinbench.errors import DataError, ResourceError, one_line

_BLOCK = 1 << 20
_MAX_PART = 200
_ALWAYS_FINE = 1 << 20
"""Bytes below which a member's compression ratio is not looked at: small tables pack well."""
_LITTER = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
"""What systems add to archives by themselves; never unpacked."""
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_ENCRYPTED = 0x1 | 0x40


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an archive may unpack to."""

    members: int = 1_000_000
    ratio: float = 100.0
    """Unpacked bytes to packed bytes, of one member and of all; photographs have about 1."""
    bytes: int | None = None
    """Unpacked bytes of all members; None: what the disk has free, less a reserve."""


def unpack(
    archive: Path,
    folder: Path,
    limits: Limits | None = None,
    advance: Callable[[int, int], None] | None = None,
) -> dict[str, int]:
    """Unpack a zip into a new folder, all of it or nothing.

    Args:
        archive: the zip.
        folder: does not exist yet; removed again if anything is wrong.
        limits: sizes that are refused.
        advance: called with (bytes written, bytes in all).

    Returns:
        Path relative to the folder (POSIX) to size in bytes.

    Raises:
        DataError: not a zip, damaged, or hostile: one line with the archive and the member.
        ResourceError: the disk cannot hold it.
    """
    limits = limits or Limits()
    with _one_line_each(archive):
        if not zipfile.is_zipfile(archive):
            raise DataError(f"{archive.name}: {_what_it_is(archive)}; nothing was unpacked")
        with zipfile.ZipFile(archive) as opened:
            members = _judged(archive, opened, limits)
            due = sum(member.file_size for member in members)
            _check_room(archive, folder, due, limits)
            try:
                return _write(opened, members, folder, lambda n: advance and advance(n, due))
            except BaseException:  # also Ctrl-C: half a folder must not stay
                shutil.rmtree(folder, ignore_errors=True)
                raise


def _write(
    opened: zipfile.ZipFile,
    members: list[zipfile.ZipInfo],
    folder: Path,
    advance: Callable[[int], object],
) -> dict[str, int]:
    folder.mkdir(parents=True)
    written = 0
    sizes: dict[str, int] = {}
    for member in members:
        path = folder / member.filename
        if member.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        size = 0
        with opened.open(member) as source, path.open("xb") as target:
            while block := source.read(_BLOCK):  # checks the CRC at the end
                size += len(block)
                if size > member.file_size:
                    raise DataError(f"{one_line(member.filename)} is larger than it says")
                target.write(block)
        if size != member.file_size:
            raise DataError(f"{one_line(member.filename)} is shorter than it says")
        sizes[member.filename] = size
        written += size
        advance(written)
    return sizes


@contextmanager
def _one_line_each(archive: Path) -> Iterator[None]:
    """Every way in which a zip can fail, as one line."""
    try:
        yield
    except DataError as error:
        start = "" if str(error).startswith(archive.name) else f"{archive.name}: "
        end = "" if "unpacked" in str(error) else "; nothing was unpacked"
        raise DataError(f"{start}{error}{end}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        reason = one_line(str(error)) or "it ends too early"
        raise DataError(
            f"{archive.name} is damaged ({reason}); nothing was unpacked: download it again"
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        reason = one_line(str(error))
        raise DataError(f"{archive.name}: {reason}; nothing was unpacked") from error
    except OSError as error:
        hint = "; make room, then the same command continues" if error.errno == ENOSPC else ""
        raise ResourceError(
            f"{archive.name}: cannot be unpacked: {error.strerror or error}{hint}"
        ) from error


def _what_it_is(archive: Path) -> str:
    with archive.open("rb") as file:
        start = file.read(512)
    if not start:
        return "is empty"
    if start.lstrip()[:1] == b"<":
        return "is a web page, not a zip: the place may ask for a login"
    return "is cut off or damaged" if start.startswith(b"PK") else "is not a zip"


# --- judging -----------------------------------------------------------------------------


def _judged(archive: Path, opened: zipfile.ZipFile, limits: Limits) -> list[zipfile.ZipInfo]:
    """Members to unpack, in the archive's order.

    Raises:
        DataError: one of them must not be unpacked.
    """
    members = opened.infolist()
    if len(members) > limits.members:
        raise DataError(f"has {len(members):,} members, more than {limits.members:,}")
    kept = []
    for member in members:
        problem = _problem(member, limits.ratio)
        if problem:
            raise DataError(f"member {member.orig_filename!r} {problem}")
        if not _LITTER & set(member.filename.split("/")):
            kept.append(member)
    _check_collisions(kept)
    size = archive.stat().st_size
    packed = sum(member.compress_size for member in members)
    if packed > size:
        raise DataError(f"its members claim {packed:,} packed bytes of {size:,}: they overlap")
    due = sum(member.file_size for member in members)
    if due > max(_ALWAYS_FINE, limits.ratio * size):
        raise DataError(f"is a bomb: {size:,} bytes that unpack to {due:,}")
    if not any(not member.is_dir() for member in kept):
        raise DataError("has no files")
    return kept


def _problem(member: zipfile.ZipInfo, ratio: float) -> str:
    """Why a member is refused; empty where it is not."""
    if not member.filename:
        return "has no name"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if member.compress_type not in _METHODS:
        return f"is packed by method {member.compress_type}, which is not deflate"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a symbolic link"
    if kind not in (0, stat.S_IFDIR if member.is_dir() else stat.S_IFREG):
        return "is a device, a pipe or of another special kind"
    if member.is_dir() and member.file_size:
        return "is a folder with content"
    if member.file_size > max(_ALWAYS_FINE, ratio * member.compress_size):
        return f"is a bomb: {member.compress_size:,} bytes that unpack to {member.file_size:,}"
    return _name_problem(member.orig_filename)


def _name_problem(name: str) -> str:
    if not name.isprintable():
        return "has a control character in its name"
    if "\\" in name:
        return "has a backslash in its name"
    if name.startswith("/"):
        return "has an absolute path"
    if ":" in name:
        return "names a drive or a stream (:)"
    parts = name.removesuffix("/").split("/")
    if ".." in parts:
        return "leaves the folder (..)"
    if any(part in {"", "."} for part in parts):
        return "has an empty step in its path"
    if any(len(part.encode()) > _MAX_PART for part in parts) or len(parts) > 20:
        return "has too long a path"
    if any(part != part.rstrip(" .") or _RESERVED.fullmatch(part) for part in parts):
        return "has a name that Windows gives another meaning"
    return ""


def _check_collisions(members: list[zipfile.ZipInfo]) -> None:
    """No two members, nor folders above them, that some file system takes for one."""
    spelled: dict[str, str] = {}
    files: set[str] = set()
    seen: set[str] = set()
    for member in members:
        name = member.filename.removesuffix("/")
        if name in seen:
            raise DataError(f"has {name!r} twice")
        seen.add(name)
        if not member.is_dir():
            files.add(name)
        steps = name.split("/")
        for depth in range(1, len(steps) + 1):
            path = "/".join(steps[:depth])
            folded = unicodedata.normalize("NFC", path).casefold()
            other = spelled.setdefault(folded, path)
            if other != path:
                raise DataError(f"has {other!r} and {path!r}, one name on some file systems")
    for name in seen:
        steps = name.split("/")
        for depth in range(1, len(steps)):
            if "/".join(steps[:depth]) in files:
                raise DataError(f"has {'/'.join(steps[:depth])!r} as a file and as a folder")


def _check_room(archive: Path, folder: Path, due: int, limits: Limits) -> None:
    if limits.bytes is not None and due > limits.bytes:
        raise DataError(f"unpacks to {due:,} bytes, more than {limits.bytes:,}")
    place = next(parent for parent in folder.parents if parent.exists())
    free = shutil.disk_usage(place).free
    if due + DISK_RESERVE > free:
        raise ResourceError(
            f"{archive.name} unpacks to {due / 1e9:.1f} GB; {place} has {free / 1e9:.1f} GB free: "
            f"make room, then the same command continues"
        )
