"""Inputs that strangers might give each reader, drawn by hypothesis, and what reads them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from skinbench import registry
from skinbench.data.unpack import unpack
from skinbench.score.foreign_tables import read_known, read_predicted, stated_classes, whole_table
from skinbench.score.predictions import read_predictions
from skinbench.suite import load_suite
from tests.data import archives
from tests.data.isic2019.make import CLASSES, METADATA, TRUTH
from tests.fuzz.sandbox import survives
from tests.score.drawn import frame
from tests.suite.test_strangers import marks, suites

ODD = (
    *("", " ", "nan", "NaN", "inf", "-inf", "-1", "2", "1e400", "0x1", "1_000", "٣", "9" * 400),
    *("None", "null", "true", "é", "\u202e", "\u0085", "\ufeff", "\x1b[31m", "\x00", '"', "a\nb"),
    *("../../../../tmp/evil", "/etc/passwd", "C:\\x", "~", "$HOME", "%s%n", "=1+1", "a" * 300),
    *("image_id", "row", "label", "p_mel", "mel", "MEL", "1.0", "0.5", "0.0", "5"),
)
odd = st.sampled_from(ODD) | st.text(max_size=6)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A reader and what it is given."""

    inputs: st.SearchStrategy[Any]
    attempt: Callable[[Path, Any], object]
    """Gives an input, in a folder of its own, to the reader."""


# --- suites -------------------------------------------------------------------------------


def _suite(folder: Path, text: str | bytes) -> None:
    path = folder / "suite.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    survives(load_suite, path, folder=folder)


# --- text tables ----------------------------------------------------------------------------


@st.composite
def _text_table(draw: st.DrawFn, header: tuple[str, ...], rows: list[list[str]]) -> bytes:
    """A good table with some cells, lines or bytes that are not."""
    cells = [list(header), *(list(row) for row in rows)]
    for _ in range(draw(st.integers(0, 3))):
        row = draw(st.sampled_from(range(len(cells))))
        if not cells[row]:
            continue
        column = draw(st.sampled_from(range(len(cells[row]))))
        what = draw(st.sampled_from(["cell", "drop", "add", "twice"]))
        if what == "cell":
            cells[row][column] = draw(odd)
        elif what == "drop":
            del cells[row][column]
        elif what == "add":
            cells[row].append(draw(odd))
        else:
            cells.append(list(cells[row]))
    text = io.StringIO()
    csv.writer(text, delimiter=draw(st.sampled_from(",;\t|")), lineterminator="\n").writerows(cells)
    data = bytearray(text.getvalue().encode("utf-8", "surrogatepass"))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


_OWN = ("image_id", "path", "label", "lesion_id", "age", "sex", "site")
_OWN_ROWS = [
    [f"i{k}", f"i{k}.jpg", ("mel", "nv")[k % 2], f"l{k}", "50", "female", "back"] for k in range(3)
]
_TRUTH = ("image", *CLASSES)
_TRUTH_ROWS = [
    [f"I{k}", *("1.0" if c == k else "0.0" for c in range(len(CLASSES)))] for k in (0, 1)
]
_META = ("image", "age_approx", "anatom_site_general", "lesion_id", "sex")
_META_ROWS = [[f"I{k}", "45", "anterior torso", f"HAM_{k}", "male"] for k in (0, 1)]
_PREDICTED = ("image", "MEL", "NV", "BCC")
_PREDICTED_ROWS = [["I0", "0.2", "0.3", "0.5"], ["I1", "0.7", "0.2", "0.1"]]


def _own(folder: Path, data: bytes) -> None:
    entry = registry.datasets.get("csv")
    (folder / "metadata.csv").write_bytes(data)
    survives(entry.read, folder, entry.options, folder=folder)


def _one_hot(folder: Path, tables: tuple[bytes, bytes]) -> None:
    entry = registry.datasets.get("isic2019")
    (folder / TRUTH).write_bytes(tables[0])
    (folder / METADATA).write_bytes(tables[1])
    survives(entry.read, folder, entry.options, folder=folder)
    survives(_truth, folder / TRUTH, folder=folder)


