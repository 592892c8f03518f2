import time
from itertools import pairwise

import pytest

from skinbench.errors import SuiteError
from skinbench.suite import read_document
from skinbench.suite.document import parse_document


def value(text):
    return parse_document(f"v: {text}\n").values["v"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        ("-.5", -0.5),
        ("3.", 3.0),
        ("12", 12),
        ("-0", 0),
        ("007", 7),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("2024-01-31", "2024-01-31"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("'1'", "1"),
        ("[1, a, [2]]", [1, "a", [2]]),
    ],
)
def test_words_are_those_of_yaml_1_2(text, expected):
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_on_stays_a_key():
    assert parse_document("on: x\nno: 1\n1: z\n").values == {"on": "x", "no": 1, "1": "z"}


def test_every_key_has_its_line():
    found = parse_document("a: 1\nb:\n  c:\n    - 1\n    - d: 2\n")
    assert found.line(("a",)) == 1
    assert found.line(("b", "c", 0)) == 4
    assert found.line(("b", "c", 1, "d")) == 5
    assert found.line(("b", "c", 1, "absent", "x")) == 5
    assert found.line(("absent",)) == 1


def test_aliases_are_read_where_they_stand():
    found = parse_document("a: &x {k: 1}\nb: *x\n").values
    assert found == {"a": {"k": 1}, "b": {"k": 1}}
    found["a"]["k"] = 2
    assert found["b"]["k"] == 1


@pytest.mark.parametrize(
    ("text", "message", "line", "key"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "stands twice, first in line 3", 4, "b.c"),
        ("a: 1\nb: [1, 2\n", "not valid YAML", 3, ""),
        ("a: 1\nb: *x\n", "not valid YAML", 2, ""),
        ("- 1\n", "needs a mapping", None, ""),
        ("", "needs a mapping", None, ""),
        ("a: 1\n---\nb: 2\n", "not valid YAML", 2, ""),
        ("a:\n  ? [1]\n  : 2\n", "a key must be plain text", 2, "a"),
        ("a: 1\nb: !!python/object:os.system x\n", "tag", 2, "b"),
        ("a: !!timestamp 2024-13-45\n", "tag", 1, "a"),
        ("a: !!binary aGk=\n", "tag", 1, "a"),
        ("a: !!bool maybe\n", "cannot be read as", 1, "a"),
        ("a: !!int x\n", "cannot be read as", 1, "a"),
        ("a: 1\nb: \x00\n", "not valid YAML", None, ""),
        ("a: " + "9" * 5000, "cannot be read as", 1, "a"),
        ("a: &x [*x]\n", "too deeply", 1, "a.0.0.0"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text, message, line, key):
    with pytest.raises(SuiteError) as caught:
        parse_document(text)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.key) == (line, key)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 60 + "]" * 60,
        "a: " + "[" * 100_000,
        "a: " + "{a: " * 60 + "1" + "}" * 60,
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{c}: &{c} [{', '.join([f'*{p}'] * 10)}]\n" for p, c in pairwise("abcdefg")),
        "a: [" + "1, " * 60_000 + "]",
    ],
    ids=["deep list", "very deep list", "deep mapping", "alias bomb", "many nodes"],
)
def test_limits_hold_and_hold_soon(text):
    start = time.process_time()
    with pytest.raises(SuiteError, match=r"too (large|deeply)|nested too deeply"):
        parse_document(text)
    assert time.process_time() - start < 20  # of this process, whoever else computes


def test_files_that_cannot_be_read(tmp_path):
    big = tmp_path / "big.yaml"
    big.write_text("a: '" + "x" * 1_000_000 + "'")
    with pytest.raises(SuiteError, match="larger than 1,000,000 bytes"):
        read_document(big)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: é".encode("latin-1"))
    with pytest.raises(SuiteError, match="not UTF-8"):
        read_document(latin)
    with pytest.raises(SuiteError, match="No such file"):
        read_document(tmp_path / "absent.yaml")
    with pytest.raises(SuiteError, match="Is a directory"):
        read_document(tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\n")
    assert read_document(path).values == {"name": "x"}
