"""How much of the frame a lesion covers, read from masks once."""

from __future__ import annotations

import dataclasses

import pytest
from PIL import Image

from skinbench.data.lesion_sizes import measure_lesions, read_sizes, write_sizes
from skinbench.errors import CorruptObjectError
from skinbench.store import Store
from tests.data.made import manifest_of


def masked(tmp_path):
    manifest = dataclasses.replace(manifest_of(["nv"] * 4), root=tmp_path)
    table = manifest.table.assign(mask_path=["a.png", "b.png", None, "gone.png"])
    half = Image.new("L", (10, 8))
    half.paste(255, (0, 0, 5, 8))
    half.save(manifest.root / "a.png")
    Image.new("1", (10, 8)).save(manifest.root / "b.png")
    return dataclasses.replace(manifest, table=table)


def test_share_of_the_frame_of_images_with_a_mask(tmp_path):
    manifest, store = masked(tmp_path), Store(tmp_path / "store")
    first = manifest.table["image_id"].iloc[0]
    assert measure_lesions(manifest, store, workers=2) == {first: 0.5}, "an empty mask has no size"


def test_masks_are_read_once(tmp_path, monkeypatch):
    manifest, store = masked(tmp_path), Store(tmp_path / "store")
    measure_lesions(manifest, store, workers=1)
    monkeypatch.setattr("skinbench.data.lesion_sizes._share", lambda _: 1 / 0)
    assert len(measure_lesions(manifest, store, workers=1)) == 1
    (manifest.root / "a.png").write_bytes(b"another mask")
    with pytest.raises(ZeroDivisionError):
        measure_lesions(manifest, store, workers=1)


def test_a_broken_mask_has_no_size(tmp_path):
    manifest, store = masked(tmp_path), Store(tmp_path / "store")
    (manifest.root / "a.png").write_bytes(b"not a picture")
    assert measure_lesions(manifest, store, workers=1) == {}


def test_a_dataset_without_masks_has_none(tmp_path):
    manifest = manifest_of(["nv"] * 4)
    assert measure_lesions(manifest, Store(tmp_path / "store"), workers=1) == {}


def test_a_damaged_file_is_said(tmp_path):
    path = tmp_path / "sizes.parquet"
    write_sizes(path, {"b": 0.25, "a": 0.5, "c": 0.0})
    assert read_sizes(path) == {"a": 0.5, "b": 0.25}
    path.write_bytes(b"no table")
    with pytest.raises(CorruptObjectError, match="run the suite again"):
        read_sizes(path)
