"""A folder at a URL whose files keep their names, such as a run's, and its copy on this machine.

A list of all files with their digests lies beside them and is written last, so that a folder
whose writing broke off is told from a whole one. A folder without a list, which somebody copied
there, is fetched as it is.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from skinbench.errors import CorruptObjectError, StoreError, UsageError
from skinbench.store.files import file_digest, read_json, write_json
from skinbench.store.locks import alone_in
from skinbench.store.objects import STORE_SCHEMA_VERSION
from skinbench.store.remote import RemoteFolder
from skinbench.store.shared import PATIENCE, copies_of
from skinbench.store.transfer import Files, confined, each, files_in
from skinbench.store.urls import checked_url, split_url

LIST = ".files.json"
Progress = Callable[[str, int, int], None]


def brought(url: str, progress: Progress | None = None) -> Path:
    """A file or folder at a URL, as it is there now, on this machine.

    Args:
        url: of data, weights or tables.
        progress: called with ("fetching", files done, files), where there are any.

    Raises:
        UsageError: there is nothing, or it is no such URL.
        StoreError: it cannot be read there, or written here.
    """
    folder, name = split_url(checked_url(url))
    path = Mirror(folder).fetch_file(name) if is_file_name(name) else None
    return path or Mirror(url).fetch(progress)


def is_file_name(name: str) -> bool:
    """Whether a name may be that of a file: data sets are folders, whose names have no dot."""
    return "." in name


class Mirror:
    """A folder at a URL, and its copy.

    Args:
        url: of the folder.

    Raises:
        UsageError: it is no such URL, or a secret stands in it.
    """

    def __init__(self, url: str) -> None:
        self._remote = RemoteFolder(url)
        self.url = self._remote.url
        # Named as there, since reports call a run by its folder's name.
        self.folder = copies_of(self.url) / (split_url(self.url)[1] or "folder")
        self._note = self.folder.with_name(f"{self.folder.name}.json")

    def check(self) -> None:
        """Write, read and remove a small file at the URL.

        Raises:
            StoreError: one of these fails.
        """
        self._remote.check()

    def fetch(self, progress: Progress | None = None) -> Path:
        """Make the copy what is at the URL; the folder of the copy.

        Args:
            progress: called with ("fetching", files done, files), where there are any.

        Raises:
            UsageError: nothing is there.
            CorruptObjectError: its writing has not ended, or broke off.
            StoreError: it cannot be read there, or written here.
        """
        with alone_in(self.folder, PATIENCE):
            listed = self._remote.read(LIST)
            if listed is None:
                self._fetch_unlisted(progress)
            else:
                self._fetch_listed(listed, progress)
        return self.folder

    def fetch_file(self, name: str) -> Path | None:
        """One file of the folder, on this machine; None where there is no such file.

        Raises:
            StoreError: it cannot be read there, or written here.
        """
        note = self.folder.with_name(f"{self.folder.name}.{name}.json")
        with alone_in(self.folder, PATIENCE):
            found = self._remote.look(name)
            if found is None:
                return None
            stamp = {"stamp": [found.bytes, found.changed]}
            path = self.folder / name
            if not (path.is_file() and note.is_file() and read_json(note) == stamp):
                self._take({name: None}, None)
                write_json(note, stamp)
        return path

    def resume(self) -> Path:
        """The copy to go on from: as at the URL, unless this machine was the last to write there.

        Raises:
            StoreError: it cannot be read there, or written here.
        """
        with alone_in(self.folder, PATIENCE):
            listed = self._remote.read(LIST)
            known = self._note.read_bytes() if self._note.is_file() else None
            if listed is not None and listed != known:
                try:
                    self._fetch_listed(listed, None)
                except CorruptObjectError:
                    return self.folder  # what is there broke off; it is about to be written anew
        return self.folder

    def send(self) -> None:
        """Make what is at the URL the copy; files there that were never sent stay.

        Raises:
            StoreError: it cannot be written; the copy stays, and can be sent again.
        """
        with alone_in(self.folder, PATIENCE):
            files = _measured(self.folder)
            before = self._listed_before()
            there = self._remote.files()
            new = [name for name in files if before.get(name) != files[name] or name not in there]
            each(lambda name: self._remote.upload(self.folder / name, name), new)
            entries = {name: {"bytes": s, "sha256": digest} for name, (s, digest) in files.items()}
            marker = {"schema": STORE_SCHEMA_VERSION, "files": entries}
            content = (json.dumps(marker, indent=1) + "\n").encode()
            self._remote.write(LIST, content)
            each(self._remote.remove, [name for name in before if name not in files])
            self._write_note(content)

    def _listed_before(self) -> Files:
        try:
            return files_in(self._remote.read(LIST) or b"")
        except CorruptObjectError:
            return {}

    def _write_note(self, listed: bytes) -> None:
        try:
            self._note.write_bytes(listed)
        except OSError as error:
            raise StoreError(f"cannot write {self._note}: {error.strerror or error}") from error

    def _fetch_listed(self, listed: bytes, progress: Progress | None) -> None:
        files, here = files_in(listed), _measured(self.folder)
        try:
            self._take(
                {name: known for name, known in files.items() if here.get(name) != known}, progress
            )
        except CorruptObjectError as error:
            raise CorruptObjectError(
                f"{self.url} is not whole: {error}; the run that writes it has not ended, or was "
                f"cut off: run it again"
            ) from error
        self._remove(name for name in here if name not in files)
        self._write_note(listed)

    def _fetch_unlisted(self, progress: Progress | None) -> None:
        found = self._remote.files()
        if not found:
            raise UsageError(f"there is nothing at {self.url}")
        for name in found:
            confined(name)
        stamps = {name: [file.bytes, file.changed] for name, file in found.items()}
        known = read_json(self._note).get("stamps", {}) if self._note.is_file() else {}
        here = set(_names(self.folder))
        self._take({n: None for n in found if n not in here or known.get(n) != stamps[n]}, progress)
        self._remove(here - set(found))
        write_json(self._note, {"stamps": stamps})

    def _take(
        self,
        wanted: dict[str, tuple[int, str]] | dict[str, None],
        progress: Progress | None,
    ) -> None:
        """Bring files here, each under another name until it is whole."""
        done: list[str] = []
        counting = threading.Lock()

        def take(item: tuple[str, tuple[int, str] | None]) -> None:
            name, known = item
            path = self.folder / name
            part = path.with_name(f".{path.name}.part")
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._remote.download(name, part, known)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
            with counting:
                done.append(name)
                if progress is not None:
                    progress("fetching", len(done), len(wanted))

        try:
            each(take, list(wanted.items()))
        except OSError as error:
            raise StoreError(f"cannot write {self.folder}: {error.strerror or error}") from error

    def _remove(self, names: Iterable[str]) -> None:
        for name in names:
            (self.folder / name).unlink(missing_ok=True)


def _names(folder: Path) -> list[str]:
    """Every file of a folder but those that are on their way."""
    found = (
        Path(top, name).relative_to(folder).as_posix()
        for top, _, names in os.walk(folder)
        for name in names
        if name != LIST and not name.endswith((".part", ".tmp"))
    )
    return sorted(found)


def _measured(folder: Path) -> Files:
    paths = {name: folder / name for name in _names(folder)}
    return {name: (path.stat().st_size, file_digest(path)) for name, path in paths.items()}
