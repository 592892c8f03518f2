"""Lesion masks beside the pixels: read once, named by what their files hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from skinbench.data.lesion_masks import (
    LESION,
    SKIN,
    UNKNOWN,
    MaskDigests,
    build_masks,
    known,
    mask_digest,
    open_masks,
)
from skinbench.errors import CorruptObjectError, DataError
from skinbench.store import Store, file_digest
from tests.data.made import manifest_of


@pytest.fixture
def world(tmp_path):
    """Four images: half lesion, no mask, an empty mask, and one grey corner of 4 x 4."""
    manifest = manifest_of(["nv"] * 4, [f"L{n}" for n in range(4)])
    pictures = [np.zeros((16, 32), dtype=np.uint8) for _ in range(3)]
    pictures[0][:, 16:] = 255
    pictures[2][:4, :8] = 200
    names = ["0.png", None, "1.png", "2.png"]
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    table = manifest.table.assign(mask_path=names)
    return dataclasses.replace(manifest, root=tmp_path, table=table), Store(tmp_path / "store")


def digest_of(manifest, store):
    (found,) = MaskDigests(store.digests_of).of([manifest]).values()
    return found


def test_masks_by_hand(world):
    manifest, store = world
    name = build_masks(manifest, digest_of(manifest, store), 8, store, workers=2)
    masks = open_masks(store, name)
    assert masks.shape == (4, 8, 8)
    expected = np.full((8, 8), SKIN, dtype=np.uint8)
    expected[:, 4:] = LESION
    assert np.array_equal(masks[0], expected)
    assert (masks[1] == UNKNOWN).all()
    assert (masks[2] == UNKNOWN).all(), "an empty mask says nothing"
    assert masks[3].sum() == 4
    assert (masks[3, :2, :2] == LESION).all()
    assert known(masks).tolist() == [True, False, False, True]


def test_they_are_named_by_the_contents_of_their_files(world, monkeypatch):
    manifest, store = world
    before = digest_of(manifest, store)
    assert before == digest_of(manifest, store)
    by_hand = MaskDigests(lambda paths, _: [file_digest(path) for path in paths])
    assert by_hand.of([manifest]) == {manifest.digest: before}
    Image.fromarray(np.full((16, 32), 255, dtype=np.uint8)).save(manifest.root / "0.png")
    after = digest_of(manifest, store)
    assert after != before
    assert mask_digest(manifest.digest, after, 8) != mask_digest(manifest.digest, before, 8)
    assert mask_digest(manifest.digest, after, 8) != mask_digest(manifest.digest, after, 16)


def test_they_are_read_once(world, monkeypatch):
    manifest, store = world
    name = digest_of(manifest, store)
    build_masks(manifest, name, 8, store, workers=1)
    monkeypatch.setattr("skinbench.data.lesion_masks._decode", None)
    build_masks(manifest, name, 8, store, workers=1)


def test_what_cannot_be_read_is_named(world):
    manifest, store = world
    name = digest_of(manifest, store)
    with pytest.raises(CorruptObjectError):
        open_masks(store, mask_digest(manifest.digest, name, 8))
    (manifest.root / "1.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"1\.png: the mask cannot be read"):
        build_masks(manifest, name, 8, store, workers=1)
    assert not store.has("masks", mask_digest(manifest.digest, name, 8))
    (manifest.root / "1.png").unlink()
    with pytest.raises(DataError, match=r"the mask .*1\.png is gone"):
        digest_of(manifest, store)
