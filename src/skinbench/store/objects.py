"""The shared store: immutable objects by kind and content name, marker last.

Objects of the store are immutable and named by content. Each is written under a temporary
name and renamed into place with its marker (sizes and digests of its files) inside, so an
object either is whole or does not exist; a lost race between two writers is harmless.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from skinbench.errors import CorruptObjectError, StoreError
from skinbench.store.digests import FileDigests
from skinbench.store.files import file_digest, write_json

MARKER = "complete.json"
STORE_SCHEMA_VERSION = 1
KINDS = (
    "manifests",
    "splits",
    "pixels",
    "masks",
    "lesion_sizes",
    "features",
    "fits",
    "searches",
    "predictions",
    "datasets",
    "duplicates",
    "recognition",
    "weights",
)


def default_place() -> str:
    """SKINBENCH_STORE, a path or a URL, else the user's cache folder."""
    return os.environ.get("SKINBENCH_STORE") or platformdirs.user_cache_dir("skinbench")


@dataclass(frozen=True, kw_only=True)
class StoredObject:
    """One line of `skinbench cache list`."""

    kind: str
    name: str
    bytes: int
    created: float
    """Seconds since the epoch."""


class Store:
    """Objects by kind and content name, shared by runs and users.

    Args:
        root: folder of the store; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()

    @property
    def place(self) -> str:
        """What `open_store` opens this store by, also on another machine that sees it."""
        return str(self.root)

    def path(self, kind: str, name: str) -> Path:
        """Folder of an object, whether it exists or not."""
        return self.root / kind / name

    def work_path(self, kind: str, name: str) -> Path:
        """Folder for what an unfinished object keeps between attempts (epoch checkpoints)."""
        return self.root / "work" / kind / name

    def has(self, kind: str, name: str) -> bool:
        """Whether the object is complete: its marker lists every file with its right size."""
        return self.is_here(kind, name)

    def is_here(self, kind: str, name: str) -> bool:
        """Whether the object is complete on this machine."""
        folder = self.path(kind, name)
        try:
            marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
            return bool(marker["schema"] == STORE_SCHEMA_VERSION) and all(
                (folder / file).stat().st_size == entry["bytes"]
                for file, entry in marker["files"].items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def open(self, kind: str, name: str) -> Path:
        """Folder of a complete object.

        Raises:
            CorruptObjectError: it is absent, or a file is missing or has the wrong size.
        """
        if not self.is_here(kind, name):
            state = "is damaged" if self.path(kind, name).exists() else "does not exist"
            raise CorruptObjectError(
                f"{kind}/{name} {state} in {self.root}; "
                f"run `skinbench cache verify`, then the suite again"
            )
        return self.path(kind, name)

    def publish(self, kind: str, name: str, write: Callable[[Path], None]) -> Path:
        """Make an object unless it exists: `write` fills a temporary folder.

        A damaged object of that name is replaced. The loser of a race discards its copy.

        Raises:
            StoreError: the disk is full or read-only; no half object is left.
        """
        if self.is_here(kind, name):
            return self.path(kind, name)

        def complete(folder: Path) -> None:
            write(folder)
            write_marker(folder)

        return self._make(kind, name, complete)

    def check(self) -> None:
        """Find out before a long run whether the store can be used.

        Raises:
            StoreError: it is elsewhere, and cannot be written.
        """

    def lend(self, kind: str, name: str, path: Path) -> None:
        """Let machines that do not see a file of this one have it from the store."""

    def lent(self, kind: str, name: str) -> Path | None:
        """A file that a machine has lent; None where none has."""
        if not self.has(kind, name):
            return None
        folder = self.open(kind, name)
        return next(path for path in sorted(folder.iterdir()) if path.name != MARKER)

    def keep_work(self, kind: str, name: str) -> None:
        """Let other machines go on from what `work_path` holds now, where they see the store."""

    def find_work(self, kind: str, name: str) -> None:
        """Bring what another machine has kept of an unfinished object to `work_path`."""

    def drop_work(self, kind: str, name: str) -> None:
        """Forget what an unfinished object kept."""
        shutil.rmtree(self.work_path(kind, name), ignore_errors=True)

    def _make(self, kind: str, name: str, fill: Callable[[Path], None]) -> Path:
        """Put an object in place whose files, the marker too, `fill` writes."""
        final = self.path(kind, name)
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            # Not by tempfile, whose folders are for one user alone: the store is shared.
            temporary = final.with_name(f".{name}.{uuid.uuid4().hex[:8]}")
            temporary.mkdir()
        except OSError as error:
            raise StoreError(f"cannot write to {self.root}: {error.strerror or error}") from error
        try:
            fill(temporary)
            self._move_into_place(temporary, final)
        except OSError as error:
            raise StoreError(f"cannot write {final}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return final

    def _move_into_place(self, temporary: Path, final: Path) -> None:
        """Rename; what is damaged in its place goes first. Others may be doing the same."""
        for attempt in range(10):
            try:
                temporary.rename(final)
            except OSError:
                if self.is_here(final.parent.name, final.name):
                    return  # another writer won
                if attempt == 9:
                    raise
                aside = final.with_name(f".{final.name}.damaged.{uuid.uuid4().hex[:8]}")
                with contextlib.suppress(OSError):
                    final.rename(aside)
                    shutil.rmtree(aside, ignore_errors=True)
            else:
                return

    def names(self, kind: str, holding: str = MARKER) -> list[str]:
        """Names of all objects of a kind that have a marker, sorted.

        Args:
            kind: one of KINDS.
            holding: only those that have this file.
        """
        return self._names_here(kind, holding)

    def _names_here(self, kind: str, holding: str = MARKER) -> list[str]:
        found = sorted(path.parent.name for path in (self.root / kind).glob(f"[!.]*/{MARKER}"))
        return [name for name in found if (self.path(kind, name) / holding).is_file()]

    def objects(self) -> list[StoredObject]:
        """Every object with a marker, by kind and name."""
        return self.copies()

    def copies(self) -> list[StoredObject]:
        """Every object that lies on this machine, by kind and name."""
        found = []
        for kind in KINDS:
            for name in self._names_here(kind):
                folder = self.path(kind, name)
                size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
                created = (folder / MARKER).stat().st_mtime
                found.append(StoredObject(kind=kind, name=name, bytes=size, created=created))
        return found

    def verify(self, *, remove: bool = False) -> list[str]:
        """Read every object against its digests; one line for each that is damaged.

        Args:
            remove: the damaged ones, so that the next run makes them again.
        """
        problems = []
        for kind in KINDS:
            for folder in sorted((self.root / kind).glob("[!.]*")):
                bad = _damage(folder)
                if bad:
                    problems.append(f"{kind}/{folder.name}: damaged: {', '.join(bad)}")
                    if remove:
                        shutil.rmtree(folder, ignore_errors=True)
        return problems

    def clear(self, kinds: tuple[str, ...] = KINDS) -> int:
        """Remove all objects of these kinds and everything unfinished; the bytes freed."""
        before = sum(item.bytes for item in self.copies() if item.kind in kinds)
        for kind in kinds:
            shutil.rmtree(self.root / kind, ignore_errors=True)
            shutil.rmtree(self.root / "work" / kind, ignore_errors=True)
        return before

    def digest_of(self, path: Path) -> str:
        """sha256 of a file, remembered by its path, size and time of change."""
        return FileDigests(self.root).get(path)

    def digests_of(self, paths: Sequence[Path], name: str) -> list[str]:
        """sha256 of many files, remembered together under a name."""
        known = FileDigests(self.root, name)
        found = []
        for path in paths:
            digest = known.lookup(path)
            if digest is None:
                digest = file_digest(path)
                known.remember(path, digest)
            found.append(digest)
        known.save()
        return found


def _damage(folder: Path) -> list[str]:
    """Files of an object that are not what its marker says."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        if marker["schema"] != STORE_SCHEMA_VERSION:
            return [f"{MARKER}: schema {marker['schema']}, not {STORE_SCHEMA_VERSION}"]
        files = marker["files"].items()
        return [name for name, entry in files if not _matches(folder / name, entry)]
    except OSError as error:
        return [f"{MARKER}: {error.strerror or error}"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [f"{MARKER}: cannot be read"]


def _matches(path: Path, entry: Mapping[str, object]) -> bool:
    return path.is_file() and file_digest(path) == entry["sha256"]


def described(folder: Path) -> dict[str, dict[str, object]]:
    """Bytes and sha256 of every file of a folder, which is made sure to be on the disk."""
    files: dict[str, dict[str, object]] = {}
    for path in sorted(item for item in folder.rglob("*") if item.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        name = path.relative_to(folder).as_posix()
        files[name] = {"bytes": path.stat().st_size, "sha256": file_digest(path)}
    return files


def write_marker(folder: Path) -> None:
    """Say in a folder what it holds."""
    files = described(folder)
    marker = {"schema": STORE_SCHEMA_VERSION, "files": files, "created": round(time.time())}
    write_json(folder / MARKER, marker)
