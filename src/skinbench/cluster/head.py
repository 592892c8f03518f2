"""Ends a run with one line when the head of its cluster is gone, just before Ray would end it.

Ray's core waits a minute for a head that went away and then ends the process itself, with a line
about its own insides. What hangs in the core meanwhile cannot be interrupted: not by Ctrl-C, and
not by an exception. So a thread says what to do and ends the process in its place. That is as safe
as SIGKILL, after which a run continues from what is finished.
"""

from __future__ import annotations

import contextlib
import math
import os
import socket
import sys
import threading
import time
from collections.abc import Callable

from skinbench.errors import one_line

RAYS_PATIENCE = "RAY_gcs_rpc_server_reconnect_timeout_s"
"""Ray's own variable: seconds after which its core ends a process whose head does not answer."""
SHARE = 0.75
"""Of Ray's patience, 60 s unless told: a head that comes back earlier is waited for."""
PAUSE, ANSWER = 2.0, 2.0
"""Seconds between two looks, and for one answer."""


class HeadWatch:
    """A thread that looks whether anybody listens where the head's control store was.

    It opens a connection and sends nothing; of a busy head the kernel answers. A place that has
    never answered is one that cannot be reached from here, and says nothing.

    Args:
        place: HOST:PORT of the control store.
        end: called in the thread, once, when nobody has answered for too long.
    """

    def __init__(self, place: str, end: Callable[[], object]) -> None:
        host, _, port = place.rpartition(":")
        self._place, self._end = (host.strip("[]"), int(port)), end
        self._patience = SHARE * float(os.environ.get(RAYS_PATIENCE) or 60)
        self._heard, self._closed = math.inf, threading.Event()
        self._thread = threading.Thread(target=self._watch, name="head-watch", daemon=True)
        self._thread.start()

    def settle(self) -> None:
        """Return if the head answers, now or before the thread gives it up."""
        while self._heard < math.inf and self._thread.is_alive() and not self._answers():
            self._thread.join(PAUSE)

    def close(self) -> None:
        """Look no more; once this returns nothing is ended."""
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(PAUSE):
            if self._answers():
                self._heard = time.monotonic()
            elif time.monotonic() - self._heard > self._patience and not self._closed.is_set():
                self._end()
                return

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(self._place, ANSWER):
            return True
        return False


def gone(address: str) -> str:
    """What is said of a head that does not answer."""
    return one_line(
        f"the head of the Ray cluster at '{address}' does not answer any more; what is trained is "
        f"in the store, and the same command goes on from there on a cluster that answers"
    )


def end_process(line: str) -> None:
    """Print an error as the command does, and end the process with 1, whatever else it is at."""
    cursor = "\x1b[?25h\n" if sys.stdout.isatty() else ""  # a live table hides it
    for stream, text in ((sys.stdout, cursor), (sys.stderr, f"error: {line}\n")):
        with contextlib.suppress(OSError, ValueError):
            stream.write(text)
            stream.flush()
    os._exit(1)
