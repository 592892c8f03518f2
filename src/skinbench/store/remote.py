"""A folder at a URL: whole files go up and come down, each tried again when a connection breaks."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar

from skinbench.errors import CorruptObjectError, SkinbenchError, StoreError, counted
from skinbench.store.urls import checked_url, joined, open_url, reason_of

T = TypeVar("T")
PAUSES: tuple[float, ...] = (1, 2, 4, 8, 16)
"""Seconds between the tries of one file: together they outlast half a minute without answer."""
CHUNK = 32 << 20
"""Bytes in memory at a time; each is a request where a file comes down."""


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file at a URL."""

    bytes: int
    changed: float
    """Seconds since the epoch; 0 where it is not known."""


class RemoteFolder:
    """A folder at a URL. Nothing is opened before it is used.

    Args:
        url: e.g. `s3://bucket/skinbench`.

    Raises:
        UsageError: it is no URL of a folder.
    """

    def __init__(self, url: str) -> None:
        self.url = checked_url(url)
        self._opened: tuple[Any, str] | None = None

    def read(self, name: str) -> bytes | None:
        """A small file; None where there is none.

        Raises:
            StoreError: it cannot be read.
        """

        def act(system: Any, base: str) -> bytes:
            with system.open_input_stream(f"{base}/{name}") as stream:
                return bytes(stream.read())

        try:
            return self._tried("read", name, act)
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Put a small file in place of what was there.

        Raises:
            StoreError: it cannot be written.
        """
        self._put(name, lambda stream: stream.write(content))

    def upload(self, path: Path, name: str) -> None:
        """Put a file of this machine in place of what was there.

        Raises:
            StoreError: it cannot be read here, or written there.
        """

        def fill(stream: Any) -> None:
            with path.open("rb") as file:
                while content := file.read(CHUNK):
                    stream.write(content)

        self._put(name, fill)

    def download(self, name: str, path: Path, expected: tuple[int, str] | None = None) -> None:
        """Bring a file to this machine, into a folder that exists.

        Args:
            name: of the file there.
            path: of the file here; what a broken try leaves is overwritten.
            expected: its bytes and sha256.

        Raises:
            CorruptObjectError: it is not there, or is another one than expected.
            StoreError: it cannot be read there, or written here.
        """
        found = self._take(name, path)
        if found is None:
            raise CorruptObjectError(f"{joined(self.url, name)} is not there")
        if expected is not None and found != expected:
            raise CorruptObjectError(f"{joined(self.url, name)} is not the file that was written")

    def measure(self, name: str) -> tuple[int, str] | None:
        """Bytes and sha256 of a file, read whole; None where there is none.

        Raises:
            StoreError: it cannot be read.
        """
        return self._take(name, None)

    def look(self, name: str) -> RemoteFile | None:
        """What a file is; None where there is no such file.

        Raises:
            StoreError: the folder cannot be read.
        """

        def act(system: Any, base: str) -> RemoteFile | None:
            from pyarrow.fs import FileType

            info = system.get_file_info(f"{base}/{name}")
            return _file(info) if info.type == FileType.File else None

        try:
            return self._tried("read", name, act)
        except FileNotFoundError:
            return None

    def files(self, below: str = "") -> dict[str, RemoteFile]:
        """Every file below a name: its own name, from there on, to what it is.

        Raises:
            StoreError: the folder cannot be listed.
        """

        def act(system: Any, base: str) -> dict[str, RemoteFile]:
            from pyarrow.fs import FileSelector, FileType

            top = f"{base}/{below}".strip("/")
            root = top if not base.startswith("/") else f"/{top}"
            chosen = FileSelector(root, recursive=True, allow_not_found=True)
            found = {}
            for info in system.get_file_info(chosen):
                name = info.path.lstrip("/")[len(top) :].lstrip("/")
                if info.type == FileType.File and name:
                    found[name] = _file(info)
            return dict(sorted(found.items()))

        try:
            return self._tried("list", below, act)
        except FileNotFoundError:
            return {}

    def remove(self, name: str) -> None:
        """Remove a file, if it is there.

        Raises:
            StoreError: it cannot be removed.
        """
        self._gone(name, "delete_file")

    def remove_below(self, name: str) -> None:
        """Remove everything below a name.

        Raises:
            StoreError: it cannot be removed.
        """
        self._gone(name, "delete_dir")

    def check(self) -> None:
        """Write a small file there, read it, and remove it again.

        Raises:
            StoreError: one of these fails.
        """
        name, content = f".probe.{uuid.uuid4().hex[:8]}", b"skinbench"
        self.write(name, content)
        found = self.read(name)
        self.remove(name)
        if found != content:
            raise StoreError(f"{self.url} does not give back what is written to it")

    def _take(self, name: str, path: Path | None) -> tuple[int, str] | None:
        """Bytes and sha256 of a file, kept where there is a path for it; None where it is not."""
        try:
            return self._tried(
                "read", name, lambda system, base: _taken(system, f"{base}/{name}", path)
            )
        except FileNotFoundError:
            return None

    def _gone(self, name: str, how: Literal["delete_file", "delete_dir"]) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._tried("remove", name, lambda system, base: getattr(system, how)(f"{base}/{name}"))

    def _put(self, name: str, fill: Callable[[Any], object]) -> None:
        def act(system: Any, base: str) -> None:
            with _writing(system, f"{base}/{name}") as stream:
                fill(stream)

        try:
            self._tried("write", name, act)
        except FileNotFoundError as error:
            raise StoreError(f"cannot write {joined(self.url, name)}: {error}") from error

    def _tried(self, verb: str, name: str, act: Callable[[Any, str], T]) -> T:
        """Do it, again after a pause where that may help; at last one line about what is wrong."""
        for pause in (*PAUSES, None):
            try:
                if self._opened is None:
                    self._opened = open_url(self.url)
                return act(*self._opened)
            except (FileNotFoundError, SkinbenchError, TypeError, AttributeError):
                raise
            except Exception as error:  # fsspec lets through what each provider's client raises
                reason, may_help = reason_of(error, self.url)
                if pause is None or not may_help:
                    tries = f" ({counted(len(PAUSES) + 1, 'try', 'tries')})" if may_help else ""
                    where = joined(self.url, name) if name else self.url
                    message = f"cannot {verb} {where}: {reason}{tries}"
                    raise StoreError(message) from _no_answer(error) if may_help else error
                time.sleep(pause)
        raise AssertionError("unreachable")


def _file(info: Any) -> RemoteFile:
    changed = info.mtime.timestamp() if info.mtime else 0.0
    return RemoteFile(bytes=info.size, changed=changed)


def _no_answer(error: Exception) -> OSError:
    """An error that may pass, by the number that such errors have."""
    found = OSError(errno.ECONNRESET, str(error))
    found.__cause__ = error
    return found


def _taken(system: Any, name: str, path: Path | None) -> tuple[int, str]:
    """Bytes and sha256 of a file, which is kept where there is a path for it."""
    state, size = hashlib.sha256(), 0
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(system.open_input_stream(name))
        file = stack.enter_context(path.open("wb")) if path is not None else None
        while content := stream.read(CHUNK):
            state.update(content)
            size += len(content)
            if file is not None:
                file.write(content)
    return size, state.hexdigest()


@contextmanager
def _writing(system: Any, path: str) -> Iterator[Any]:
    """A stream whose file is in place when the block ends.

    Providers put a file in place in one step. A plain folder does not, so there it is renamed.
    """
    from pyarrow.fs import LocalFileSystem, PyFileSystem

    here = isinstance(system, LocalFileSystem)
    if here or isinstance(system, PyFileSystem):
        system.create_dir(str(PurePosixPath(path).parent), recursive=True)
    temporary = f"{path}.{uuid.uuid4().hex[:8]}.tmp" if here else path
    try:
        with system.open_output_stream(temporary) as stream:
            yield stream
        if here:
            system.move(temporary, path)
    except BaseException:
        if here:
            Path(temporary).unlink(missing_ok=True)
        raise
