"""An uploaded 600x450 JPEG answered by `skinbench serve` on one core, by one client and by fifty.

python -m benchmark.serving BUNDLE CLIENTS UPLOADS does it once; benchmark/run.py compares them.
An upload that fails, or memory that grows, ends it with an error.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from benchmark.run import Entry, Row
from PIL import Image

WARM = 60
GROWTH = 1.15
"""Memory at the end to memory after WARM uploads, at most."""
SUITE = """
name: serving
data:
  drawn: {adapter: synthetic, options: {lesions: 80, size: 128}, labels: ham7}
splits:
  by_lesion: {data: drawn, test: 0.3, val: 0.2}
defaults: {split: by_lesion, image_size: 128, epochs: 1}
bootstrap: {replicates: 200}
baselines: false
explain: null
operating_points: [{class: mel, recall: 0.9}]
rows:
  mobilenet: {model: mobilenetv2_100}
"""


def entries(small: bool) -> Row:
    """One client, and fifty at once; the model answers with heatmap and warnings."""
    bundle = _bundle()
    counts = (20, 60) if small else (300, 1000)

    def entry(name: str, clients: int, uploads: int) -> Entry:
        command = ("-m", "benchmark.serving", str(bundle), str(clients), str(uploads))
        return Entry(name=name, command=command)

    return Row(
        title="skinbench serve, one core, mobilenetv2_100 at 128 px: a 600x450 JPEG to its answer",
        reference="one client",
        unit="milliseconds",
        scale=1000.0,
        entries=(
            entry("one client", 1, counts[0]),
            entry("50 clients at once", 50, counts[1]),
        ),
        notes=(
            f"Medians over {counts[0]:,} and {counts[1]:,} uploads, decoding, heatmap and warnings "
            f"included; of fifty clients each waits for the others. No upload failed, and memory "
            f"after {WARM} uploads and at the end is within {GROWTH - 1:.0%}.",
        ),
    )


def _bundle() -> Path:
    """A network trained for an epoch on drawn lesions, exported; kept for the next time."""
    home = Path(tempfile.gettempdir()) / "skinbench-serving"
    made = home / "bundle"
    if (made / "bundle.json").is_file():
        return made
    home.mkdir(exist_ok=True)
    (home / "suite.yaml").write_text(SUITE, encoding="utf-8")
    store = str(home / "store")
    for words in (
        ("run", str(home / "suite.yaml"), "--out", str(home / "run"), "--store", store),
        ("export", str(home / "run"), "mobilenet", "--out", str(made), "--store", store),
    ):
        command = [sys.executable, "-m", "skinbench", *words]
        subprocess.run(command, check=True, stdout=sys.stderr, timeout=1200)
    return made


def picture() -> bytes:
    """A JPEG of a camera's size: skin with a spot and noise."""
    y, x = np.mgrid[0:450, 0:600]
    spot = np.exp(-(((x - 300) / 110) ** 2 + ((y - 225) / 100) ** 2))
    values = np.array([214, 160, 140]) - spot[..., None] * np.array([110, 100, 80])
    noisy = values + np.random.default_rng(0).normal(0, 8, values.shape)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


class Server:
    """`skinbench serve` on one core.

    Args:
        bundle: what it serves.
    """

    def __init__(self, bundle: str) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port = int(taken.getsockname()[1])
        command = [sys.executable, "-m", "skinbench", "serve", bundle, "--port", str(self.port)]
        cores = sorted(os.sched_getaffinity(0))
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, cores[:1]),
        )
        self._watched = psutil.Process(self._process.pid)
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the server did not start")

    def memory(self) -> int:
        """Bytes that it holds."""
        return int(self._watched.memory_info().rss)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=30)


def ask(port: int, uploads: int, data: bytes, seconds: list[float]) -> None:
    """Uploads one after another on one connection; each one's seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"content-type": "image/jpeg"}
    for _ in range(uploads):
        start = time.perf_counter()
        connection.request("POST", "/predict", body=data, headers=headers)
        response = connection.getresponse()
        body = response.read()
        seconds.append(time.perf_counter() - start)
        if response.status != 200:
            raise SystemExit(f"an upload failed: {response.status} {body[:200]!r}")
    connection.close()


def main() -> None:
    """Median seconds of an answer."""
    bundle, clients, uploads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    server, data = Server(bundle), picture()
    seconds: list[float] = []
    try:
        ask(server.port, WARM, data, [])
        before = server.memory()
        each = uploads // clients
        threads = [
            threading.Thread(target=ask, args=(server.port, each, data, seconds))
            for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        after = server.memory()
    finally:
        server.stop()
    if len(seconds) != each * clients:
        raise SystemExit(f"{each * clients - len(seconds)} of {each * clients} uploads failed")
    if after > GROWTH * before:
        raise SystemExit(f"memory grew from {before / 1e6:.0f} to {after / 1e6:.0f} MB")
    print(f"{before / 1e6:.0f} MB, then {after / 1e6:.0f} MB", file=sys.stderr)
    print(json.dumps({"seconds": statistics.median(seconds), "peak": max(before, after) / 2**30}))


if __name__ == "__main__":
    main()
