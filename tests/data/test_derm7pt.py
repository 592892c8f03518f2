import json
from pathlib import Path

import pytest

from skinbench import registry
from skinbench.catalog.datasets import derm7pt
from skinbench.data import splits
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.errors import DataError, UsageError
from skinbench.store import Store
from tests.data.derm7pt.make import LISTS, make
from tests.data.ham10000.make import write_image, write_table


@pytest.mark.parametrize(("view", "first"), [("derm", "Nel001.jpg"), ("clinic", "Nel000.jpg")])
def test_each_view_is_a_dataset(tmp_path: Path, view: str, first: str) -> None:
    rows = make(tmp_path)
    raw = derm7pt.read(tmp_path, {"view": view})
    table = raw.table
    assert len(table) == 10
    assert table["image_id"][0] == f"case1_{view}"
    assert table["path"][0] == f"images/NEL/{first}"
    assert all((tmp_path / path).is_file() for path in table["path"])
    assert table["label"].tolist() == [row["diagnosis"] for row in rows]
    assert table["lesion_id"].tolist() == [None] * 8 + ["A12"] * 2
    assert table["site"][0] == "head neck"
    assert raw.unused_files == (), "the other view is used by the other view"
    attributes = json.loads(table["attributes"][0])
    assert attributes["seven_point_score"] == "0"
    assert attributes["management"] == "excision"
    assert not attributes.keys() & {"derm", "clinic", "diagnosis", "notes"}


def test_the_official_lists_are_a_split(tmp_path: Path, store: Store) -> None:
    make(tmp_path)
    manifest = read_manifest(DataRequest(name="d", adapter="derm7pt", root=tmp_path), store)
    split = splits.published("official", manifest, {})
    found = split.table.set_index("image_id")["split"].to_dict()
    names = {"train": "train", "valid": "val", "test": "test"}
    assert found == {
        f"case{index + 1}_derm": names[name] for name, indexes in LISTS.items() for index in indexes
    }
    assert (split.group, split.notes) == ("given", ())


def test_the_split_is_of_the_images_that_are_left(tmp_path: Path, store: Store) -> None:
    make(tmp_path)
    (tmp_path / "images/NEL/Nel001.jpg").unlink()
    manifest = read_manifest(DataRequest(name="d", adapter="derm7pt", root=tmp_path), store)
    split = splits.published("official", manifest, {"view": "derm"})
    assert len(split.table) == 9
    assert split.notes == ("1 of 10 images of the published split are not in d",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("indexes\n0\n", r"test_indexes\.csv: row 2: indexes 0 is in train too"),
        ("indexes\n10\n", r"test_indexes\.csv: row 2: indexes 10 is not one of 10 rows"),
        ("indexes\n-1\n", r"row 2: indexes '-1' is no whole number"),
        ("index\n1\n", "no column indexes"),
    ],
)
def test_broken_lists(tmp_path: Path, text: str, message: str) -> None:
    make(tmp_path)
    (tmp_path / "meta/test_indexes.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        derm7pt.published(tmp_path, {"view": "derm"})
    (tmp_path / "meta/test_indexes.csv").unlink()
    with pytest.raises(DataError, match=r"no test_indexes\.csv"):
        derm7pt.published(tmp_path, {"view": "derm"})


def test_a_dataset_that_comes_without_a_split(tmp_path: Path, store: Store) -> None:
    from tests.data.ham10000 import make as ham

    ham.make(tmp_path)
    manifest = read_manifest(DataRequest(name="h", adapter="ham10000", root=tmp_path), store)
    with pytest.raises(UsageError, match=r"splits\.o\.published: ham10000 comes without a split"):
        splits.published("o", manifest, {})


@pytest.mark.parametrize("cell", ["../../x.jpg", "/etc/x.jpg", "C:\\x.jpg"])
def test_hostile_paths(tmp_path: Path, cell: str) -> None:
    rows = make(tmp_path)
    rows[4]["derm"] = cell
    write_table(tmp_path / "meta/meta.csv", rows)
    with pytest.raises(DataError, match=r"meta\.csv: row 6: derm .* (leaves|is absolute)"):
        derm7pt.read(tmp_path, {"view": "derm"})


def test_what_is_no_derm7pt(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="view is derm or clinic, got 'both'"):
        derm7pt.read(tmp_path, {"view": "both"})
    with pytest.raises(DataError, match=r"Derm7pt: no meta\.csv in"):
        derm7pt.read(tmp_path, {"view": "derm"})
    assert registry.datasets.get("derm7pt").options == {"view": "derm"}


def test_a_file_of_neither_view_is_unused(tmp_path: Path) -> None:
    make(tmp_path)
    write_image(tmp_path / "images/x.jpg", seed=1)
    assert derm7pt.read(tmp_path, {"view": "derm"}).unused_files == ("images/x.jpg",)
