"""Addresses of cells."""

from __future__ import annotations

import re

import pytest

from skinbench.report.cells import slug


@pytest.mark.parametrize(
    "row", ["p1/multimodal", "<script>alert(1)</script>", "é/ü", "a" * 300, "../..", ""]
)
def test_slugs_are_plain(row: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(row, "ham", "blur@3"))


def test_slugs_differ_where_cells_do() -> None:
    names = ["a", "A", "a/b", "a b", "a-b", "a+b", "é", "è", "x" * 200, "x" * 201]
    cells = [(n, d, c) for n in names for d in ("ham", "ham b") for c in ("none", "b", "b ham")]
    assert len({slug(*cell) for cell in cells}) == len(cells)


def test_a_slug_says_what_it_is() -> None:
    assert slug("p1/multimodal", "ham").startswith("p1-multimodal-ham-")
    assert "blur-3" in slug("p1/multimodal", "ham", "blur@3")
