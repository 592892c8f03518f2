"""The report's page at its largest: 200 rows and a gallery of 500 cases, built and opened.

python -m benchmark.report build|open FOLDER does one of the two, and prints its seconds as JSON.
"""

from __future__ import annotations

import atexit
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from skinbench.store import RunFolder

if TYPE_CHECKING:
    from benchmark.run import Row

ROWS, CASES, IMAGES = 200, 500, 10_000
MOST_SECONDS, MOST_BYTES, MOST_OPENING = 60.0, 25_000_000, 2.0
"""What the page is held to: built in, as large as, opened in."""


def entries(small: bool) -> Row:
    """Make the folder once; each entry works on it."""
    from benchmark.report_folder import make_folder
    from benchmark.run import Entry, Row

    rows, cases, images = (4, 4, 300) if small else (ROWS, CASES, IMAGES)
    root = Path(tempfile.mkdtemp(prefix="skinbench-report-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    folder = make_folder(root / "run", rows=rows, cases=cases, images=images)
    build(folder)
    size = folder.html.stat().st_size
    return Row(
        title=f"The report of {rows} rows and a gallery of {cases} cases for two models",
        entries=(
            Entry(name="built", command=("-m", "benchmark.report", "build", str(folder.root))),
            Entry(
                name="opened in Chromium",
                command=("-m", "benchmark.report", "open", str(folder.root)),
            ),
        ),
        reference="built",
        notes=(
            f"report.html is {size / 1e6:.1f} MB. It is held to {MOST_SECONDS:g} s, "
            f"{MOST_BYTES / 1e6:g} MB and {MOST_OPENING:g} s to open.",
        ),
    )


def build(folder: RunFolder) -> float:
    """Seconds to write the whole report."""
    from skinbench.report.render import render_run

    start = time.perf_counter()
    render_run(folder)
    return time.perf_counter() - start


def opened(page: Path) -> float:
    """Seconds from asking for the page until it is drawn and its table can be sorted."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"]
        )
        tab = browser.new_page(viewport={"width": 1440, "height": 900})
        tab.goto("about:blank")
        start = time.perf_counter()
        tab.goto(page.as_uri())
        tab.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        seconds = time.perf_counter() - start
        browser.close()
    return seconds


if __name__ == "__main__":
    work, where = sys.argv[1], RunFolder(Path(sys.argv[2]))
    took = build(where) if work == "build" else opened(where.html)
    print(json.dumps({"seconds": took}))
