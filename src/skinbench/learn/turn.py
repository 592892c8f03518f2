"""Whose turn it is to train a fit that several runs of one machine need at the same time."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator

from skinbench.errors import BusyError
from skinbench.learn.checkpoint import checkpoint_path
from skinbench.store import Store, alone_in

PATIENCE = 900.0
"""Seconds without a new epoch after which a process that holds a fit is not waited for any more."""
LOOK = 5.0
"""Seconds between two looks at how far it is."""


@contextlib.contextmanager
def turn_at(fit_id: str, store: Store) -> Iterator[None]:
    """Train a fit alone; who had to wait for its turn finds the fit in the store, as a rule.

    Nothing depends on it: of two that train the same fit, on two machines or where a folder has no
    locks, one publishes and the other takes that over.

    Raises:
        StoreError: the store's folder cannot be opened.
    """
    lock = store.root / "locks" / f"train.{fit_id}"
    with contextlib.ExitStack() as held:
        seen, moved = _epoch(fit_id, store), time.monotonic()
        while time.monotonic() < moved + PATIENCE:
            try:
                held.enter_context(alone_in(lock, LOOK))
            except BusyError:
                if (now := _epoch(fit_id, store)) != seen:
                    seen, moved = now, time.monotonic()
                continue
            held.callback(shutil.rmtree, lock, ignore_errors=True)
            break
        yield


def _epoch(fit_id: str, store: Store) -> int:
    """Changes with every epoch that is kept."""
    try:
        return checkpoint_path(store, fit_id).stat().st_mtime_ns
    except OSError:
        return 0
