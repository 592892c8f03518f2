from pathlib import Path

import pytest

from skinbench.catalog.datasets import image_folder
from skinbench.data import splits
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.errors import DataError
from skinbench.store import Store
from tests.data.ham10000.make import write_image
from tests.data.image_folder.make import make


def test_a_folder_is_a_class(tmp_path: Path, store: Store) -> None:
    make(tmp_path)
    write_image(tmp_path / "nevus" / "deeper" / "more.png", seed=9)
    write_image(tmp_path / "loose.jpg", seed=8)
    write_image(tmp_path / ".cache" / "x.jpg", seed=7)
    raw = image_folder.read(tmp_path, {})
    assert raw.table["label"].tolist() == ["melanoma"] * 3 + ["nevus"] * 4
    assert raw.table["image_id"].tolist()[:4] == ["img0000", "img0001", "img0002", "more"]
    assert raw.unused_files == ("loose.jpg",)
    manifest = read_manifest(DataRequest(name="f", adapter="image_folder", root=tmp_path), store)
    assert manifest.label_space.classes == ("melanoma", "nevus")
    with pytest.raises(DataError, match="no split comes with it"):
        splits.published("p", manifest, {})


def test_folders_of_splits_are_a_published_split(tmp_path: Path, store: Store) -> None:
    make(tmp_path, splits=("train", "Valid", "test"))
    manifest = read_manifest(DataRequest(name="f", adapter="image_folder", root=tmp_path), store)
    assert manifest.label_space.classes == ("melanoma", "nevus")
    table = splits.published("p", manifest, {}).table
    assert table["split"].value_counts().to_dict() == {"train": 6, "val": 6, "test": 6}
    merged = table.merge(manifest.table, on="image_id")
    assert all(
        path.split("/")[0].lower().startswith(split)
        for path, split in zip(merged["path"], merged["split"], strict=True)
    )


def test_names_that_repeat_get_their_folders(tmp_path: Path) -> None:
    make(tmp_path, same=True)
    write_image(tmp_path / "nevus" / "own.jpg", seed=5)
    ids = image_folder.read(tmp_path, {}).table["image_id"].tolist()
    assert ids[0] == "melanoma__0000"
    assert ids[-1] == "own"
    assert len(set(ids)) == 7


def test_trees_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a folder"):
        image_folder.read(tmp_path / "absent", {})
    write_image(tmp_path / "loose.jpg", seed=8)
    with pytest.raises(DataError, match="no image in a folder of its class"):
        image_folder.read(tmp_path, {})
    make(tmp_path, splits=("train", "val", "valid"))
    with pytest.raises(DataError, match="two folders mean the same split"):
        image_folder.read(tmp_path, {})


def test_hostile_names(tmp_path: Path, store: Store) -> None:
    make(tmp_path / "in")
    write_image(tmp_path / "in" / "ev\nil" / "a.jpg", seed=1)
    with pytest.raises(DataError, match=r"label 'ev\\nil' contains a control character"):
        image_folder.read(tmp_path / "in", {})
    (tmp_path / "in" / "ev\nil" / "a.jpg").unlink()
    make(tmp_path / "out")
    (tmp_path / "in" / "other").symlink_to(tmp_path / "out" / "nevus")
    request = DataRequest(name="f", adapter="image_folder", root=tmp_path / "in")
    with pytest.raises(DataError, match=r"other/img0003\.jpg is a link that leads out of"):
        read_manifest(request, store)
