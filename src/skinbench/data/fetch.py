"""One file over HTTP, continued where an earlier attempt was cut off, checked before it is named.

Until a file is complete and checked it is `NAME.part`, beside `NAME.part.json` with what the server
said about it (length, ETag or date). A part is continued only if the server still has the very
file that it began with (`If-Range`); otherwise it starts anew.

pooch, the usual library, neither continues downloads nor unpacks with limits; the standard
library's client keeps the base install light.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO

from skinbench.data.server import (
    CutOff,
    Patience,
    content_length,
    content_range,
    open_url,
    reason_of,
    shown,
)
from skinbench.errors import CorruptObjectError, DataError, ResourceError, StoreError, one_line
from skinbench.records import Download
from skinbench.store import read_record, write_json

BLOCK = 1 << 18
DISK_RESERVE = 200_000_000
"""Bytes that a download leaves free."""
Advance = Callable[[int, int | None], None]
"""(bytes so far, bytes in all or None)."""


@dataclass(frozen=True, kw_only=True)
class _Note:
    """What the server said when a part was begun."""

    total: int | None
    validator: str


def fetch(
    download: Download,
    url: str,
    folder: Path,
    patience: Patience,
    advance: Advance,
) -> Path:
    """Bring one file into a folder, complete and checked.

    Args:
        download: name, and size and digest where published.
        url: where it is (the official place, or a mirror).
        folder: exists; parts of earlier attempts are continued there.
        patience: timeouts and attempts.
        advance: called as bytes arrive.

    Raises:
        DataError: the server refuses, keeps failing, or has another file; what is worth
            continuing is kept, what is damaged is removed.
        ResourceError: the disk is full.
    """
    target = folder / download.file_name
    if target.is_file():  # named only after it was checked
        return target
    part = folder / f"{download.file_name}.part"
    best, fruitless = _size(part), 0
    while True:
        try:
            total = _attempt(download, url, part, patience, advance)
            break
        except CutOff as reason:
            grown = _size(part) > best
            best, fruitless = max(best, _size(part)), 0 if grown else fruitless + 1
            if fruitless >= patience.attempts:
                raise DataError(
                    f"{shown(url)}: {reason}; {_size(part):,} bytes of {download.file_name} are "
                    f"kept: the same command continues"
                ) from reason
            patience.pause(min(2.0**fruitless, 30.0))
    _check(download, url, part, total)
    part.replace(target)
    _note_path(part).unlink(missing_ok=True)
    return target


def file_digests(path: Path, *names: str) -> dict[str, str]:
    """Hex digests of a file, in one pass over it."""
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            for item in hashes.values():
                item.update(block)
    return {name: item.hexdigest() for name, item in hashes.items()}


# --- one attempt -------------------------------------------------------------------------


def _attempt(
    download: Download, url: str, part: Path, patience: Patience, advance: Advance
) -> int | None:
    """Fetch what is missing; the length of the whole file, where it is known."""
    note = _read_note(part)
    have = _size(part) if note else 0
    if note and note.total is not None and have == note.total:
        return have
    headers = {"Range": f"bytes={have}-", "If-Range": note.validator} if note and have else {}
    with open_url(url, headers, patience, part) as response:
        if response.status == 206:
            total = _continued(response.headers, have, note, part)
        else:
            have, total = 0, content_length(response.headers)
            part.unlink(missing_ok=True)
        _check_promise(download, url, response.headers, total)
        _write_note(part, response.headers, total)
        limit = download.bytes if total is None else total
        if limit is None:
            limit = max(0, shutil.disk_usage(part.parent).free - DISK_RESERVE)
        _receive(response, part, have, limit, lambda done: advance(done, total))
    if total is not None and _size(part) < total:
        raise CutOff(f"was cut off at {_size(part):,} of {total:,} bytes")
    return total


def _receive(
    response: http.client.HTTPResponse,
    part: Path,
    done: int,
    limit: int,
    advance: Callable[[int], None],
) -> None:
    advance(done)
    with _opened(part) as file:
        while block := _read(response):
            done += len(block)
            if done > limit:
                part.unlink(missing_ok=True)
                raise DataError(f"{shown(response.url)}: sends more than the {limit:,} bytes due")
            try:
                file.write(block)
            except OSError as error:
                raise ResourceError(
                    f"cannot write {part}: {error.strerror or error}; make room, then the same "
                    f"command continues"
                ) from error
            advance(done)


def _opened(part: Path) -> IO[bytes]:
    try:
        return part.open("ab", buffering=0)
    except OSError as error:
        raise StoreError(f"cannot write {part}: {error.strerror or error}") from error


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(BLOCK)  # what has come so far, also before a cut-off
    except TimeoutError as error:
        raise CutOff("the server stopped sending") from error
    except (OSError, http.client.HTTPException) as error:
        raise CutOff(f"the connection broke ({reason_of(error)})") from error


def _continued(headers: Message, have: int, note: _Note | None, part: Path) -> int | None:
    """The length of the whole file, if what follows is really its continuation."""
    start, total = content_range(headers)
    changed = note is None or (note.total is not None and total != note.total)
    etag = headers.get("ETag")
    if etag and note and note.validator.startswith('"') and etag != note.validator:
        changed = True  # a server that ignores If-Range
    if changed or start != have:
        part.unlink(missing_ok=True)
        raise CutOff("the file changed on the server")
    return total


def _check_promise(download: Download, url: str, headers: Message, total: int | None) -> None:
    """Refuse what cannot be the file before it is downloaded."""
    if headers.get_content_type() in {"text/html", "application/xhtml+xml"}:
        raise DataError(
            f"{shown(url)}: answers with a web page, not with {download.file_name}; it may ask "
            f"for a login or have moved"
        )
    if headers.get("Content-Encoding", "identity") != "identity":
        encoding = one_line(headers["Content-Encoding"])
        raise DataError(f"{shown(url)}: sends {download.file_name} re-encoded as {encoding}")
    if None not in (download.bytes, total) and download.bytes != total:
        raise DataError(
            f"{shown(url)}: {download.file_name} has {total:,} bytes there, not the "
            f"{download.bytes:,} that are published"
        )
    if total is None and download.digest is None and not download.unpack:
        raise DataError(
            f"{shown(url)}: does not tell the length of {download.file_name}: it could not be "
            f"known whether it is complete"
        )


def _check(download: Download, url: str, part: Path, total: int | None) -> None:
    due = download.bytes if total is None else total
    if due is not None and _size(part) != due:
        part.unlink(missing_ok=True)
        raise DataError(f"{shown(url)}: {download.file_name} ended before its {due:,} bytes")
    if download.digest is None:
        return
    kind, _, wanted = download.digest.partition(":")
    found = file_digests(part, kind)[kind]
    if found != wanted:
        part.unlink(missing_ok=True)
        raise DataError(
            f"{shown(url)}: {download.file_name} has {kind} {found}, published is {wanted}; it was "
            f"removed: try again, or from another place"
        )


# --- beside the part ---------------------------------------------------------------------


def _note_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_note(part: Path) -> _Note | None:
    """None where the part cannot be continued."""
    with suppress(StoreError, CorruptObjectError):
        note = read_record(_note_path(part), _Note)
        return note if note.validator and part.is_file() else None
    return None


def _write_note(part: Path, headers: Message, total: int | None) -> None:
    etag = headers.get("ETag", "")  # a weak one may stand for other bytes
    validator = etag if etag.startswith('"') else headers.get("Last-Modified", "")
    write_json(_note_path(part), _Note(total=total, validator=validator))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
