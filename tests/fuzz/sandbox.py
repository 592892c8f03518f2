"""What a reader does besides reading: files it writes outside a folder, programs, objects."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skinbench.errors import SkinbenchError

SLOW = 1.0
"""Seconds of this process's own work on one input."""
_CHANGES = {
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "os.utime",
    "shutil.rmtree",
    "shutil.move",
}
_TWO_NAMES = {"os.rename", "os.link", "os.symlink"}
_NEVER = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "pickle.", "socket.connect")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_inside: Path | None = None
"""Where writing is allowed; None while nothing is watched."""
_seen: list[str] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _inside is None:
        return
    if event.startswith(_NEVER):
        _seen.append(f"{event} {arguments}")
        return
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
    if writes or event in _CHANGES:
        named = arguments[:2] if event in _TWO_NAMES else arguments[:1]
        for name in named:
            if isinstance(name, str | bytes | os.PathLike):
                place = _place(os.fsdecode(name), arguments[-1])
                if not place.is_relative_to(_inside):
                    _seen.append(f"{event} {place}")


def _place(name: str, near: object) -> Path:
    """The path that a call means, from the folder that it names by number if it does."""
    start = Path(f"/proc/self/fd/{near}") if isinstance(near, int) and near > 2 else Path()
    real = start.resolve() if start.exists() else Path.cwd()
    return Path(os.path.normpath(real / name))


_hooked = False


@contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Fail where the block writes outside `folder`, starts a program or unpickles anything."""
    global _hooked, _inside
    if not _hooked:
        sys.addaudithook(_hook)  # for the life of the process, silent outside such a block
        _hooked = True
    _seen.clear()
    _inside = folder.resolve()
    try:
        yield
    finally:
        _inside = None
    assert not _seen, _seen[:3]


def survives(read: object, *arguments: object, folder: Path) -> str:
    """Call a reader on a stranger's input; the line of its refusal, empty where it reads it.

    Whatever it says, it says as one of the project's errors, on one line, soon.
    """
    assert callable(read)
    said, began = "", time.process_time()
    with watched(folder):
        try:
            read(*arguments)
        except SkinbenchError as error:
            said = str(error)
            assert said, "says nothing"
            assert "\n" not in said
    assert time.process_time() - began < SLOW
    return said


def empty_folder(parent: Path) -> Path:
    """A folder of its own for one input."""
    return Path(tempfile.mkdtemp(dir=parent))
