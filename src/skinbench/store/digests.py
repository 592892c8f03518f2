"""Digests of files, remembered by path, size and time of change."""

from __future__ import annotations

import contextlib
from pathlib import Path

from pydantic import ValidationError

from skinbench.errors import StoreError
from skinbench.store.files import file_digest, read_json, write_json
from skinbench.store.plain import from_plain


class FileDigests:
    """sha256 of many files, remembered by (path, size, mtime).

    Args:
        root: of the store; what is remembered is in `digests/<name>.json`.
        name: of the file.
    """

    def __init__(self, root: Path, name: str = "files") -> None:
        self._path = root / "digests" / f"{name}.json"
        self._known: dict[str, list[object]] = {}
        if self._path.exists():
            with contextlib.suppress(StoreError, ValidationError):
                self._known = from_plain(dict[str, list[object]], read_json(self._path))
        self._changed = False

    def lookup(self, path: Path) -> str | None:
        """The remembered digest, if the file has not changed since."""
        stat = path.stat()
        entry = self._known.get(str(path))
        if entry and entry[:2] == [stat.st_size, stat.st_mtime_ns]:
            return str(entry[2])
        return None

    def remember(self, path: Path, digest: str) -> None:
        """Keep a digest until `save`."""
        stat = path.stat()
        self._known[str(path)] = [stat.st_size, stat.st_mtime_ns, digest]
        self._changed = True

    def get(self, path: Path) -> str:
        """The digest, read from the file where it is not known; saved at once."""
        digest = self.lookup(path)
        if digest is None:
            digest = file_digest(path)
            self.remember(path, digest)
            self.save()
        return digest

    def save(self) -> None:
        """Write what was remembered."""
        if self._changed:
            write_json(self._path, self._known)
            self._changed = False
