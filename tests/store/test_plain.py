"""Records to JSON and back, and one text for equal values."""

import dataclasses
import json
import math
import typing
from collections.abc import Mapping
from enum import Enum
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from skinbench import records
from skinbench.errors import CorruptObjectError, StoreError
from skinbench.records.learning import later
from skinbench.store import (
    canonical_json,
    content_digest,
    from_plain,
    read_json,
    read_record,
    to_plain,
    write_json,
)
from tests.examples import examples

# Entries hold functions, manifests and splits hold tables: those never pass as JSON.
RECORDS = [
    kind
    for name in records.__all__
    if dataclasses.is_dataclass(kind := getattr(records, name))
    and not name.endswith("Entry")
    and name not in ("Manifest", "SplitTable", "RawDataset", "Event", "Preprocessing")
]

text = st.text(max_size=6)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
free = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | numbers | text,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(text | st.just("class"), inner, max_size=2)
    ),
    max_leaves=4,
)


def of(kind):
    """Values of a field's type."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    simple = {
        str: text,
        int: st.integers(0, 99),
        float: numbers,
        bool: st.booleans(),
        object: free,
        type(None): st.none(),
        Path: st.just(Path("/x/y")),
    }
    if kind in simple:
        return simple[kind]
    if dataclasses.is_dataclass(kind):
        return record(kind)
    if origin is typing.Literal:
        return st.sampled_from(args)
    if origin is tuple and args[-1] is Ellipsis:
        return st.lists(of(args[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(of(item) for item in args))
    if origin in (dict, Mapping):
        return st.dictionaries(of(args[0]) | st.just("class"), of(args[1]), max_size=2)
    return st.one_of(*(of(item) for item in args))


def record(kind):
    kinds = typing.get_type_hints(kind)
    return st.builds(kind, **{item.name: of(kinds[item.name]) for item in dataclasses.fields(kind)})


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_record_comes_back_as_it_went(kind):
    @settings(max_examples=examples(15), deadline=None)
    @given(record(kind))
    def check(value):
        written = json.loads(json.dumps(to_plain(value), allow_nan=False))
        assert from_plain(kind, written) == value
        assert canonical_json(from_plain(kind, written)) == canonical_json(value)

    check()


def test_a_field_named_class_is_class_in_json():
    check = records.ClaimResult(
        row="a",
        metric="recall",
        class_="mel",
        claimed=1.0,
        source="s",
        measured=None,
        verdict="not run",
    )
    assert to_plain(check)["class"] == "mel"
    assert "class_" not in canonical_json(check)


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (math.inf, None),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.float64("nan"), None),
        ((1, 2), [1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        pytest.param(frozenset("ba"), ["a", "b"], id="frozenset"),  # its text has no fixed order
        ({1: {"a": (1,)}}, {"1": {"a": [1]}}),
        (Path("a") / "b", "a/b"),
        (Colour.RED, "red"),
        (pd.Timestamp, pd.Timestamp),
        ("text", "text"),
    ],
    ids=repr,
)
def test_to_plain(value, expected):
    assert to_plain(value) == expected


def test_canonical_json_is_one_text_for_equal_values():
    assert canonical_json({"b": 1, "a": [1.0, 0.1]}) == '{"a":[1.0,0.1],"b":1}'
    assert canonical_json({"a": 1, "b": 2}) == canonical_json({"b": 2, "a": 1})
    assert canonical_json((1, 2)) == canonical_json([1, 2])
    assert canonical_json(np.float64(0.1)) == canonical_json(0.1)
    assert canonical_json({"ä": "é"}) == '{"\\u00e4":"\\u00e9"}'


def test_content_digests_are_fixed():
    """A change here orphans every stored fit."""
    assert content_digest({"a": [1, 0.1, None, True, "x"]}) == "f296660dbde43e218e76522dfe20f0f3"
    assert len({content_digest(v) for v in (0, 0.0, "0", None, False, [], {}, [[]])}) == 8


def test_reading_json_back(tmp_path):
    path = tmp_path / "deep" / "x.json"
    write_json(path, {"b": (1, math.nan), "a": PurePosixPath("x").name})
    assert path.read_text() == '{\n "a": "x",\n "b": [\n  1,\n  null\n ]\n}\n'
    assert read_json(path) == {"a": "x", "b": [1, None]}
    with pytest.raises(StoreError, match="No such file"):
        read_json(tmp_path / "absent.json")
    for broken in (b"{", b"\xff\xfe", b"", b"[" * 100_000):
        path.write_bytes(broken)
        with pytest.raises(CorruptObjectError, match="not valid JSON"):
            read_json(path)


def test_reading_a_record_that_is_none(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"row": "a", "fold": "zero", "seed": 0, "fit": None})
    with pytest.raises(CorruptObjectError, match="is not a Cell: fold"):
        read_record(path, records.Cell)
    with pytest.raises(ValidationError):
        from_plain(records.Cell, [])


def test_a_field_that_came_later_is_left_out_where_it_has_its_default():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Before:
        name: str

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class After:
        name: str
        extra: int | None = later(None)

    assert content_digest(After(name="a")) == content_digest(Before(name="a"))
    assert to_plain(After(name="a", extra=0)) == {"name": "a", "extra": 0}
    assert from_plain(After, {"name": "a"}) == After(name="a")
    assert from_plain(After, to_plain(After(name="a", extra=3))).extra == 3
