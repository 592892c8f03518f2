"""A real S3 server on loopback, and a connection to one that breaks."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BUCKET = "skinbench-test"
CHUNK = 1 << 16


SERVER = """
import logging, sys
from moto.server import ThreadedMotoServer
logging.disable()
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""
"""A process of its own, which ends with the test's."""


@contextmanager
def s3_server(*, checks_keys: bool = False) -> Iterator[int]:
    """A real S3 server on a free port; the test is skipped where moto is not installed.

    Args:
        checks_keys: refuse every key, and have no bucket; else any key opens the one bucket.
    """
    python = os.environ.get("SKINBENCH_S3_PYTHON") or sys.executable
    known = [python, "-c", "import moto.server"]
    if subprocess.run(known, stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("moto is not installed: pip install 'moto[s3]' flask flask-cors")
    refusing = {"INITIAL_NO_AUTH_ACTION_COUNT": "0"} if checks_keys else {}
    with subprocess.Popen(
        [python, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **refusing},
    ) as process:
        assert process.stdin
        assert process.stdout
        port = int(process.stdout.readline())
        if not checks_keys:
            address = f"http://127.0.0.1:{port}/{BUCKET}"
            made = urllib.request.Request(address, data=b"", method="PUT")
            urllib.request.urlopen(made).close()
        yield port
        process.stdin.close()


def keys_in(folder: Path) -> dict[str, str]:
    """An environment with keys that only the server on loopback takes.

    Args:
        folder: in which no configuration lies.
    """
    return {
        "AWS_ACCESS_KEY_ID": "AKIATEST",
        "AWS_SECRET_ACCESS_KEY": "VERYSECRET",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(folder / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "none"),
    }


def url_at(port: int, folder: str, bucket: str = BUCKET) -> str:
    """The URL of a folder in a bucket of a server on loopback."""
    return f"s3://{bucket}/{folder}?endpoint_override=127.0.0.1:{port}&scheme=http"


class Line:
    """A line to a server on loopback, which a test may let break: a TCP proxy with a port.

    Args:
        target: port of the server.
    """

    def __init__(self, target: int) -> None:
        self._target, self._lock = target, threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.limit: int | None = None
        """Bytes that still go to the server before connections break. None: they hold."""
        self.breaks, self.left = 0, 0
        """How often it has broken, and how often it still will; below 0: always."""
        self.carried_back = 0
        """Bytes that came from the server."""
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def break_after(self, limit: int, times: int = -1) -> None:
        """Let every connection break once they have carried so much to the server together."""
        with self._lock:
            self.limit, self.left = limit, times

    def hold(self) -> None:
        """Let connections hold again."""
        with self._lock:
            self.limit = None

    def close(self) -> None:
        """End it; a connection that is open ends with its client."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # or `accept` would take one more
        self._listening.close()
        self._accepting.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            for source, sink, up in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._carry, args=(source, sink, up), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(CHUNK):
                if up and self._breaks(len(content)):
                    break
                sink.sendall(content)
                if not up:
                    with self._lock:
                        self.carried_back += len(content)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _breaks(self, more: int) -> bool:
        with self._lock:
            if self.limit is None or self.left == 0:
                return False
            self.limit -= more
            if self.limit >= 0:
                return False
            self.breaks += 1
            self.left -= 1
            return True
