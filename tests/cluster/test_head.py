"""A head that is gone ends a run with one line; on a real Ray: tests/prove/nodes.py."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from skinbench.cluster import head
from skinbench.cluster.head import RAYS_PATIENCE, HeadWatch, gone

LONG = 60.0


class Port:
    """Something that listens on loopback, and counts who came."""

    def __init__(self) -> None:
        self.visits, self.visited = 0, threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.place = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._take, daemon=True)
        self.thread.start()

    def _take(self) -> None:
        while True:
            try:
                visitor, _ = self.listener.accept()
            except OSError:
                return
            visitor.close()
            with self.visited:
                self.visits += 1
                self.visited.notify_all()

    def wait_for_visits(self, number: int) -> None:
        with self.visited:
            assert self.visited.wait_for(lambda: self.visits >= number, timeout=LONG)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
        self.listener.close()
        self.thread.join(LONG)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[Port]:
    monkeypatch.setattr(head, "PAUSE", 0.05)
    made = Port()
    yield made
    if made.thread.is_alive():
        made.close()


def test_a_head_that_listens_is_left_alone_and_one_that_is_gone_is_told_of(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RAYS_PATIENCE, "0.2")
    ended = threading.Event()
    watch = HeadWatch(port.place, ended.set)
    port.wait_for_visits(5)
    watch.settle()
    assert not ended.is_set(), "it listens"
    port.close()
    assert ended.wait(LONG)
    watch.settle()  # nobody is left to wait for
    watch.close()


def test_a_place_that_cannot_be_reached_from_here_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(head, "PAUSE", 0.01)
    monkeypatch.setenv(RAYS_PATIENCE, "0.01")
    looks, looked, ended = [0], threading.Event(), threading.Event()

    def refuse(*_: object) -> None:
        looks[0] += 1
        if looks[0] == 10:
            looked.set()
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", refuse)
    watch = HeadWatch("10.0.0.1:6379", ended.set)
    assert looked.wait(LONG)
    watch.settle()  # does not wait for it either
    watch.close()
    assert not ended.is_set()


def test_nothing_is_ended_once_the_watch_is_closed(
    port: Port, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RAYS_PATIENCE, "3600")
    ended = threading.Event()
    watch = HeadWatch(port.place, ended.set)
    port.close()
    watch.close()
    assert "head-watch" not in {thread.name for thread in threading.enumerate()}
    assert not ended.is_set()


def test_a_process_is_ended_with_one_line_though_its_main_thread_hangs() -> None:
    code = (
        "import threading\n"
        "from skinbench.cluster.head import end_process, gone\n"
        "print('so far', end='')\n"
        "threading.Thread(target=lambda: end_process(gone('h:1'))).start()\n"
        "threading.Event().wait()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG, check=False
    )
    assert (done.returncode, done.stdout) == (1, "so far")
    assert done.stderr == f"error: {gone('h:1')}\n"
