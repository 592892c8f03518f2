# ruff: noqa: E501
"""The leaderboard in a real browser: sorted, filtered, its columns chosen, copied."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from skinbench.report.render import render_run
from skinbench.store import RunFolder
from tests.browser import address, shows, until
from tests.report.fixture import Wish, make_run
from tests.report.test_render import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NAMES = "() => [...document.querySelectorAll('#leaderboard-1 tbody tr:not([hidden])')].map(r => r.cells[0].dataset.sort)"
VALUES = "key => { const t = document.querySelector('#leaderboard-1'); const i = [...t.tHead.rows[0].cells].findIndex(h => h.dataset.key === key); return [...t.tBodies[0].rows].map(r => r.cells[i].dataset.sort); }"
SHOWN = "() => [...document.querySelectorAll('#leaderboard-1 thead th')].filter(h => h.offsetWidth).map(h => h.dataset.key)"
SORTED = "key => document.querySelector(`#leaderboard-1 th[data-key='${key}']`)?.ariaSort"


IN_ORDER = f"""([key, order]) => {{
  if (({SORTED})(key) !== order) return false;
  const values = (key === "row" ? ({NAMES})() : ({VALUES})(key).filter(value => value !== "").map(Number));
  return values.every((value, i) => !i || (order === "ascending" ? value >= values[i - 1] : value <= values[i - 1]));
}}"""  # the library moves the rows a moment after it marks the head


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = make_run(tmp_path_factory.mktemp("board") / "run", Wish(rows=13))
    render_run(folder)
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    wish = Wish(rows=6, hostile=HOSTILE)
    folder = make_run(tmp_path_factory.mktemp("board") / "hostile", wish)
    render_run(folder)
    return folder


def settled(page, key: str, order: str) -> None:
    until(page, IN_ORDER, [key, order])


def test_head_sorts_better_first_then_worse_then_the_suites_order(open_page, folder):
    page = open_page(folder.html)
    suite = page.evaluate(NAMES)
    button = page.locator("#leaderboard-1 th[data-key='recall:mel'] button")
    button.focus()
    page.keyboard.press("Enter")
    settled(page, "recall:mel", "descending")
    values = page.evaluate(VALUES, "recall:mel")
    known = [float(value) for value in values if value]
    assert known == sorted(known, reverse=True)
    assert values[len(known) :] == [""] * (len(values) - len(known))  # undefined comes last
    assert "choose on test" in page.locator(".tools .status").inner_text()
    assert "sort=recall%3Amel" in address(page)
    page.keyboard.press("Space")
    settled(page, "recall:mel", "ascending")
    values = page.evaluate(VALUES, "recall:mel")
    assert [float(value) for value in values if value] == sorted(known)
    assert values[len(known) :] == [""] * (len(values) - len(known))
    page.keyboard.press("Enter")
    until(page, f"names => !({SORTED})('recall:mel') && `${{({NAMES})()}}` === `${{names}}`", suite)
    assert "sort=" not in address(page)


def test_address_brings_back_what_was_shown(open_page, folder):
    page = open_page(folder.html)
    page.fill(".tools input[type=search]", "mobilenet")
    page.click("details.columns summary")
    page.check("details.columns input[data-column='log_loss']")
    page.uncheck("details.columns input[data-column='macro_f1']")
    page.keyboard.press("Escape")
    page.click("#leaderboard-1 th[data-key='row'] button")
    settled(page, "row", "ascending")
    names, columns = page.evaluate(NAMES), page.evaluate(SHOWN)
    assert names
    assert names == sorted(names)
    assert "log_loss" in columns
    assert "macro_f1" not in columns
    again = open_page(folder.html, "#" + address(page).partition("#")[2])
    settled(again, "row", "ascending")
    assert again.evaluate(NAMES) == names
    assert again.evaluate(SHOWN) == columns
    assert again.locator(".tools input[type=search]").input_value() == "mobilenet"
    again.click("text=Reset")
    assert len(again.evaluate(NAMES)) > len(names)
    assert address(again).endswith("#overview")


def test_filters_narrow_and_say_how_many_rows_are_left(open_page, folder):
    page = open_page(folder.html)
    whole = page.evaluate(NAMES)
    page.click("details[data-facet=technique] summary")
    box = page.locator("details[data-facet=technique] input").first
    technique = box.get_attribute("value")
    box.check()
    left = page.evaluate(NAMES)
    assert 0 < len(left) < len(whole)
    wanted = page.evaluate(
        "v => [...document.querySelectorAll('tr[data-technique]')]"
        ".filter(r => r.dataset.technique === v).length",
        technique,
    )
    assert page.locator(".tools .status").inner_text().startswith(f"{wanted} of ")
    page.fill(".tools input[type=search]", "no such row")
    assert page.locator(".tools .status").inner_text().startswith("0 of ")
    assert page.locator(".test-set:visible").count() == 0


def test_a_row_opens_its_cell_and_back_returns_to_the_board_as_it_was(open_page, folder):
    page = open_page(folder.html, "#overview?sort=accuracy&find=mobilenet")
    settled(page, "accuracy", "descending")
    names = page.evaluate(NAMES)
    page.click("#leaderboard-1 tbody tr:not([hidden]) th a >> nth=0")
    until(page, "document.documentElement.dataset.view.startsWith('cell-')")
    page.keyboard.press("Escape")
    shows(page, "overview")
    settled(page, "accuracy", "descending")
    assert page.evaluate(NAMES) == names
    assert "find=mobilenet" in address(page)


def copied(page, format: str, name: str = "leaderboard-1") -> str:
    text = page.evaluate(
        "([name, format]) => skinbench.copy.text(document.getElementById(name), format)",
        [name, format],
    )
    assert isinstance(text, str)
    return text


def test_copies_are_what_is_shown_in_its_order(open_page, folder):
    page = open_page(
        folder.html, "#overview?sort=recall%3Amel&columns=recall%3Amel|specificity%3Amel"
    )
    settled(page, "recall:mel", "descending")
    names = page.evaluate(NAMES)
    rows = list(csv.reader(io.StringIO(copied(page, "csv"))))
    for title in ("mel recall (sensitivity)", "mel specificity"):
        at = rows[0].index(title)
        assert rows[0][at + 1 : at + 3] == [f"{title}, low", f"{title}, high"]
        numbers = [field for row in rows[1:] for field in row[at : at + 3]]
        assert any(numbers)
        assert all(re.fullmatch(r"[01](\.\d+)?|", field) for field in numbers)
    assert rows[0][-2:] == ["n", "n mel"]  # the page says it above the table, a copy has no page
    assert any(row[-1] for row in rows[1:])
    assert [row[0] for row in rows[1:]] == names
    markdown = copied(page, "markdown").splitlines()
    assert markdown[0].startswith("**lesions, split by\\_")
    assert markdown[3] == "| --- | ---: | ---: | ---: | ---: |"
    assert sum(line.startswith("| ") for line in markdown) == len(names) + 2
    assert any("not separable" in line for line in markdown[len(names) + 4 :])  # its notes
    latex = copied(page, "latex")
    assert latex.count("\\\\\n") == len(names) + 1
    for part in ("\\caption{", "\\begin{tabular}{lrrrr}", "\\toprule", "\\midrule", "\\bottomrule"):
        assert part in latex
    assert latex.index("not separable") > latex.index("\\end{tabular}")
    page.click("#leaderboard >> .copy summary >> nth=0")
    page.click("[data-copy=markdown] >> nth=0")
    until(page, "document.querySelector('.tools .status').textContent.startsWith('Copied')")


def test_copies_of_a_leaky_split_say_so(open_page, folder):
    page = open_page(folder.html)
    name = page.evaluate("document.querySelector('tr[data-leak]').closest('table').id")
    rows = list(csv.reader(io.StringIO(copied(page, "csv", name))))
    assert rows[0][-1] == "leaky split"
    assert {row[-1] for row in rows[1:]} == {"yes"}
    for format in ("markdown", "latex"):
        assert "leaky split: " in copied(page, format, name)


def test_names_do_nothing_in_copies(open_page, hostile, tmp_path: Path):
    page = open_page(hostile.html)
    latex = copied(page, "latex")
    body = latex[latex.index("\\midrule") :]
    assert not re.search(
        r"(?<!\\)[$#_](?!\\approx|\\diamond|-)",
        body.replace("$\\approx$", "").replace("$\\diamond$", "").replace("$-$", ""),
    )
    markdown = copied(page, "markdown")
    assert "<script" not in markdown
    assert "](javascript" not in markdown.replace("\\](", "")
    table = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert len(table) > 3
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    for row in csv.reader(io.StringIO(copied(page, "csv"))):
        assert not any(field[:1] in "=+@" and field for field in row)


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_open_menus_are_accessible(open_page, folder, serious_findings, width, scheme):
    page = open_page(folder.html, width=width, scheme=scheme)
    page.click("details.columns summary")
    assert serious_findings(page) == []
    page.keyboard.press("Escape")
    assert page.locator("details.menu[open]").count() == 0
    if page.locator("button.filters").is_visible():  # folded where there is little room
        page.click("button.filters")
        assert serious_findings(page) == []
    for menu in page.locator("#overview details.menu > summary").all():
        menu.click()
        box = page.locator("details.menu[open] > div").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        page.keyboard.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
