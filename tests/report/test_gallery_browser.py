"""The gallery in a real browser: pages, filters, keyboard, one case large, print."""

from __future__ import annotations

import pytest

from skinbench.report.render import render_run
from skinbench.store import RunFolder, shown_id, write_private
from tests.browser import until
from tests.report.fixture import Wish, make_run
from tests.report.test_browser import CONTRAST
from tests.report.test_render import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.slow]
LOADED = "[...document.querySelectorAll('#gallery img')].every(i => i.complete && i.naturalWidth)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> RunFolder:
    made = make_run(tmp_path_factory.mktemp("gallery") / "run", Wish(rows=6, cases=30))
    render_run(made)
    return made


@pytest.fixture
def gallery(open_page, folder):
    def opened(parameters="each=12", **options):
        page = open_page(folder.html, f"#gallery?{parameters}", **options)
        page.wait_for_selector("#gallery .case")
        return page

    return opened


def ids(page):
    return page.locator("#gallery .case .id").all_inner_texts()


def field(page, name):
    return page.locator(f"#gallery .field:has(> span:text-is('{name}')) select")


def parameters(page):
    return page.evaluate("Object.fromEntries(skinbench.state.read())")


def test_pictures_are_made_when_their_page_is_shown(gallery, folder, open_page):
    elsewhere = open_page(folder.html)
    assert elsewhere.locator("#gallery img").count() == 0
    page = gallery()
    assert page.locator("#gallery .case").count() == 12
    until(page, LOADED)
    first = ids(page)
    images = page.locator("#gallery img").count()
    page.get_by_role("button", name="Next").first.click()
    assert set(ids(page)).isdisjoint(first)
    assert parameters(page)["page"] == "2"
    page.get_by_role("button", name="Next").first.click()
    assert len(ids(page)) == 6
    assert page.locator("#gallery img").count() < images
    assert page.get_by_role("button", name="Next").first.is_disabled()
    assert "30 of 30 cases" in page.locator(".gallery-head .pager").inner_text()


def test_filters_leave_what_they_say_and_stand_in_the_address(gallery):
    page = gallery()
    data = page.evaluate("JSON.parse(document.getElementById('data-gallery').textContent).sets[0]")
    field(page, "Answer").select_option("wrong")
    field(page, "Model").select_option("A")
    wrong = [c["id"] for c in data["cases"] if c["answers"][0]["decided"] != c["label"]]
    assert ids(page) == [n.strip() for n in wrong[:12]]
    assert parameters(page) == {"each": "12", "answer": "wrong", "model": "A"}
    assert page.locator("#gallery .case").first.locator("figure").count() == 2
    field(page, "Rule").select_option(data["rules"][1]["text"])
    counts = page.locator("#gallery .counts").inner_text()
    assert "15 of 57 images (41 lesions) shown" in counts
    field(page, "Model").select_option("")
    assert page.locator("#gallery .counts li").count() == 2, "a line for each model"
    field(page, "Answer").select_option("flagged")
    assert page.locator("#gallery .case").count() == page.locator(".case:has(.artefact)").count()
    page.reload()
    page.wait_for_selector("#gallery .case")
    assert field(page, "Answer").input_value() == "flagged"
    field(page, "True class").select_option(index=1)
    assert page.locator("#gallery .case").count() > 0


def test_heat_alone_and_without_outline(gallery):
    page = gallery()
    over = page.locator("#gallery img.over").count()
    assert over > 10
    assert page.locator("#gallery svg.outline").count() > 10
    page.get_by_text("alone", exact=True).click()
    assert page.locator("#gallery img.over").count() == 0
    page.get_by_text("lesion outline").click()
    assert page.locator("#gallery svg.outline").count() == 0
    assert parameters(page) == {"each": "12", "heat": "alone", "outline": "off"}


def test_the_keyboard_walks_cases_and_opens_one(gallery):
    page = gallery()
    names = ids(page)
    page.locator("#gallery .enlarge").first.focus()
    focused = "document.activeElement.closest('.case')?.querySelector('.id').innerText"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(focused) == names[1]
    page.keyboard.press("End")
    assert page.evaluate(focused) == names[11]
    page.keyboard.press("ArrowRight")
    assert parameters(page)["page"] == "2"
    assert page.evaluate(focused) == ids(page)[0]
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused) == names[11]
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    assert dialog.is_visible()
    assert dialog.get_by_role("heading", level=3).inner_text() == names[11]
    page.keyboard.press("ArrowRight")
    assert "13 of 30" in dialog.inner_text()
    assert parameters(page)["case"] == "13"
    until(page, LOADED)
    page.keyboard.press("Escape")
    until(page, "!document.querySelector('dialog').open")
    # The browser goes back by itself, and then the page of the case is shown.
    until(page, "(s => !s.has('case') && s.get('page') === '2')(skinbench.state.read())")
    assert parameters(page)["page"] == "2", "the page that holds the case seen last"
    assert page.evaluate(focused) == ids(page)[0]
    assert page.evaluate("location.hash").startswith("#gallery"), "Escape closed the case alone"


def test_a_case_has_an_address(gallery):
    page = gallery("case=3")
    assert page.get_by_role("dialog").is_visible()
    assert "3 of 30" in page.get_by_role("dialog").inner_text()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_it_fits_has_names_and_no_serious_findings(gallery, serious_findings, width, scheme):
    page = gallery(width=width, scheme=scheme)
    until(page, LOADED)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    unnamed = "[...document.querySelectorAll('#gallery img:last-of-type')].filter(i => !i.alt)"
    assert page.evaluate(f"{unnamed}.length") == 0
    assert serious_findings(page) == []
    page.locator("#gallery .enlarge").first.click()
    until(page, LOADED)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious_findings(page) == []


def test_it_prints_the_cases_of_the_page(gallery, tmp_path):
    page = gallery()
    until(page, LOADED)
    page.emulate_media(media="print")
    assert not page.locator(".gallery-tools").is_visible()
    assert page.locator("#gallery .case").count() == 12
    page.pdf(path=str(tmp_path / "gallery.pdf"), format="A4")
    assert (tmp_path / "gallery.pdf").stat().st_size > 20_000


def test_names_that_are_scripts_do_nothing(open_page, tmp_path):
    made = make_run(tmp_path / "run", Wish(rows=6, cases=4, hostile=HOSTILE))
    render_run(made)
    page = open_page(made.html, "#gallery")
    page.wait_for_selector("#gallery .case")
    rules = field(page, "Rule").locator("option").count()
    for index in range(rules):
        field(page, "Rule").select_option(index=index)
    field(page, "Model").select_option("A")
    page.locator("#gallery .enlarge").first.click()
    assert "<script>" in page.get_by_role("dialog").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440


def test_private_cases_are_numbers_alone(open_page, tmp_path, monkeypatch):
    made = make_run(tmp_path / "run", Wish(rows=6, cases=4))
    write_private(made, ["lesions"])
    monkeypatch.setenv("SKINBENCH_SALT", "s3cret")
    render_run(made)
    page = open_page(made.html, "#gallery")
    page.wait_for_selector("#gallery .case")
    assert page.locator("#gallery img, #gallery .stack:visible").count() == 0
    assert ids(page) == [shown_id(f"img_{n:04d}", "s3cret") for n in range(4)]
    page.locator("#gallery .enlarge").first.click()
    assert page.get_by_role("dialog").is_visible()
    assert page.locator("img").count() == 0
