"""A file that runs a program where it is unpickled: no reader of ours does that."""

from __future__ import annotations

import ast
import json
import pickle  # noqa: TID251
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skinbench.bundle.likeness import read_arrays
from skinbench.bundle.reading import open_bundle
from skinbench.catalog.datasets._tables import read_table
from skinbench.errors import SkinbenchError
from skinbench.gate.baseline import read_baseline
from skinbench.score.foreign_tables import read_predicted
from skinbench.score.predictions import read_predictions, write_predictions
from skinbench.store import read_json
from skinbench.store.arrays import open_array
from skinbench.store.parquet import read_parquet_table
from skinbench.suite import load_suite
from tests.fuzz.sandbox import survives
from tests.score.drawn import CLASSES, frame

SOURCE = Path(__file__).parents[2] / "src" / "skinbench"


class Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.write_text, (self.canary, "it ran"))


@pytest.fixture
def evil(tmp_path: Path) -> bytes:
    """A pickle that would write `canary` beside the folder of the input."""
    return pickle.dumps(Evil(tmp_path / "canary"))


def _npy(content: bytes) -> bytes:
    """A .npy file that says that it holds objects, and then the pickle."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


def _arrow(content: bytes) -> bytes:
    """Predictions one column of which names Arrow's old pickled extension type."""
    table = pa.Table.from_pandas(frame(4), preserve_index=False)
    about = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": content,
    }
    fields = [field.with_metadata(about) for field in table.schema]
    sink = pa.BufferOutputStream()
    pq.write_table(table.cast(pa.schema(fields)), sink)
    return bytes(sink.getvalue())


def _plain(content: bytes) -> bytes:
    return content


def _yaml(content: bytes) -> bytes:
    return b"name: x\nrows: !!python/object/apply:os.system ['true']\n"


READERS: dict[str, tuple[Callable[[bytes], bytes], str, Callable[[Path], object]]] = {
    "suite": (_yaml, "suite.yaml", load_suite),
    "suite of bytes": (_plain, "suite.yaml", load_suite),
    "table": (_plain, "table.csv", read_table),
    "parquet table": (_plain, "table.parquet", read_table),
    "predictions": (_plain, "p.parquet", read_predictions),
    "given predictions": (_plain, "p.pq", read_predicted),
    "array": (_plain, "images.npy", open_array),
    "array of objects": (_npy, "images.npy", open_array),
    "mapped objects": (_npy, "images.npy", lambda path: open_array(path, "r")),
    "JSON": (_plain, "plan.json", read_json),
    "baseline": (_plain, "baseline.json", read_baseline),
    "likeness": (_plain, "likeness.safetensors", read_arrays),
    "bundle": (_plain, "bundle.json", lambda path: open_bundle(path.parent)),
}


@pytest.mark.parametrize("name", READERS)
def test_no_reader_unpickles(name: str, tmp_path: Path, evil: bytes) -> None:
    wrap, file_name, read = READERS[name]
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / file_name
    path.write_bytes(wrap(evil))
    assert survives(read, path, folder=path.parent)
    assert not (tmp_path / "canary").exists()


def test_the_pickle_is_a_real_one(tmp_path: Path, evil: bytes) -> None:
    pickle.loads(evil)  # noqa: S301
    assert (tmp_path / "canary").read_text() == "it ran"


def test_a_pickled_type_of_arrow_stays_bytes(tmp_path: Path, evil: bytes) -> None:
    path = tmp_path / "p.parquet"
    path.write_bytes(_arrow(evil))
    assert survives(read_predictions, path, folder=tmp_path / "none") == ""
    assert not (tmp_path / "canary").exists()


@pytest.mark.torch
@pytest.mark.parametrize("file_name", ["w.pth", "w.pt", "w.bin", "w.safetensors"])
@pytest.mark.parametrize("saved", [False, True])
def test_no_weights_are_unpickled(file_name: str, saved: bool, tmp_path: Path, evil: bytes) -> None:
    import torch

    from skinbench.catalog.models.timm import load_weights
    from skinbench.learn.trained import read_tensors

    path = tmp_path / file_name
    if saved:
        torch.save({"state_dict": Evil(tmp_path / "canary")}, path)
    else:
        path.write_bytes(evil)
    said = survives(read_tensors, path, folder=tmp_path / "none")
    assert "is no checkpoint of tensors alone" in said or "is not a readable .safetensors" in said
    network = torch.nn.Linear(1, 1)
    assert survives(load_weights, network, path, "linear", folder=tmp_path / "none")
    assert not (tmp_path / "canary").exists()


