"""The page in a real browser: fixtures that every browser test of the report uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

AXE = """
async () => (await axe.run(document, {resultTypes: ['violations']})).violations
  .filter(v => ['serious', 'critical'].includes(v.impact))
  .map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | '))
"""
Open = Callable[..., Any]


@pytest.fixture
def open_page(browser) -> Iterator[Open]:
    """`open_page(path, hash="#gallery", width=390, scheme="dark")` gives a page of Playwright.

    When the test is over, no page may have said anything on its console, thrown an error, opened
    a dialog, or asked for anything but its own file.
    """
    said: list[str] = []
    pages: list[Any] = []

    def opened(path: Path, hash: str = "", *, width: int = 1440, scheme: str = "light") -> Any:
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.on(
            "request",
            lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else said.append(r.url),
        )
        page.goto(path.as_uri() + hash)
        return page

    yield opened
    for page in pages:
        page.close()
    assert said == []


@pytest.fixture(scope="session")
def serious_findings() -> Callable[[Any], list[str]]:
    """`serious_findings(page)`: what axe-core calls serious or critical in what is shown."""
    named = os.environ.get("SKINBENCH_AXE", "")
    if not named or not Path(named).is_file():
        pytest.skip("SKINBENCH_AXE names no axe.min.js: npm install axe-core")
    source = Path(named).read_text("utf-8")

    def findings(page: Any) -> list[str]:
        page.evaluate(source)
        found: list[str] = page.evaluate(AXE)
        return found

    return findings
