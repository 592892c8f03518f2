"""A shared folder that does not answer for a while: work waits for it and goes on."""

from __future__ import annotations

import contextlib
import errno
import time
import uuid
from collections.abc import Callable, Iterator
from typing import TypeVar

from skinbench.errors import CorruptObjectError, SkinbenchError, StoreError
from skinbench.store.objects import Store

T = TypeVar("T")

PATIENCE = 180.0
"""Seconds that an outage may last: twice the grace period of a restarted NFS server."""
PAUSE = 2.0
"""Seconds between two tries."""
_NAMES = (
    "EIO ESTALE ENOTCONN ESHUTDOWN ETIMEDOUT EHOSTDOWN EHOSTUNREACH ENETDOWN ENETUNREACH "
    "ECONNRESET ECONNREFUSED ECONNABORTED EREMOTEIO ENODEV ENXIO EAGAIN"
)
PASSING = frozenset(getattr(errno, name) for name in _NAMES.split() if hasattr(errno, name))
"""What a file system says that may be back soon. A full disk, a read-only one and a missing
permission are none of these: they want somebody to do something."""


def is_outage(error: BaseException, store: Store) -> bool:
    """Whether an error is the store's folder not answering, and no fault of what was done."""
    causes = [one for one in _chain(error) if isinstance(one, OSError)]
    if any(cause.errno in PASSING for cause in causes):
        return True
    absent = any(cause.errno == errno.ENOENT for cause in causes)
    return (absent or isinstance(error, CorruptObjectError)) and not answers(store)


def answers(store: Store) -> bool:
    """Whether the store's folder is there and takes a file; one that is full or read-only does."""
    probe = store.root / f".probe.{uuid.uuid4().hex[:8]}"
    try:
        probe.touch()
    except OSError as error:
        return error.errno not in PASSING and error.errno != errno.ENOENT
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return True


def ride_out(work: Callable[[], T], store: Store, tell: Callable[[str], None]) -> T:
    """What the work gives; as long as the store does not answer, it is tried again.

    Args:
        work: may be begun again at any point, and goes on from what it left.
        store: what it reads and writes.
        tell: hears once of each outage, in one line.

    Raises:
        StoreError: an outage lasts longer than `PATIENCE` seconds.
    """
    began = last = float("-inf")
    while True:
        try:
            return work()
        except (SkinbenchError, OSError) as error:
            if not is_outage(error, store):
                raise
            now = time.monotonic()
            if now - last > PATIENCE:
                began = now
                tell(f"{error}; waiting for {store.place} for up to {PATIENCE:.0f} s")
            elif now - began > PATIENCE:
                message = f"{store.place} has not answered for {PATIENCE:.0f} s: {error}"
                raise StoreError(message) from error
            last = now
            time.sleep(PAUSE)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
