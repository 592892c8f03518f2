"""A store at a URL, with copies on each machine of what was read or made there.

What is at the URL counts; every machine has a folder in front of it, from which memory maps are
read and in which locks are held. An object comes to a machine once, when it is opened first, and
is made sure to be what was written; one that is made here goes up before anyone is told of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import platformdirs

from skinbench.errors import CorruptObjectError, StoreError
from skinbench.store.files import replacing
from skinbench.store.locks import alone_in
from skinbench.store.objects import (
    KINDS,
    MARKER,
    STORE_SCHEMA_VERSION,
    Store,
    StoredObject,
    default_place,
    described,
)
from skinbench.store.remote import RemoteFolder
from skinbench.store.transfer import damage, fetch, files_in, send
from skinbench.store.urls import is_url

COPIES = "SKINBENCH_STORE_CACHE"
"""Environment variable with the folder of this machine for copies of what is at URLs."""
DRAWN = frozenset({"datasets"})
"""Kinds that stay on the machine: a program draws them again sooner than they travel."""
PATIENCE = 3600.0
"""Seconds to wait for another process of this machine that fetches the same object."""
SELDOM = 10.0
"""Seconds between two uploads of one fit's checkpoint, however short its epochs."""
_OBJECTS, _UNFINISHED, _SHARED = "objects", "unfinished", ".shared.json"


def open_store(place: str | Path | None = None) -> Store:
    """The store at a path or a URL, the same for all who name it so.

    Args:
        place: None: SKINBENCH_STORE, else the user's cache folder.

    Raises:
        UsageError: a URL that cannot be one of a store.
    """
    named = default_place() if place is None else str(place)
    return SharedStore(named) if is_url(named) else Store(Path(named))


def default_store_path() -> Path:
    """The folder of this machine that belongs to the store of SKINBENCH_STORE."""
    return open_store().root


def copies_of(url: str) -> Path:
    """The folder of this machine for copies of what is at a URL."""
    base = os.environ.get(COPIES) or Path(platformdirs.user_cache_dir("skinbench")) / "copies"
    words = re.sub(r"[^A-Za-z0-9.]+", "-", url.partition("://")[2].partition("?")[0]).strip("-.")
    return Path(base) / f"{words[:60]}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


