"""One process at a time in a folder, for as long as a block takes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skinbench.errors import BusyError, StoreError

_PAUSE = 0.02
"""Seconds between two tries."""


@contextmanager
def alone_in(folder: Path, patience: float = 10.0) -> Iterator[None]:
    """Hold a folder's lock; it goes with its process, however that ends, and leaves no file.

    Where there are no locks (Windows, some network file systems) nothing is held.

    Args:
        folder: made where there is none.
        patience: seconds to wait for another process.

    Raises:
        BusyError: another process held it all that time.
        StoreError: the folder cannot be opened.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StoreError(f"cannot open {folder}: {error.strerror or error}") from error
    try:
        end = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= end:
                    raise BusyError(f"another process is at work in {folder}") from error
                time.sleep(_PAUSE)
                continue
            except OSError:  # a file system without locks
                pass
            break
        yield
    finally:
        os.close(handle)
