"""A small HTTP server that misbehaves as it is told, on this machine only."""

from __future__ import annotations

import http.server
import re
import threading
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Served:
    """One file, and how the server treats whoever asks for it."""

    body: bytes = b""
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    lies: bool = False
    """Answer 206 whatever If-Range says."""
    tells_length: bool = True
    chunked: bool = False
    kind: str = "application/octet-stream"
    encoding: str | None = None
    cuts: list[int | None] = field(default_factory=list)
    """After how many bytes each answer breaks off; None: not at all."""
    stalls: int = 0
    """So many answers have no body and no end, until the server stops."""
    statuses: list[int] = field(default_factory=list)
    """Instead of an answer, one each."""
    redirect: str | None = None
    requests: list[dict[str, str]] = field(default_factory=list)


class Server:
    """`files` by path; `url` of the root."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        outer = self

        self.stopped = threading.Event()

        class Handler(_Handler):
            files = outer.files
            stopped = outer.stopped

        self.httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.httpd.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        self.thread = threading.Thread(target=self.httpd.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def add(self, name: str, body: bytes = b"", **settings: object) -> Served:
        """Serve a file at /name."""
        self.files[f"/{name}"] = Served(body=body, **settings)
        return self.files[f"/{name}"]

    def stop(self) -> None:
        """Close the port."""
        self.stopped.set()
        self.httpd.shutdown()
        self.httpd.server_close()
        self.thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    files: dict[str, Served]
    stopped: threading.Event
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object) -> None:
        """Nothing on the terminal."""

    def do_GET(self) -> None:
        """Answer as the file's settings say."""
        served = self.files.get(self.path.partition("?")[0])
        if served is None:
            self.close(404)
            return
        served.requests.append(dict(self.headers))
        if served.statuses:
            self.close(served.statuses.pop(0))
            return
        if served.redirect:
            self.close(302, Location=served.redirect)
            return
        self.answer(served)

    def close(self, status: int, **headers: str) -> None:
        """An answer without a body."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer(self, served: Served) -> None:
        """The file, or its rest."""
        start, end, total = 0, len(served.body), len(served.body)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        guard = self.headers.get("If-Range")
        fresh = guard in (None, served.etag, served.modified) or served.lies
        partial = bool(wanted) and served.ranges and fresh
        if partial:
            start = int(wanted[1])
            end = min(total, int(wanted[2]) + 1) if wanted[2] else total
            if start >= total:
                self.close(416, Content_Range=f"bytes */{total}")
                return
        self.send_response(206 if partial else 200)
        if partial:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{total}")
        self.headers_of(served, end - start)
        self.body_of(served, served.body[start:end])

    def headers_of(self, served: Served, length: int) -> None:
        """Headers besides the range."""
        self.send_header("Content-Type", served.kind)
        for name, value in (
            ("ETag", served.etag),
            ("Last-Modified", served.modified),
            ("Content-Encoding", served.encoding),
        ):
            if value:
                self.send_header(name, value)
        if served.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif served.tells_length:
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()

    def body_of(self, served: Served, body: bytes) -> None:
        """Bytes, as many as are not cut off."""
        if served.stalls:
            served.stalls -= 1
            self.stopped.wait()
            self.close_connection = True
            return
        cut = served.cuts.pop(0) if served.cuts and len(body) > 1 else None
        sent = body if cut is None else body[:cut]
        try:
            if served.chunked:
                for at in range(0, len(sent), 1000):
                    block = sent[at : at + 1000]
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
                if cut is None:
                    self.wfile.write(b"0\r\n\r\n")
            else:
                self.wfile.write(sent)
        except OSError:
            self.close_connection = True
        if cut is not None:
            self.close_connection = True
