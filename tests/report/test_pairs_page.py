"""The page of pairs: nothing from data has a meaning in it, and decisions leave it as a CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from skinbench.data.candidates import Candidate
from skinbench.records import ImageName, Pair
from skinbench.report.pairs_page import PairsPage, Source, pairs_page
from tests.report.test_browser import CONTRAST

HOSTILE = '"><img src=x onerror=alert(1)>,=1+1'


def picture(dataset: str, image_id: str) -> bytes:
    data = io.BytesIO()
    grey = 40 + 7 * len(image_id)
    Image.new("RGB", (200, 150), (grey, 120, 90)).save(data, "JPEG")
    return data.getvalue()


def pair(left: str, right: str, **facts: Any) -> Candidate:
    return Candidate(
        left=ImageName(dataset="ham", image_id=left),
        right=ImageName(dataset="ham", image_id=right),
        evidence=facts.pop("evidence", "review"),
        labels=("mel", "nv"),
        **facts,
    )


PAIRS = (
    pair("i1", "i2", evidence="duplicate", inliers=41, contradicting=True, crosses=("s: train and test",)),  # noqa: E501
    pair("i3", HOSTILE, inliers=8, lesions=3),
    pair("i5", "i6", decision="different"),
)  # fmt: skip


def page_of(pairs: tuple[Candidate, ...] = PAIRS, **changes: Any) -> str:
    facts: dict[str, Any] = {
        "suite": "mine",
        "file": "pairs.csv",
        "named": True,
        "pairs": pairs,
        "left_out": 0,
        "decided": (
            Pair(dataset_a="ham", image_id_a="i6", dataset_b="ham", image_id_b="i5",
                 decision="different"),
            Pair(dataset_a="ham", image_id_a="far", dataset_b="ham", image_id_b="away",
                 decision="same"),
        ),
        "sources": (
            Source(name="ham", title="Drawn", attribution="Nobody", licence="none", synthetic=True),
        ),
        "notes": ("patients: ham has no patient_id",),
    }  # fmt: skip
    return pairs_page(PairsPage(**{**facts, **changes}), picture)


def test_every_pair_has_two_pictures_and_whose_they_are() -> None:
    text = page_of()
    assert text.count("data:image/jpeg;base64,") == 6
    assert "Drawn: Nobody. Licence: none." in text
    assert "Synthetic images." in text
    assert "41 local features in the same places" in text
    assert "links 3 lesions" in text
    assert "On two sides of s: train and test" in text
    assert "patients: ham has no patient_id" in text
    assert text == page_of()


def test_nothing_from_data_has_a_meaning() -> None:
    text = page_of(suite="<b>x", sources=())
    assert "<img src=x" not in text
    assert "<b>x" not in text
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert re.search(r"script-src 'sha256-[\w+/=]+'$", policy[1])


def test_a_page_without_pairs_and_one_with_too_many() -> None:
    assert "No pair was found" in page_of(())
    assert "7 more pairs did not fit" in page_of(left_out=7)
    assert "audit: {pairs: pairs.csv}" in page_of(named=False)


# --- in a browser ---

browser_test = [
    pytest.mark.browser,
    pytest.mark.slow,
]


@pytest.fixture
def opened(browser: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    width, scheme = getattr(request, "param", (1440, "light"))
    path = tmp_path / "pairs.html"
    path.write_text(page_of(), encoding="utf-8")
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.said = []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("dialog", lambda dialog: page.said.append(dialog.message))
    page.goto(path.as_uri())
    yield page
    page.close()


class TestInABrowser:
    pytestmark = browser_test

    @pytest.mark.parametrize(
        "opened",
        [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")],
        indirect=True,
    )
    def test_it_opens_quietly_and_fits(self, opened: Any) -> None:
        width = opened.viewport_size["width"]
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        assert opened.evaluate(CONTRAST) == []
        assert opened.said == []
        buttons = opened.evaluate(
            "[...document.querySelectorAll('button')].map(b => b.getBoundingClientRect().height)"
        )
        assert min(buttons) >= 44

    def test_decisions_by_keyboard_leave_as_the_file_that_splits_read(
        self, opened: Any, tmp_path: Path
    ) -> None:
        for key in ("j", "s", "d"):
            opened.keyboard.press(key)
        assert opened.locator("#count").inner_text().startswith("3 of 3 decided: 1 same, 2 diff")
        opened.keyboard.press("k")
        opened.keyboard.press("u")
        opened.keyboard.press("s")
        with opened.expect_download() as waiting:
            opened.locator("#save").click()
        saved = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(saved)
        assert saved.name == "pairs.csv"
        with saved.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        assert rows == [
            ["dataset_a", "image_id_a", "dataset_b", "image_id_b", "decision"],
            ["ham", "far", "ham", "away", "same"],
            ["ham", "i1", "ham", "i2", "same"],
            ["ham", "i3", "ham", HOSTILE, "same"],
            ["ham", "i5", "ham", "i6", "different"],
        ]
        assert opened.said == []

    def test_decisions_survive_a_reload_and_can_be_hidden(self, opened: Any) -> None:
        opened.locator("article >> nth=0 >> text=Same lesion").click()
        opened.reload()
        assert opened.locator("#count").inner_text().startswith("2 of 3 decided: 1 same")
        opened.locator("#open-only").check()
        assert opened.locator("article:visible").count() == 1
