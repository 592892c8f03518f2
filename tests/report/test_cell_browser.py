"""Cell pages and the compare view in a real browser."""

from __future__ import annotations

import numpy as np
import pytest

from skinbench.report.content import read_content
from skinbench.report.judged import read_judged
from skinbench.report.render import render_run
from skinbench.store import RunFolder
from tests.browser import address, shows
from tests.report.fixture import Wish, make_run
from tests.report.judged_run import write_judged
from tests.report.test_browser import CONTRAST
from tests.report.test_render import HOSTILE

ALONE = "() => document.querySelectorAll('section.view[hidden]').forEach(v => v.remove())"
pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module", params=["plain", "hostile"])
def folder(request, tmp_path_factory) -> RunFolder:
    hostile = HOSTILE if request.param == "hostile" else ""
    made = make_run(tmp_path_factory.mktemp("cells") / "run", Wish(rows=6, hostile=hostile))
    write_judged(made)
    render_run(made)
    return made


def cells(page):
    return page.evaluate("JSON.parse(document.getElementById('data-compare').textContent).cells")


def test_a_cell_opens_by_its_address_and_back_leads_to_the_leaderboard(open_page, folder):
    page = open_page(folder.html)
    slug = cells(page)[-1]["slug"]
    page.goto(f"{folder.html.as_uri()}#cell-{slug}")
    shows(page, f"cell-{slug}")
    shown = page.locator(f"#cell-{slug}")
    for part in ("confusion", "roc", "curves"):
        assert shown.locator(f".figure.{part}").first.is_visible()
    shown.locator(".back").click()
    shows(page, "overview")
    page.go_back()
    shows(page, f"cell-{slug}")
    shown.get_by_text("Compare with another cell").click()
    shows(page, "compare")
    assert page.locator("#compare-a").input_value() == slug


def test_two_cells_and_the_images_on_which_they_differ(open_page, folder):
    """The counts are those of the predictions in the run folder."""
    page = open_page(folder.html)
    known = cells(page)
    a, b = known[0], next(c for c in known[1:] if c["set"] == known[0]["set"])
    page.goto(f"{folder.html.as_uri()}#compare?a={a['slug']}&b={b['slug']}")
    shows(page, "compare")
    content = read_content(folder)
    sides = []
    for cell in (a, b):
        place = [c["slug"] for c in known].index(cell["slug"])
        judged = [
            read_judged(folder, row, content.scorecard.cells).seeds("lesions", "none")
            for row in content.rows
        ]
        sides.append(next(iter([s for s in judged if s][place].values())))
    first, second = sides
    right = [part.decisions == part.labels for part in sides]
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    tally = page.locator("#compare-tally tbody tr").last.locator("th, td").all_inner_texts()
    assert tally[1] == f"{len(first)}"
    assert tally[3:5] == [f"{only_a}", f"{only_b}"]
    assert page.locator(".differing li").count() == min(24, only_a)
    shown = page.locator(".differing .id").all_inner_texts()
    wanted = {str(name).strip() for name in first.image_ids[right[0] & ~right[1]]}
    assert {" ".join(name.split()) for name in wanted} >= set(shown)
    page.check("#compare-b-kind")
    assert page.evaluate("location.hash").endswith("show=b")
    assert page.locator(".differing li").count() == min(24, only_b)
    assert not np.array_equal(first.decisions, second.decisions)


def test_pages_swap_and_class_keep_their_state_in_the_address(open_page, folder):
    page = open_page(folder.html, "#compare?show=all")
    first = page.locator(".differing .id").all_inner_texts()
    page.click("#compare-after")
    assert "page=2" in address(page)
    assert page.evaluate("document.activeElement.id") == "compare-after"
    assert page.locator(".differing .id").all_inner_texts() != first
    before = [page.locator(f"#compare-{key}").input_value() for key in "ab"]
    page.select_option("#compare-class", "nv")
    assert "page=" not in address(page)
    assert set(page.locator(".differing li > div > p:first-of-type b").all_inner_texts()) == {"nv"}
    page.click("#compare-swap")
    assert [page.locator(f"#compare-{key}").input_value() for key in "ba"] == before
    before = address(page)
    page.reload()
    assert address(page) == before


def test_different_test_sets_are_refused(open_page, folder):
    page = open_page(folder.html)
    known = cells(page)
    other = next((c for c in known if c["set"] != known[0]["set"]), None)
    assert other is not None
    page.goto(f"{folder.html.as_uri()}#compare?a={known[0]['slug']}&b={other['slug']}")
    shows(page, "compare")
    assert "Not compared." in page.locator("#compare-refused").inner_text()
    assert page.locator("#compare-scores").count() == 0
    assert page.locator(".differing").count() == 0


@pytest.mark.parametrize("hash_", ["#compare?a=nothing&b=%00", "#compare?show=x&page=-3&class=zz"])
def test_a_strange_address_shows_two_cells_all_the_same(open_page, folder, hash_):
    page = open_page(folder.html, hash_)
    assert page.locator("#compare-tally").count() == 1


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_both_views_fit_and_can_be_read(open_page, folder, serious_findings, width, scheme):
    page = open_page(folder.html, "#compare?show=all", width=width, scheme=scheme)
    cell = f"#cell-{cells(page)[-1]['slug']}"
    for hash_ in ("#compare?show=all", cell):
        page.goto(folder.html.as_uri() + hash_)
        page.reload()
        page.evaluate(ALONE)  # the other views are looked at elsewhere
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CONTRAST) == []
        assert serious_findings(page) == []
