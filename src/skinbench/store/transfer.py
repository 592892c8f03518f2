"""Folders on their way between this machine and a URL: files first, the marker last.

At the URL each file lies under its own sha256, and the marker says which is which: two writers
of one object never write over each other, and a transfer that breaks leaves files that nothing
names.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TypeVar

from skinbench.errors import CorruptObjectError, StoreError
from skinbench.store.objects import MARKER, STORE_SCHEMA_VERSION
from skinbench.store.remote import RemoteFolder
from skinbench.store.urls import joined

T = TypeVar("T")
AT_ONCE = 16
"""Files on their way at a time."""
_DIGEST = re.compile(r"[0-9a-f]{64}")

Files = Mapping[str, tuple[int, str]]
"""Name of a file within its folder to its bytes and sha256."""


def files_in(marker: bytes) -> Files:
    """What a marker says of its folder.

    Raises:
        CorruptObjectError: it is none, or names a file outside of the folder.
    """
    try:
        read = json.loads(marker)
        files = {
            str(name): (int(entry["bytes"]), str(entry["sha256"]))
            for name, entry in read["files"].items()
        }
        version = read["schema"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptObjectError(f"{MARKER} cannot be read") from error
    if version != STORE_SCHEMA_VERSION:
        raise CorruptObjectError(f"{MARKER} has schema {version}, not {STORE_SCHEMA_VERSION}")
    for name, (_, digest) in files.items():
        confined(name)
        if not _DIGEST.fullmatch(digest):
            raise CorruptObjectError(f"{MARKER} has no sha256 for '{name}'")
    return files


def confined(name: str) -> None:
    """Refuse a file's name that leads out of its folder.

    Raises:
        CorruptObjectError: it does.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or not path.parts:
        raise CorruptObjectError(f"{MARKER}: the name '{name}' leads out of its folder")


def send(remote: RemoteFolder, place: str, folder: Path, marker: bytes) -> None:
    """Bring a folder to a URL; it is there for others once all of it is.

    Args:
        remote: the URL.
        place: of the folder there.
        folder: here.
        marker: of the folder.

    Raises:
        StoreError: it cannot be written.
    """
    files = files_in(marker)
    by_digest = {digest: name for name, (_, digest) in files.items()}
    each(lambda item: remote.upload(folder / item[1], f"{place}/{item[0]}"), by_digest.items())
    there = remote.files(place)
    for name, (size, digest) in files.items():
        if digest not in there or there[digest].bytes != size:
            raise StoreError(f"{joined(remote.url, place)} does not hold {name} as it was sent")
    remote.write(f"{place}/{MARKER}", marker)


def fetch(remote: RemoteFolder, place: str, folder: Path, marker: bytes) -> None:
    """Bring what a marker at a URL names into an empty folder of this machine.

    Raises:
        CorruptObjectError: a file is not there, or is not the one that was sent.
        StoreError: it cannot be read there, or written here.
    """
    files = files_in(marker)
    wanted: dict[tuple[int, str], list[Path]] = {}
    for name, known in files.items():
        wanted.setdefault(known, []).append(folder / name)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)

    def take(item: tuple[tuple[int, str], list[Path]]) -> None:
        known, (first, *equal) = item
        remote.download(f"{place}/{known[1]}", first, known)
        for path in equal:
            shutil.copyfile(first, path)

    each(take, wanted.items())
    (folder / MARKER).write_bytes(marker)


def damage(remote: RemoteFolder, place: str, marker: bytes) -> list[str]:
    """Files of a folder at a URL that are not what its marker says; each is read.

    Raises:
        StoreError: the provider does not answer.
    """
    try:
        files = files_in(marker)
    except CorruptObjectError as error:
        return [str(error)]
    return [name for name, known in files.items() if remote.measure(f"{place}/{known[1]}") != known]


def each(act: Callable[[T], object], items: Iterable[T]) -> None:
    """Do something with every item, several at a time; the first error ends it."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [pool.submit(act, item) for item in items]
        try:
            for item in waiting:
                item.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