class SharedStore(Store):
    """Objects at a URL, with copies in a folder of this machine.

    Args:
        url: of a folder, e.g. `s3://bucket/skinbench`.

    Raises:
        UsageError: it is no such URL, or a secret stands in it.
    """

    def __init__(self, url: str) -> None:
        self._remote = RemoteFolder(url)
        super().__init__(copies_of(self._remote.url))
        self._there: set[tuple[str, str]] = set()
        self._kept: dict[tuple[str, str], float] = {}

    @property
    def place(self) -> str:
        """The URL."""
        return self._remote.url

    def check(self) -> None:
        """Write, read and remove a small file at the URL.

        Raises:
            StoreError: one of these fails.
        """
        self._remote.check()
        self.root.mkdir(parents=True, exist_ok=True)

    def has(self, kind: str, name: str) -> bool:
        """Whether the object is at the URL, or is here and could be sent there now.

        Raises:
            StoreError: the URL cannot be read, or an upload that broke off fails again.
        """
        if kind in DRAWN:
            return self.is_here(kind, name)
        if (kind, name) not in self._there:
            if self._marker(kind, name) is None:
                if not self.is_here(kind, name):
                    return False
                self._send(kind, name)
            self._there.add((kind, name))
        return True

    def open(self, kind: str, name: str) -> Path:
        """Folder of a complete object on this machine, fetched if it is not here.

        Raises:
            CorruptObjectError: it does not exist, or is damaged at the URL.
            StoreError: it cannot be fetched.
        """
        if not self.is_here(kind, name) and kind not in DRAWN:
            self._fetch(kind, name)
        return super().open(kind, name)

    def publish(self, kind: str, name: str, write: Callable[[Path], None]) -> Path:
        """Make an object here and send it, unless it exists; `write` fills a temporary folder.

        Raises:
            CorruptObjectError: it exists at the URL, and is damaged there.
            StoreError: it cannot be written here or there; here it stays, to be sent next time.
        """
        if self.has(kind, name):
            return self.open(kind, name)
        made = super().publish(kind, name, write)
        if kind not in DRAWN and self._marker(kind, name) is None:  # nobody was faster
            self._send(kind, name)
        self._there.add((kind, name))
        return made

    def lend(self, kind: str, name: str, path: Path) -> None:
        """Keep a copy of a file of this machine at the URL.

        Raises:
            StoreError: it cannot be written there.
        """
        self.publish(kind, name, lambda folder: _copy(path, folder / f"file{path.suffix}"))

    def _marker(self, kind: str, name: str) -> bytes | None:
        return self._remote.read(f"{_OBJECTS}/{kind}/{name}/{MARKER}")

    def _send(self, kind: str, name: str) -> None:
        folder = self.path(kind, name)
        send(self._remote, f"{_OBJECTS}/{kind}/{name}", folder, (folder / MARKER).read_bytes())

    def _fetch(self, kind: str, name: str) -> None:
        """Bring an object here, once, whoever of this machine asks for it at the same time."""
        lock = self.root / "locks" / f"{kind}.{name}"
        with alone_in(lock, PATIENCE):
            if self.is_here(kind, name):
                return
            try:
                self._fetch_alone(kind, name)
            except CorruptObjectError as error:
                raise CorruptObjectError(
                    f"{kind}/{name} in {self.place} is damaged: {error}; remove what is damaged "
                    f"with `skinbench cache verify --remove`, then run the suite again"
                ) from error
            shutil.rmtree(lock, ignore_errors=True)  # who waits for it finds the object

    def _fetch_alone(self, kind: str, name: str) -> None:
        for last in (False, True):
            marker = self._marker(kind, name)
            if marker is None:
                return  # `open` says that it does not exist
            take = partial(fetch, self._remote, f"{_OBJECTS}/{kind}/{name}", marker=marker)
            try:
                self._make(kind, name, take)
            except CorruptObjectError:
                if last:  # once may be a bad copy, or an object that was just replaced
                    raise
            else:
                return

    # --- all objects ---------------------------------------------------------------------

    def names(self, kind: str, holding: str = MARKER) -> list[str]:
        """Names of all objects of a kind at the URL that have a file, sorted."""
        if kind in DRAWN:
            return super().names(kind, holding)
        listed = self._remote.files(f"{_OBJECTS}/{kind}")
        found = sorted(name.partition("/")[0] for name in listed if name.endswith(f"/{MARKER}"))
        return [name for name in found if holding == MARKER or self._holds(kind, name, holding)]

    def _holds(self, kind: str, name: str, file: str) -> bool:
        try:
            return file in files_in(self._marker(kind, name) or b"")
        except CorruptObjectError:
            return False

    def objects(self) -> list[StoredObject]:
        """Every object at the URL, by kind and name."""
        sizes: dict[tuple[str, str], int] = {}
        created: dict[tuple[str, str], float] = {}
        for path, file in self._remote.files(_OBJECTS).items():
            kind, name, last = [*path.split("/", 2), "", ""][:3]
            if kind not in KINDS:  # of a later version
                continue
            sizes[kind, name] = sizes.get((kind, name), 0) + file.bytes
            if last == MARKER:
                created[kind, name] = file.changed
        return [
            StoredObject(kind=kind, name=name, bytes=sizes[kind, name], created=created[kind, name])
            for kind, name in sorted(created, key=lambda each: (KINDS.index(each[0]), each[1]))
        ]

    def verify(self, *, remove: bool = False) -> list[str]:
        """Read every object at the URL, and every copy here; one line for each that is damaged."""
        problems = []
        for item in self.objects():
            place = f"{_OBJECTS}/{item.kind}/{item.name}"
            bad = damage(self._remote, place, self._marker(item.kind, item.name) or b"")
            if bad:
                problems.append(f"{item.kind}/{item.name}: damaged: {', '.join(bad)}")
                if remove:
                    self._remote.remove_below(place)
        here = super().verify(remove=remove)
        return [*problems, *(f"copy on this machine: {line}" for line in here)]

    def clear(self, kinds: tuple[str, ...] = KINDS) -> int:
        """Remove all objects of these kinds, at the URL and here; the bytes freed there."""
        freed = sum(item.bytes for item in self.objects() if item.kind in kinds)
        for kind in kinds:
            self._remote.remove_below(f"{_OBJECTS}/{kind}")
            self._remote.remove_below(f"{_UNFINISHED}/{kind}")
        super().clear(kinds)
        self._there.clear()
        return freed

    # --- what unfinished objects keep ------------------------------------------------------

    def keep_work(self, kind: str, name: str) -> None:
        """Send what an unfinished object keeps here, unless that was done a moment ago.

        Raises:
            StoreError: it cannot be sent.
        """
        now, before = time.monotonic(), self._kept.get((kind, name))
        if before is not None and now - before < SELDOM:
            return
        folder, place = self.work_path(kind, name), f"{_UNFINISHED}/{kind}/{name}"
        shared = folder / _SHARED
        files = {key: value for key, value in described(folder).items() if key != _SHARED}
        marker = json.dumps({"schema": STORE_SCHEMA_VERSION, "files": files}).encode()
        send(self._remote, place, folder, marker)
        if shared.is_file():
            kept = {digest for _, digest in files_in(marker).values()}
            for _, digest in files_in(shared.read_bytes()).values():
                if digest not in kept:
                    self._remote.remove(f"{place}/{digest}")
        with replacing(shared) as temporary:
            temporary.write_bytes(marker)
        self._kept[kind, name] = time.monotonic()

    def find_work(self, kind: str, name: str) -> None:
        """Bring what another machine has kept since this one last did; nothing where it is broken.

        Raises:
            StoreError: the URL cannot be read.
        """
        folder, place = self.work_path(kind, name), f"{_UNFINISHED}/{kind}/{name}"
        marker = self._remote.read(f"{place}/{MARKER}")
        shared = folder / _SHARED
        if marker is None or (shared.is_file() and shared.read_bytes() == marker):
            return
        fresh = folder.with_name(f".{name}.{os.getpid()}")
        try:
            fresh.mkdir(parents=True, exist_ok=True)
            fetch(self._remote, place, fresh, marker)
            (fresh / MARKER).rename(fresh / _SHARED)
            shutil.rmtree(folder, ignore_errors=True)
            fresh.rename(folder)
        except CorruptObjectError:
            return  # another machine is at work on it, or was killed: it begins again
        except OSError as error:
            raise StoreError(f"cannot write {folder}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def drop_work(self, kind: str, name: str) -> None:
        """Forget what an unfinished object kept, here and at the URL."""
        super().drop_work(kind, name)
        self._remote.remove_below(f"{_UNFINISHED}/{kind}/{name}")


def _copy(path: Path, target: Path) -> None:
    shutil.copyfile(path, target)
