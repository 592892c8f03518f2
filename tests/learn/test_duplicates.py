"""The near-duplicate search on drawn pictures: what it must find, must not, and keeps."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skinbench.errors import DataError, UsageError
from skinbench.learn import duplicates
from skinbench.learn.duplicates import find_near_duplicates
from skinbench.learn.near.between import DUPLICATE
from skinbench.learn.near.candidates import centred, nearest
from skinbench.learn.near.features import _Work
from skinbench.learn.near.keypoints import MIRROR, find_keypoints
from skinbench.records import NearDuplicates
from skinbench.store import Store
from tests.learn.textures import altered, manifest_of, renamed, texture, write_weights

pytestmark = pytest.mark.torch
COPIED = 8


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return write_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def pictures():
    """16 pictures, half of them in a vignette, and altered copies of eight."""
    plain = {f"p{seed:02d}": texture(seed, vignette=seed % 2 == 0) for seed in range(16)}
    copies = {f"q{seed:02d}": altered(plain[f"p{seed:02d}"], seed) for seed in range(COPIED)}
    return plain, copies


@pytest.fixture(scope="module")
def searched(pictures, weights, tmp_path_factory):
    root = tmp_path_factory.mktemp("searched")
    store = Store(root / "store")
    manifest = manifest_of(root / "images", {**pictures[0], **pictures[1]})
    return manifest, store, find_near_duplicates([manifest], store, weights=weights, workers=2)


def ids(result: NearDuplicates, verdict: str | None = None) -> set[tuple[str, str]]:
    return {
        (pair.left.image_id, pair.right.image_id)
        for pair in result.pairs
        if verdict in (None, pair.verdict)
    }


def test_altered_copies_are_found_and_nothing_else(searched):
    _, _, result = searched
    assert ids(result, "duplicate") == {(f"p{n:02d}", f"q{n:02d}") for n in range(COPIED)}
    assert ids(result) == ids(result, "duplicate")
    assert all(pair.inliers >= DUPLICATE for pair in result.pairs)
    assert [group.verdict for group in result.groups] == ["duplicate"] * COPIED
    assert result.images == 16 + COPIED
    assert result.not_looked_for == ()
    counts = [pair.inliers for pair in result.pairs]
    assert counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("mirror", [False, True])
def test_the_transform_says_where_things_went(turns, mirror, weights, tmp_path):
    first = texture(3)
    turned = np.rot90(np.asarray(first), turns)
    turned = turned[:, ::-1] if mirror else turned
    second = Image.fromarray(np.ascontiguousarray(turned))
    manifest = manifest_of(tmp_path / "i", {"a": first, "b": second})
    store = Store(tmp_path / "store")
    (pair,) = find_near_duplicates([manifest], store, weights=weights, workers=1).pairs
    assert pair.mirrored == (mirror and not pair.identical)
    a, b, c, d, e, f = pair.transform
    x, y = 0.2, 0.7
    wanted = {0: (x, y), 1: (y, 1 - x), 2: (1 - x, 1 - y), 3: (1 - y, x)}[turns]
    wanted = (1 - wanted[0], wanted[1]) if mirror else wanted
    assert (a * x + b * y + c, d * x + e * y + f) == pytest.approx(wanted, abs=0.01)


def test_the_mirrored_twin_of_a_feature_is_that_of_the_mirrored_image():
    grey = np.asarray(texture(5).convert("L"))
    here, there = find_keypoints(grey), find_keypoints(np.ascontiguousarray(grey[:, ::-1]))
    moved = there.points[:, :2].copy()
    moved[:, 0] = grey.shape[1] - 1 - moved[:, 0]
    distance = np.abs(here.points[:, None, :2] - moved[None]).max(2)
    rows, columns = np.nonzero(distance < 0.8)
    assert len(set(rows.tolist())) > 0.8 * len(here.points)
    twins = here.descriptors[rows][:, MIRROR].astype(float)
    gap = np.linalg.norm(twins - there.descriptors[columns], axis=1)
    plain = np.linalg.norm(
        here.descriptors[rows].astype(float) - there.descriptors[columns], axis=1
    )
    assert np.median(gap) < 60 < 300 < np.median(plain)


def test_nothing_is_looked_for_along_a_dark_rim():
    picture = texture(4, vignette=True)
    points = find_keypoints(np.asarray(picture.convert("L"))).points
    radius = np.hypot(points[:, 0] - 100, points[:, 1] - 75)
    assert len(points) > 50
    assert radius.max() < 0.58 * 150 - 5
    black = find_keypoints(np.zeros((150, 200), np.uint8))
    assert black.points.shape == (0, 4)
    assert black.descriptors.shape == (0, 128)


def test_one_lesion_under_three_ids_is_one_group(weights, tmp_path):
    lesion = texture(1)
    images = {
        "a1": lesion,
        "a2": texture(2),
        "b": altered(texture(2), 0),
        "c": altered(lesion, 1),
        "x": texture(8),
        "y": texture(9),
    }
    lesions = {"a1": "A", "a2": "A", "b": "B", "c": None, "x": "X", "y": "X"}
    manifest = manifest_of(tmp_path / "i", images, lesions)
    found = find_near_duplicates([manifest], Store(tmp_path / "s"), weights=weights, workers=1)
    (group,) = found.groups
    assert [name.image_id for name in group.images] == ["a1", "a2", "b", "c"]
    assert group.lesions == ("A", "B")
    assert ids(found) == {("a1", "c"), ("a2", "b")}


def test_what_an_id_says_already_is_not_reported(weights, tmp_path):
    image = texture(1)
    lesions = {"a": "A", "b": "A", "c": "C"}
    one = manifest_of(tmp_path / "i", {"a": image, "b": altered(image, 0), "c": image}, lesions)
    two = manifest_of(tmp_path / "j", {"a_downsampled": altered(image, 2)}, name="two")
    found = find_near_duplicates([one, two], Store(tmp_path / "s"), weights=weights, workers=1)
    # The second dataset's copy is known by its image id, and through it by the lesion A. What
    # several ids share pixel by pixel is compared under the first of them.
    assert ids(found) == {("a", "c")}
    assert found.pairs[0].identical
    assert found.compared == 0


def test_between_archives_that_squashed_their_images_and_that_did_not(pictures, weights, tmp_path):
    plain = {key: pictures[0][key] for key in list(pictures[0])[:6]}
    one = manifest_of(tmp_path / "i", plain, name="one")
    small = {f"s{key}": plain[key].resize((84, 84)) for key in list(plain)[:3]}
    two = manifest_of(tmp_path / "j", small, name="two")
    found = find_near_duplicates([one, two], Store(tmp_path / "s"), weights=weights, workers=2)
    assert ids(found, "duplicate") == {(key[1:], key) for key in small}
    assert {(p.left.dataset, p.right.dataset) for p in found.pairs} == {("one", "two")}
    (note,) = found.notes
    assert "resampled differently" in note


def test_the_second_search_reads_what_the_first_one_wrote(searched, weights, monkeypatch):
    manifest, store, result = searched
    monkeypatch.setattr(duplicates, "_Search", None)
    again = find_near_duplicates([manifest], store, weights=weights, workers=1)
    assert again == result


def test_features_are_kept_for_other_searches_of_the_same_images(searched, weights, monkeypatch):
    manifest, store, result = searched
    monkeypatch.setattr(_Work, "write", None)
    other = find_near_duplicates([renamed(manifest, "other")], store, weights=weights, workers=1)
    assert ids(other) == ids(result)


def test_threads_change_nothing(searched, weights, tmp_path):
    manifest, _, result = searched
    alone = find_near_duplicates([manifest], Store(tmp_path), weights=weights, workers=1)
    assert alone == result


def test_without_weights_it_says_what_it_could_not_look_for(pictures, tmp_path):
    image = pictures[0]["p01"]
    manifest = manifest_of(tmp_path / "i", {"a": image, "b": image, "c": altered(image, 0)})
    for place in (None, tmp_path):
        found = find_near_duplicates([manifest], Store(tmp_path / "s"), weights=place, workers=1)
        assert ids(found) == {("a", "b")}
        (reason,) = found.not_looked_for
        assert "no pretrained weights" in reason
        assert "SKINBENCH_WEIGHTS" in reason


def test_no_images_and_images_without_any_texture(weights, tmp_path):
    flat = {str(n): Image.new("RGB", (60, 40), (150 + n, 120, 100)) for n in range(3)}
    flat["dot"] = Image.new("RGB", (1, 1))
    manifest = manifest_of(tmp_path / "i", flat)
    store = Store(tmp_path / "s")
    assert find_near_duplicates([manifest], store, weights=weights, workers=1).pairs == ()
    none = dataclasses.replace(manifest, table=manifest.table.iloc[:0], digest="none")
    empty = find_near_duplicates([none], store, weights=weights, workers=1)
    assert (empty.images, empty.compared, empty.pairs, empty.groups) == (0, 0, (), ())


def test_requests_that_cannot_be(searched, weights, tmp_path):
    manifest, store, _ = searched
    with pytest.raises(UsageError, match="name of its own"):
        find_near_duplicates([manifest, manifest], store, weights=weights, workers=1)
    with pytest.raises(UsageError, match="at least 1"):
        find_near_duplicates([manifest], store, weights=weights, workers=0)
    with pytest.raises(UsageError, match=r"no\.safetensors.*mobilenetv1_100"):
        find_near_duplicates([manifest], store, weights=tmp_path / "no.safetensors", workers=1)


def test_an_image_that_changed_is_an_error_and_leaves_nothing(weights, tmp_path):
    manifest = manifest_of(tmp_path / "i", {"a": texture(1), "b": texture(2)})
    texture(3).save(tmp_path / "i" / "b.png")
    store = Store(tmp_path / "s")
    with pytest.raises(DataError, match=r"b\.png changed since"):
        find_near_duplicates([manifest], store, weights=weights, workers=1)
    assert store.objects() == []


def test_neighbours_skip_siblings():
    generator = np.random.default_rng(0)
    drawn = generator.normal(size=(40, 8)).astype(np.float32)
    vectors = centred(drawn, drawn.mean(0))
    lesion = np.arange(40) // 2
    pairs = nearest(vectors, vectors, (lesion, lesion), 3, workers=2)
    cosine = vectors @ vectors.T
    cosine[lesion[:, None] == lesion[None]] = -2
    wanted = {(i, int(j)) for i in range(40) for j in np.argsort(-cosine[i])[:3]}
    assert set(map(tuple, pairs.tolist())) == wanted