def _truth(path: Path) -> None:
    read_known(path, stated_classes(whole_table(path), path))


def _predicted(folder: Path, data: bytes) -> None:
    path = folder / "predicted.csv"
    path.write_bytes(data)
    survives(read_predicted, path, folder=folder)


# --- archives ------------------------------------------------------------------------------

_ARCHIVES = (
    archives.zipped({"a/b.csv": b"a,b\n" * 9, "c.bin": b"12345"}, 8),
    archives.zipped({"images/i.jpg": bytes(range(200)), "t.csv": b"x"}),
    archives.named("../evil.txt", "a/b", "/abs"),
    archives.of_kind(archives.LINK),
    archives.encrypted(),
    archives.overlapping(3),
    archives.larger_than_said(),
)


@st.composite
def _archive(draw: st.DrawFn) -> bytes:
    if draw(st.booleans()):
        data = bytearray(draw(st.sampled_from(_ARCHIVES)))
    else:
        names = draw(st.lists(odd.filter(bool), min_size=1, max_size=3))
        # What no zip can be written with is a stranger's zip only by changing bytes.
        names = [name.encode("utf-8", "replace").decode()[:200] for name in names]
        data = bytearray(archives.named(*names))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        data[at : at + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


def _unpacked(folder: Path, data: bytes) -> None:
    archive = folder / "it.zip"
    archive.write_bytes(data)
    out = folder / "in" / "out"
    out.parent.mkdir()
    said = survives(unpack, archive, out, folder=out.parent)
    assert bool(said) != out.exists()
    if said:
        assert not list(out.parent.iterdir())


# --- predictions -----------------------------------------------------------------------------

_GOOD = pa.Table.from_pandas(frame(4), preserve_index=False)
_values = st.one_of(
    st.none(),
    st.floats(width=32),
    st.integers(-(2**40), 2**40),
    st.booleans(),
    odd,
    st.binary(max_size=4),
)
_notes = st.dictionaries(
    st.sampled_from([b"classes", b"pandas", b"ARROW:schema", b"\xff", b"cell"]),
    st.binary(max_size=8) | st.sampled_from([b"mel,nv", b"{}", b"[]", b",", b"mel,mel", b"\xff,"]),
    max_size=2,
)


@st.composite
def _parquet(draw: st.DrawFn) -> bytes:
    """A good table of predictions with other columns, notes or bytes."""
    table = _GOOD
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(table.column_names) | odd)
        if draw(st.booleans()) and name in table.column_names and table.num_columns > 1:
            table = table.drop_columns([name])
            continue
        value = draw(_values)
        column = pa.array([value] * table.num_rows)
        if value is not None and draw(st.booleans()):
            column = column.dictionary_encode()
        place = table.schema.get_field_index(name)
        name = name.encode("utf-8", "replace").decode()
        table = (
            table.append_column(name, column)
            if place < 0
            else table.set_column(place, name, column)
        )
    if draw(st.booleans()):
        table = table.replace_schema_metadata(draw(_notes) or None)
    sink = io.BytesIO()
    pq.write_table(table, sink, store_schema=draw(st.booleans()))
    data = bytearray(sink.getvalue())
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


def _predictions(folder: Path, data: bytes) -> None:
    path = folder / "predictions.parquet"
    path.write_bytes(data)
    survives(read_predictions, path, folder=folder)
    survives(read_predicted, path, folder=folder)


READERS = {
    "suites": Reader(inputs=suites | marks | st.binary(max_size=300), attempt=_suite),
    "tables": Reader(inputs=_text_table(_OWN, _OWN_ROWS) | st.binary(max_size=80), attempt=_own),
    "one-hot": Reader(
        inputs=st.tuples(_text_table(_TRUTH, _TRUTH_ROWS), _text_table(_META, _META_ROWS)),
        attempt=_one_hot,
    ),
    "predicted": Reader(inputs=_text_table(_PREDICTED, _PREDICTED_ROWS), attempt=_predicted),
    "archives": Reader(inputs=_archive(), attempt=_unpacked),
    "predictions": Reader(inputs=_parquet(), attempt=_predictions),
}
