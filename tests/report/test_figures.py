"""Drawings: same bytes, clean SVG, ids that do not clash, any name."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from skinbench.records import Confusion, EpochRecord
from skinbench.report import figures
from skinbench.report.board import BoardColumn, BoardRow, TestSet
from skinbench.report.confusion_figure import confusion_figure

COUNTS = ((5, 1, 0), (0, 0, 0), (2, 0, 1000))


def confusion(row: str = "a/b") -> figures.Drawing:
    record = Confusion(row=row, dataset="d", condition="none", seed=0, counts=COUNTS)
    return confusion_figure("confusion-a", record, ("x", "y", "z"))


def epochs(n: int, val: bool = True) -> tuple[EpochRecord, ...]:
    return tuple(
        EpochRecord(
            epoch=i + 1, train_loss=1 / (i + 1), val_log_loss=0.5 if val else None,
            val_accuracy=0.5 if val else None, val_balanced_accuracy=None, learning_rate=0.1,
            seconds=1, images=10,
        )
        for i in range(n)
    )  # fmt: skip


def test_confusion_counts_are_text_and_bytes_are_stable():
    drawing = confusion()
    assert drawing.svg == confusion().svg
    root = ElementTree.fromstring(drawing.svg)
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "1,000" in texts
    assert {"x", "y", "z", "true", "decided"} <= set(texts)
    assert "1,005 of 1,008" in drawing.alt


def test_svg_has_no_date_metadata_or_address_to_load():
    svg = confusion().svg
    assert "metadata" not in svg
    assert "<!--" not in svg
    assert "date" not in svg
    assert set(re.findall(r"https?://[^\"\s]+", svg)) <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["<b>&\"'", "$x$ _a_ ^", "名前 🙂", "--><script>", "#1d2430"])
def test_any_name_gives_valid_svg(name):
    drawing = confusion(name)
    ElementTree.fromstring(drawing.svg)
    inline = drawing.inline("p")
    ElementTree.fromstring(inline)
    assert "<script" not in inline


def test_inline_drawings_share_no_id_and_follow_the_page_colours():
    drawing = figures.curves_figure("curves", "row", {"a": epochs(3)}, {"a": 2})
    first, second = drawing.inline("one"), drawing.inline("two")
    ids = re.findall(r'\bid="([^"]+)"', first)
    assert ids, "clip paths and markers have ids"
    assert not set(ids) & set(re.findall(r'\bid="([^"]+)"', second))
    for used in re.findall(r'(?:href="#|url\(#)([^")]+)', first):
        assert used in ids
    assert "var(--data-a)" in first
    assert figures.BLUE not in first
    assert "http" not in first
    assert 'role="img"' in first


@pytest.mark.parametrize("history", [(), epochs(1), epochs(4, val=False), epochs(40)])
def test_curves_of_any_history(history):
    drawing = figures.curves_figure("c", "row", {"a": history}, {"a": 9})
    ElementTree.fromstring(drawing.svg)


def test_forest_without_scores_is_none_and_undefined_is_said():
    columns = (BoardColumn(metric="recall", class_="mel"), BoardColumn(metric="balanced_accuracy"))
    table = TestSet(
        dataset="d", dataset_digest="", split="s", split_digest="", condition="none",
        classes=("mel", "nv"), focus="mel", level=0.95, columns=columns, rows=(),
    )  # fmt: skip
    assert figures.forest_figure("f", table) is None
    row = BoardRow(
        run="r", row="a" * 90, kind="fit", model="m", input="i", technique="t", split="s",
        status="done", n=3, n_positive=0, scores={},
    )  # fmt: skip
    drawing = figures.forest_figure("f", TestSet(**{**table.__dict__, "rows": (row,)}))
    assert drawing is not None
    assert drawing.svg.count(">undefined<") == 2
