# ruff: noqa: E501
"""The page in a real browser, wide and narrow, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from skinbench.report.render import render_run
from skinbench.store import RunFolder
from tests.browser import address, shows, until
from tests.report.fixture import Wish, make_run
from tests.report.test_render import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.slow]
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
  for (const node of document.querySelectorAll('p, a, td, th, dt, dd, summary, h1, h2, h3, h4, li, span, b, caption, pre, button, label')) {
    if (!node.innerText || !node.innerText.trim() || node.closest('.hidden, .skip')) continue;
    const [a, b] = [lum(parse(getComputedStyle(node).color)), lum(behind(node))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) bad.push(node.outerHTML.slice(0, 120));
  }
  return bad;
}
"""
EVERYTHING = "() => document.querySelectorAll('section.view').forEach(v => v.hidden = false)"


def rendered(root: Path, hostile: str) -> RunFolder:
    folder = make_run(root / "run", Wish(rows=13, hostile=hostile))
    render_run(folder)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return rendered(tmp_path_factory.mktemp("plain"), "")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return rendered(tmp_path_factory.mktemp("hostile"), HOSTILE)


@pytest.fixture(params=["plain", "hostile"])
def folder(request: pytest.FixtureRequest) -> RunFolder:
    found: RunFolder = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_opens_quietly_and_fits(open_page, folder, width, scheme):
    page = open_page(folder.html, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(EVERYTHING)
    page.evaluate("document.querySelectorAll('details:not(.menu)').forEach(d => d.open = true)")
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    until(page, "[...document.images].every(i => i.complete)")
    assert page.evaluate("[...document.images].filter(i => !i.naturalWidth).length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page, plain, serious_findings, width, scheme):
    page = open_page(plain.html, width=width, scheme=scheme)
    page.evaluate(EVERYTHING)
    assert serious_findings(page) == []


def test_every_picture_table_and_landmark_has_a_name(open_page, folder):
    page = open_page(folder.html)
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


def test_one_view_is_shown_at_a_time_and_the_address_says_which(open_page, folder):
    page = open_page(folder.html)
    shows(page, "overview")
    page.click("nav.toc a[href='#gallery']")
    shows(page, "gallery")
    assert address(page).endswith("#gallery")
    assert page.evaluate("document.activeElement.closest('section').id") == "gallery"
    page.keyboard.press("Escape")
    shows(page, "overview")
    page.go_back()
    shows(page, "gallery")


def test_an_element_of_a_view_is_an_address(open_page, folder):
    page = open_page(folder.html, "#splits-section")
    shows(page, "data")
    assert page.evaluate("document.getElementById('splits-section').getBoundingClientRect().top") < 400  # fmt: skip
    page.goto(folder.html.as_uri() + "#no-such-thing")
    shows(page, "overview")


def test_without_scripts_every_view_can_be_read(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(folder.html.as_uri())
    for view in ("overview", "gallery", "data", "made"):
        assert page.locator(f"#{view}").is_visible()
    context.close()


def test_page_prints(open_page, folder, tmp_path):
    page = open_page(folder.html)
    page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    # A head that is repeated on the next page leaves out its buttons, so it has none on paper.
    head = page.locator(".board thead th", has=page.locator("button")).first
    named = "item => getComputedStyle(item, '::before').content"
    assert head.evaluate(named) == "none"
    page.emulate_media(media="print")
    assert head.get_attribute("data-title") in head.evaluate(named)
    assert not head.locator("button").is_visible()
    assert not page.locator(".further:visible").count()
