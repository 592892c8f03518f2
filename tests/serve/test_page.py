# ruff: noqa: E501
"""The page in a real browser, served by the real command: upload, answer, sheet, keyboard, dark."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from tests.browser import until
from tests.bundle.world import bundle, world
from tests.report.test_browser import CONTRAST
from tests.serve import pictures

pytestmark = [
    pytest.mark.browser,
    pytest.mark.torch,
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Address of a model that reads the image alone and gives heatmaps."""
    with serving("calm") as address:
        yield address


@pytest.fixture(scope="module")
def fused() -> Iterator[str]:
    """Address of an ensemble that reads metadata and gives none."""
    with serving("both") as address:
        yield address


@contextmanager
def serving(cell: str) -> Iterator[str]:
    """A bundle behind `skinbench serve`."""
    command = [sys.executable, "-m", "skinbench", "serve", str(bundle(cell).root), "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    line = process.stdout.readline() if process.stdout else ""
    found = re.search(r"http://127\.0\.0\.1:\d+/", line)
    assert found, (line, process.communicate())
    try:
        yield found[0]
    finally:
        process.terminate()
        out, err = process.communicate(timeout=240)
    assert "lesion" not in out + err, "nothing of an upload is printed"
    assert "Traceback" not in err


@pytest.fixture
def page(browser: Any, served: str) -> Iterator[Any]:
    """The page, wide and light; what it complained about, and asked of others, is an error."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.complaints, page.asked = [], []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(served)
    yield page
    assert page.complaints == []
    assert all(url.startswith((served, "blob:", "data:")) for url in page.asked)
    context.close()


@pytest.fixture(scope="module")
def lesion() -> Path:
    return world().images(1)[0]


def ask(page: Any, path: Path) -> None:
    page.set_input_files("#image", str(path))
    page.click("#ask")
    page.wait_for_selector("#filled:not([hidden])")
    page.wait_for_selector("#result[aria-busy=false]")


def test_an_image_is_answered_with_its_worth(page, lesion):
    ask(page, lesion)
    numbers = [float(text) for text in page.locator("#bars .number").all_inner_texts()]
    assert len(numbers) == 7
    assert sum(numbers) == pytest.approx(1, abs=0.01)
    assert numbers == sorted(numbers, reverse=True)
    assert "melanoma" in page.inner_text("#verdict")
    worth = page.inner_text("#worth")
    assert "Of true melanoma it calls" in worth
    assert "n = " in worth
    assert page.evaluate("document.activeElement.id") == "answer"
    assert page.locator("#pictures figure").count() >= 2
    assert page.inner_text("#heatnote").startswith("Class activation map")
    assert "not a medical device" in page.inner_text("#notice")


def test_a_stated_share_and_another_rule_change_what_is_said(page, lesion):
    ask(page, lesion)
    before = page.inner_text("#worth")
    page.select_option("#prevalence", "0.01")
    assert "By prior shift to a share of 1 %" in page.inner_text("#worth") != before
    page.select_option("#rule", "argmax")
    assert "most probable class" in page.inner_text("#verdict")


def test_metadata_reach_the_model(page, fused, lesion):
    assert page.locator("#field-age").count() == 0
    assert "reads the image alone" in page.inner_text("form")
    page = page.context.new_page()
    page.goto(fused)
    ask(page, lesion)
    assert page.locator("#pictures figure").count() == 1
    assert "can give no heatmap" in page.inner_text("#heatnote")
    before = page.locator("#bars .number").all_inner_texts()
    page.fill("#field-age", "85")
    page.select_option("#field-sex", "male")
    ask(page, lesion)
    assert page.locator("#bars .number").all_inner_texts() != before
    page.fill("#field-age", "old")
    page.click("#ask")
    page.wait_for_selector("#problem:not([hidden])")
    assert "age" in page.inner_text("#problem")


def test_what_is_no_image_is_said_and_the_page_goes_on(page, lesion, tmp_path):
    page.click("#ask")
    assert "Choose an image first" in page.inner_text("#problem")
    bad = tmp_path / "x.jpg"
    bad.write_bytes(pictures.SVG)
    page.set_input_files("#image", str(bad))
    page.click("#ask")
    page.wait_for_selector("#problem:not([hidden])")
    assert "no image that can be read" in page.inner_text("#problem")
    ask(page, lesion)
    assert page.is_hidden("#problem")


def test_an_image_unlike_the_training_data_is_warned_about(page, tmp_path):
    odd = tmp_path / "odd.png"
    odd.write_bytes(pictures.saved(pictures.picture(300, 30), "PNG"))
    ask(page, odd)
    words = page.inner_text("#warnings")
    assert "does not look like the training data" in words
    assert "val images" in words


def test_the_sheet_is_downloaded_and_reads_as_the_page(page, lesion):
    try:
        import weasyprint  # noqa: F401
    except OSError:
        pytest.skip("weasyprint finds no pango")
    ask(page, lesion)
    numbers = page.locator("#bars .number").all_inner_texts()
    with page.expect_download() as download:
        page.click("#sheet")
    text = " ".join(p.extract_text() for p in PdfReader(download.value.path()).pages)
    assert download.value.suggested_filename.startswith("model-response-")
    assert all(number in text for number in numbers)
    assert "must not be used to diagnose anyone" in " ".join(text.split())


def test_an_image_can_be_dropped(page, lesion):
    data = list(lesion.read_bytes())
    page.evaluate(
        """data => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(data)], "dropped.jpg", {type: "image/jpeg"}));
          const at = name => document.getElementById("drop").dispatchEvent(
            new DragEvent(name, {dataTransfer: transfer, bubbles: true, cancelable: true}));
          at("dragover"); at("drop");
        }""",
        data,
    )
    assert "dropped.jpg" in page.inner_text("#chosen")
    page.click("#ask")
    page.wait_for_selector("#filled:not([hidden])")


def test_everything_is_reached_by_keyboard(page, lesion):
    page.set_input_files("#image", str(lesion))
    page.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        if reached[-1] == "ask":
            break
    assert reached[-1] == "ask", reached
    assert reached.index("image") < reached.index("ask")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector("#filled:not([hidden])")
    until(page, "document.activeElement.id === 'answer'")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "rule"


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "dark")])
def test_narrow_and_dark_it_can_be_read(browser, served, lesion, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 850}, color_scheme=scheme)
    page = context.new_page()
    page.goto(served)
    ask(page, lesion)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) == []
    small = page.evaluate(
        "[...document.querySelectorAll('button, select, input')].filter(e => e.offsetParent && e.getBoundingClientRect().height < 24).map(e => e.id)"
    )
    assert small == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, served, lesion, scheme):
    script = os.environ.get("SKINBENCH_AXE")
    if not script or not Path(script).is_file():
        pytest.skip("SKINBENCH_AXE names no axe.min.js")
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(served)
    ask(page, lesion)
    page.add_script_tag(path=script)
    found = page.evaluate(
        "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html.slice(0, 100))]))"
    )
    assert found == []
    context.close()