@pytest.mark.torch
def test_a_checkpoint_that_is_a_pickle_is_none(tmp_path: Path, evil: bytes) -> None:
    from skinbench.learn.checkpoint import checkpoint_path, load_checkpoint
    from skinbench.store import Store

    store = Store(tmp_path / "store")
    path = checkpoint_path(store, "f" * 32)
    path.parent.mkdir(parents=True)
    path.write_bytes(evil)
    assert load_checkpoint(store, "f" * 32) is None
    assert not (tmp_path / "canary").exists()


UNPICKLING = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
ONE_WAY = {
    "np.load": {"store/arrays.py"},
    "pq.read_table": set(),
    "pq.ParquetFile": {"store/parquet.py"},
    "pd.read_parquet": set(),
    "pd.read_pickle": set(),
    "pd.read_hdf": set(),
    "torch.load": {"learn/trained.py"},
    "yaml.load": set(),
    "eval": set(),
    "exec": set(),
}
"""What reads a file, and the only modules that may call it."""


def test_each_kind_of_file_has_one_reader() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                imported = [item.name for item in node.names] + [getattr(node, "module", "") or ""]
                assert not UNPICKLING & {item.partition(".")[0] for item in imported}, name
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert name in ONE_WAY.get(called, {name}), f"{name}:{node.lineno}: {called}"
                if called == "torch.load":
                    assert any(
                        word.arg == "weights_only" and ast.unparse(word.value) == "True"
                        for word in node.keywords
                    )


# --- how much ----------------------------------------------------------------------------


def test_a_few_bytes_that_stand_for_very_many(tmp_path: Path) -> None:
    words = pa.DictionaryArray.from_arrays(
        pa.array([0] * 9000, pa.int32()), pa.array(["x" * 10**6])
    )
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"image_id": words}), path, store_schema=False)
    assert path.stat().st_size < 100_000
    for read in (read_parquet_table, read_predictions, read_predicted, read_table):
        with pytest.raises((SkinbenchError, pa.ArrowInvalid), match="unpacks to more than"):
            read(path)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (pa.table({"a": pa.nulls(2000)}), "2,000 rows"),
        (pa.table({f"c{k}": [1] for k in range(20)}), "20 columns"),
        (pa.table({"a": [[1]]}), "nested"),
        (pa.table([[1], [2]], names=["a", "a"]), "twice"),
    ],
)
def test_limits_of_parquet(
    table: pa.Table, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skinbench.store.parquet.MAX_COLUMNS", 10)
    monkeypatch.setattr("skinbench.store.parquet.MAX_CELLS", 1000)
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(pa.ArrowInvalid, match=why):
        read_parquet_table(tmp_path / "t.parquet")


def test_a_table_is_read_as_arrow_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "fold=1" / "p.parquet"
    path.parent.mkdir()
    write_predictions(path, frame(50), classes=CLASSES, metadata={"cell": "a"})
    expected = pq.read_table(path, partitioning=None)
    found = read_parquet_table(path)
    assert found.equals(expected)
    assert found.schema.equals(expected.schema, check_metadata=True)
    assert read_parquet_table(path, ["split", "fold"]).equals(expected.select(["split", "fold"]))


def test_limits_of_text_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_text(",".join(f"c{k}" for k in range(12_000)) + "\n")
    with pytest.raises(SkinbenchError, match="12,000 columns; at most 10,000"):
        read_table(path)
    monkeypatch.setattr("skinbench.catalog.datasets._tables.MAX_BYTES", 10)
    with pytest.raises(SkinbenchError, match="larger than 10 bytes"):
        read_table(path)


def test_numbers_without_end_are_no_json(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"n": 1}).replace("1", "9" * 5000))
    assert "is not valid JSON" in survives(read_json, path, folder=tmp_path)


def test_an_archive_of_arrays_is_no_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(2))
    assert "archive" in survives(open_array, tmp_path / "a.npz", folder=tmp_path)
