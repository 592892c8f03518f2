import os
import subprocess
import sys
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skinbench.data import pixels
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.data.pixels import build_pixels, open_pixels, pixel_digest, thumbnail
from skinbench.errors import CorruptObjectError, DataError, StoreError, UsageError
from skinbench.records import Manifest
from skinbench.store import Store
from tests.data.ham10000.make import make


@pytest.fixture
def manifest(tmp_path: Path, store: Store) -> Manifest:
    make(tmp_path / "ham")
    request = DataRequest(name="ham", adapter="ham10000", root=tmp_path / "ham")
    return read_manifest(request, store)


def test_pixels_are_those_of_pillow(manifest: Manifest, store: Store) -> None:
    calls: list[tuple[str, int, int]] = []
    built = build_pixels(manifest, 8, store, workers=2, progress=lambda *call: calls.append(call))
    assert built.images.shape == (42, 8, 8, 3)
    assert built.images.dtype == np.uint8
    assert built.image_ids == tuple(manifest.table["image_id"])
    for row, path in enumerate(manifest.table["path"]):
        image = Image.open(manifest.root / path).convert("RGB")
        expected = np.asarray(image.resize((8, 8), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(built.images[row], expected)
    assert calls == [("building pixels", 42, 42)]


def test_the_map_is_read_only_and_rows_are_found(manifest: Manifest, store: Store) -> None:
    built = build_pixels(manifest, 4, store, workers=1)
    with pytest.raises(ValueError, match="read-only"):
        built.images[0] = 0
    ids = built.image_ids
    assert built.rows([ids[5], ids[0], ids[5]]).tolist() == [5, 0, 5]
    assert built.rows([]).dtype == np.int64
    with pytest.raises(DataError, match="image 'nobody' is not in the pixel store"):
        built.rows([ids[0], "nobody"])


def test_the_number_of_workers_changes_nothing(manifest: Manifest, tmp_path: Path) -> None:
    stores = [Store(tmp_path / name) for name in "ab"]
    digests = [
        build_pixels(manifest, 6, store, workers=workers).digest
        for store, workers in zip(stores, (1, 4), strict=True)
    ]
    files = [store.path("pixels", digests[0]) / "images.npy" for store in stores]
    assert digests[0] == digests[1]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_built_once(manifest: Manifest, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_pixels(manifest, 4, store, workers=1)
    monkeypatch.setattr(pixels, "_decode_all", None)
    again = build_pixels(manifest, 4, store, workers=1)
    np.testing.assert_array_equal(again.images, first.images)


def test_the_digest_is_of_content_size_and_version(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {pixel_digest("a", 8), pixel_digest("b", 8), pixel_digest("a", 9)}
    monkeypatch.setattr(pixels, "STAGE_VERSIONS", {"pixels": 999})
    assert len(digests | {pixel_digest("a", 8)}) == 4


BUILD = """
import sys
from pathlib import Path
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.data.pixels import build_pixels
from skinbench.store import Store
store = Store(Path(sys.argv[2]))
request = DataRequest(name="ham", adapter="ham10000", root=Path(sys.argv[1]))
manifest = read_manifest(request, store)
print("ready", flush=True)
sys.stdin.readline()
print(build_pixels(manifest, 32, store, workers=2).digest)
"""


def test_two_processes_may_build_at_once(manifest: Manifest, tmp_path: Path) -> None:
    store = Store(tmp_path / "shared")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD, str(manifest.root), str(store.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    answers = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        answers.append(process.communicate(timeout=240)[0].strip())
        assert process.returncode == 0
    assert answers == [pixel_digest(manifest.digest, 32)] * 2
    assert store.verify() == []
    assert [item.name for item in store.objects() if item.kind == "pixels"] == answers[:1]
    assert not list((store.root / "pixels").glob(".*"))
    assert open_pixels(store, answers[0]).images.shape == (42, 32, 32, 3)


def test_a_full_disk_is_refused_before_it_is_full(
    manifest: Manifest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(pixels.shutil, "disk_usage", lambda _: usage(10, 5, 1000))
    with pytest.raises(StoreError, match="8,064 bytes needed, 1,000 free"):
        build_pixels(manifest, 8, store, workers=1)
    assert not store.has("pixels", pixel_digest(manifest.digest, 8))


def test_a_disk_that_fills_up_leaves_nothing(
    manifest: Manifest, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pixels.os, "posix_fallocate", full)
    with pytest.raises(StoreError, match="No space left on device"):
        build_pixels(manifest, 8, store, workers=1)
    assert list((store.root / "pixels").iterdir()) == []


def test_files_that_went_or_changed_since(manifest: Manifest, store: Store) -> None:
    path = manifest.root / manifest.table["path"][7]
    whole = path.read_bytes()
    path.write_bytes(whole + b" ")
    with pytest.raises(DataError, match=f"{path.name} changed since its manifest was made"):
        build_pixels(manifest, 8, store, workers=2)
    path.unlink()
    with pytest.raises(DataError, match="cannot read"):
        build_pixels(manifest, 8, store, workers=2)
    assert list((store.root / "pixels").iterdir()) == []


def test_a_damaged_store_is_refused_and_built_again(manifest: Manifest, store: Store) -> None:
    built = build_pixels(manifest, 8, store, workers=1)
    expected = np.array(built.images)
    path = store.path("pixels", built.digest) / "images.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptObjectError, match="is damaged"):
        open_pixels(store, built.digest)
    again = build_pixels(manifest, 8, store, workers=1)
    np.testing.assert_array_equal(again.images, expected)


@pytest.mark.parametrize("content", [np.zeros((3, 8, 8, 3), np.uint8), np.zeros((42, 8, 8), int)])
def test_arrays_that_are_not_the_pixels(
    store: Store, manifest: Manifest, content: np.ndarray
) -> None:
    def write(folder: Path) -> None:
        np.save(folder / "images.npy", content)
        pixels.write_parquet(
            manifest.table[["image_id"]], pixels._INDEX_SCHEMA, folder / "index.parquet"
        )

    store.publish("pixels", "odd", write)
    with pytest.raises(CorruptObjectError, match="not pixels of 42 images"):
        open_pixels(store, "odd")


def test_an_object_array_is_never_unpickled(store: Store, manifest: Manifest) -> None:
    def write(folder: Path) -> None:
        np.save(folder / "images.npy", np.array([object()]), allow_pickle=True)
        pixels.write_parquet(
            manifest.table[["image_id"]], pixels._INDEX_SCHEMA, folder / "index.parquet"
        )

    store.publish("pixels", "evil", write)
    with pytest.raises(CorruptObjectError, match="cannot be opened"):
        open_pixels(store, "evil")


@pytest.mark.parametrize(("size", "workers"), [(0, 1), (5000, 1), (8, 0)])
def test_requests_that_cannot_be(manifest: Manifest, store: Store, size: int, workers: int) -> None:
    with pytest.raises(UsageError):
        build_pixels(manifest, size, store, workers=workers)


def test_thumbnails_keep_the_aspect_ratio(manifest: Manifest) -> None:
    image_id = manifest.table["image_id"][0]
    image = thumbnail(manifest, image_id, 8)
    assert (image.size, image.mode) == ((8, 6), "RGB")
    assert thumbnail(manifest, image_id, 100).size == (12, 9)
    with pytest.raises(DataError, match="image 'nobody' is not in data 'ham'"):
        thumbnail(manifest, "nobody", 6)
    with pytest.raises(DataError, match="cannot read"):
        thumbnail(replace(manifest, root=Path("/nowhere")), image_id, 6)


def test_squares_made_at_the_first_look_are_those_of_the_pixel_store(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "ham")
    request = DataRequest(name="ham", adapter="ham10000", root=tmp_path / "ham")
    built = {}
    with monkeypatch.context() as context:
        context.setattr(pixels, "decode_file", None)  # no file is decoded again
        manifest = read_manifest(request, store, sizes=(8, 5, 8))
        for side in (5, 8):
            built[side] = build_pixels(manifest, side, store, workers=1)
    assert not list((store.root / "pixels").glob(".*"))
    plain = Store(tmp_path / "plain")
    assert read_manifest(request, plain).digest == manifest.digest
    for side, squares in built.items():
        expected = build_pixels(manifest, side, plain, workers=1)
        assert squares.digest == expected.digest
        assert squares.image_ids == expected.image_ids
        np.testing.assert_array_equal(squares.images, expected.images)


def test_squares_of_files_that_are_dropped_are_left_out(tmp_path: Path, store: Store) -> None:
    make(tmp_path / "ham")
    request = DataRequest(name="ham", adapter="ham10000", root=tmp_path / "ham")
    paths = read_manifest(request, Store(tmp_path / "before")).table["path"].tolist()
    (tmp_path / "ham" / paths[3]).write_bytes(b"no image")
    manifest = read_manifest(request, store, sizes=(6,))
    assert len(manifest.table) == len(paths) - 1
    built = open_pixels(store, pixel_digest(manifest.digest, 6))
    expected = build_pixels(manifest, 6, Store(tmp_path / "plain"), workers=1)
    np.testing.assert_array_equal(built.images, expected.images)


def test_squares_are_not_kept_where_the_disk_is_nearly_full(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "ham")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1, 1, 2 * 42 * 6 * 6 * 3))
    request = DataRequest(name="ham", adapter="ham10000", root=tmp_path / "ham")
    manifest = read_manifest(request, store, sizes=(6,))
    assert not store.has("pixels", pixel_digest(manifest.digest, 6))
    assert len(build_pixels(manifest, 6, store, workers=1).images) == 42


def test_a_dataset_that_was_looked_at_keeps_nothing(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "ham")
    request = DataRequest(name="ham", adapter="ham10000", root=tmp_path / "ham")
    read_manifest(request, store)
    monkeypatch.setattr(Image.Image, "resize", None)
    manifest = read_manifest(request, store, sizes=(6,))
    assert not store.has("pixels", pixel_digest(manifest.digest, 6))
