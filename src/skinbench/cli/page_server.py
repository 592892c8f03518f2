"""One report page on the loopback address, until Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from skinbench.errors import UsageError

LOOPBACK = "127.0.0.1"
_OURS = (LOOPBACK, "localhost")


class _Page(BaseHTTPRequestHandler):
    """Gives the page and nothing else of the folder that it lies in."""

    path_of_page: Path

    def do_GET(self) -> None:
        """The page at `/`."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Its headers."""
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        host = (self.headers.get("Host") or "").rpartition(":")[0] or self.headers.get("Host")
        if host not in _OURS:  # a page elsewhere that has its own name point here
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        if self.path.partition("?")[0] != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = self.path_of_page.read_bytes()  # each time: a run may have written it anew
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the terminal has the address already."""


def serve_page(page: Path, port: int, started: Callable[[str], None]) -> None:
    """Serve one file to this machine alone; returns after Ctrl-C.

    Args:
        page: a self-contained HTML file.
        port: 0 for any that is free.
        started: called with the address once it answers.

    Raises:
        UsageError: the port is taken.
    """
    handler = type("_OnePage", (_Page,), {"path_of_page": page})
    try:
        server = ThreadingHTTPServer((LOOPBACK, port), handler)
    except OSError as error:
        raise UsageError(
            f"port {port} of {LOOPBACK} cannot be used: {error.strerror or error}; "
            f"choose another with --port, or leave it out"
        ) from error
    with server:
        server.daemon_threads = True
        started(f"http://{LOOPBACK}:{server.server_address[1]}/")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
