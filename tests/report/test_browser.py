# ruff: noqa: E501
"""The page in a real browser, wide and narrow, light and dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from skinbench.report.render import render_run
from skinbench.store import RunFolder
from tests.report.fixture import Wish, make_run
from tests.report.test_render import HOSTILE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CONTRAST = """
() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const lum = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const behind = node => {
    for (let e = node; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const node of document.querySelectorAll('p, a, td, th, dt, dd, summary, h1, h2, h3, h4, li, span, b, caption, pre')) {
    if (!node.innerText || !node.innerText.trim() || node.closest('.hidden, .skip')) continue;
    const [a, b] = [lum(parse(getComputedStyle(node).color)), lum(behind(node))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) bad.push(node.outerHTML.slice(0, 120));
  }
  return bad;
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=["plain", "hostile"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    hostile = HOSTILE if request.param == "hostile" else ""
    folder = make_run(tmp_path_factory.mktemp("run") / "run", Wish(rows=13, hostile=hostile))
    render_run(folder)
    return folder


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_opens_quietly_and_fits(browser, folder, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on(
        "request",
        lambda r: None if r.url.startswith(("file:", "data:")) else said.append(r.url),
    )
    page.goto(folder.html.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].every(i => i.complete)")
    assert page.evaluate("[...document.images].filter(i => !i.naturalWidth).length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    assert said == []
    page.close()


def test_every_picture_table_and_landmark_has_a_name(browser, folder):
    page = browser.new_page()
    page.goto(folder.html.as_uri())
    assert page.evaluate("[...document.images].filter(i => !i.alt.trim()).length") == 0
    assert (
        page.evaluate("[...document.querySelectorAll('table')].filter(t => !t.caption).length") == 0
    )
    assert page.evaluate(
        "[...document.querySelectorAll('svg:not([aria-hidden])')]"
        ".filter(s => !s.getAttribute('aria-label')).length"
    ) == 0  # fmt: skip
    for landmark in ("header", "nav", "main", "footer"):
        assert page.locator(landmark).count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.close()


def test_page_prints(browser, folder, tmp_path):
    page = browser.new_page()
    page.goto(folder.html.as_uri())
    page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    page.close()
