# ruff: noqa: RUF001
"""Numbers as text, and names that could do harm."""

from __future__ import annotations

import math

import pytest
from markupsafe import Markup

from skinbench.records import Score
from skinbench.report import markdown, numbers
from skinbench.report.tables import Column, Entry, Table, measure


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.7124, "0.712"), (0.0, "0.000"), (-0.0001, "0.000"), (1, "1.000"), (None, "–"),
     (math.nan, "–"), (math.inf, "–"), (-0.25, "-0.250")],
)  # fmt: skip
def test_number(value, text):
    assert numbers.number(value) == text


def test_estimate_and_signed():
    assert numbers.estimate(0.712, 0.65, 0.77) == "0.712 [0.650, 0.770]"
    assert numbers.estimate(0.712, None, None) == "0.712"
    assert numbers.estimate(0.712, None, 0.9) == "0.712 [–, 0.900]"
    assert numbers.estimate(None, 0.1, 0.2) == "–"
    assert [numbers.signed(v) for v in (0.01, -0.01, None)] == ["+0.010", "-0.010", "–"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (71.2, "71 s"), (100, "1 min 40 s"),
     (3599.6, "1 h 00 min"), (11220, "3 h 07 min"), (None, "–")],
)  # fmt: skip
def test_duration(seconds, text):
    assert numbers.duration(seconds) == text


def test_counts_shares_bytes():
    assert numbers.count(10015) == "10,015"
    assert numbers.count(None) == "–"
    assert numbers.counted(1, "image") == "1 image"
    assert numbers.counted(2, "class", "classes") == "2 classes"
    assert numbers.share(1, 0) == "–"
    assert numbers.share(46, 120) == "38.3 %"
    assert [numbers.bytes_(v) for v in (999, 1000, 25e9, 3e15)] == [
        "999 B", "1.0 kB", "25.0 GB", "3000.0 TB",
    ]  # fmt: skip


def test_text_from_data_is_one_visible_line():
    assert numbers.one_line("a\nb\tc\x1b[31m\u202ed") == "a b c\ufffd[31m\ufffdd"
    assert numbers.lines("a\n\tb\x00") == "a\n    b\ufffd"
    "\ufffd".encode()
    numbers.one_line("\udcff").encode()


@pytest.mark.parametrize("width", [5, 12, 30])
@pytest.mark.parametrize(
    "name", ["a", "", "techniques/mobilenetv2_100,class_weights,image", "x" * 40, "/,/_-", "a b c"]
)
def test_wrapped_names_lose_nothing(name, width):
    found = numbers.wrapped(name, width)
    assert all(len(line) <= width for line in found)
    assert "".join(found).replace(" ", "") == name.replace(" ", "")
    assert "".join(numbers.pieces(name)) == name


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("class_weights", "class_weights"),
        ("_a_", "\\_a\\_"),
        ("a|b", "a\\|b"),
        ("`x`", "\\`x\\`"),
        ("<b>", "&lt;b&gt;"),
        ("[a](b)", "\\[a\\](b)"),
        ("- x", "\\- x"),
        ("1. x", "1\\. x"),
        ("-0.5", "-0.5"),
        ("1.5 GB", "1.5 GB"),
        ("# x", "\\# x"),
        ("a\n# b", "a \\# b"),
        ("\\|", "\\\\\\|"),
        ("@user", "@<!-- -->user"),
        ("row@0.1", "row@0.1"),
        ("===", "\\==="),
    ],
)
def test_markdown_escape(text, escaped):
    assert markdown.escape(text) == escaped
    assert markdown.escape(Markup("**own**")) == "**own**"


def test_fence_is_longer_than_any_in_the_text():
    assert markdown.fenced("a ```` b", "sh") == "`````sh\na ```` b\n`````"


def test_markdown_table():
    table = Table(
        name="t",
        caption="c",
        columns=(Column(title="a|b"), Column(title="n", numeric=True)),
        rows=((Entry(text="x|y"), Entry(text="0.5", detail="[0.400, 0.600]", mark="†")),),
        notes=("† a note",),
    )
    assert markdown.table(table) == (
        "| a\\|b | n |\n| --- | ---: |\n| x\\|y | 0.5 † [0.400, 0.600] |\n\n† a note"
    )


def test_measure_of_undefined_absent_and_unbounded():
    place = {"row": "r", "metric": "recall", "n": 5, "class_": "mel"}
    assert measure(None).why == "not scored"
    undefined = measure(Score(**place, value=None, reason="no image of this class"))
    assert (undefined.text, undefined.why, undefined.bar) == (
        "–", "no image of this class", None,
    )  # fmt: skip
    alone = measure(Score(**place, value=0.5))
    assert alone.detail == ""
    assert (alone.bar.low, alone.bar.high) == (0.5, 0.5)
    loss = measure(Score(row="r", metric="log_loss", n=5, value=1.4, low=1.0, high=2.0))
    assert loss.bar is None


def test_ends_of_a_difference_show_on_which_side_of_zero_they_are():
    assert numbers.ends(0.0002, 0.1) == "[0.0002, 0.100]"
    assert numbers.ends(-0.2, 0.0) == "[-0.200, 0.000]"
    assert numbers.ends(None, None) == ""
    assert numbers.bounds(0.0002, 0.1) == "[0.000, 0.100]"
