import dataclasses
import hashlib
import random
from pathlib import Path

import pytest

from skinbench import registry
from skinbench.data.download import DownloadPlan, download_dataset, plan_download
from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.data.receipt import RECEIPT, WORKPLACE, read_receipt
from skinbench.data.server import Patience
from skinbench.errors import DataError, ResourceError, StoreError, UsageError
from skinbench.records import Download
from tests.data import archives
from tests.data.archives import zipped
from tests.data.served import Server

QUICK = Patience(timeout=240, attempts=2, pause=lambda seconds: None)
PHOTOS = zipped({f"ISIC_{i}.jpg": random.Random(i).randbytes(3000) for i in range(4)})
MASKS = zipped({"masks/ISIC_0.png": b"mask", "masks/LICENSE.txt": b"terms"})
TABLE = b"image_id,dx\n" * 50
NAMES = ["images/ISIC_0.jpg", "images/ISIC_1.jpg", "images/ISIC_2.jpg", "images/ISIC_3.jpg"]
ALL = sorted([*NAMES, "masks/ISIC_0.png", "masks/LICENSE.txt", "table.csv"])


@pytest.fixture
def server():
    made = Server()
    made.add("table.csv", TABLE)
    made.add("photos.zip", PHOTOS)
    made.add("masks.zip", MASKS)
    yield made
    made.stop()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data" / "ham10000"


@pytest.fixture
def plan(server, root, monkeypatch):
    """Plan with HAM10000's entry, whose files are three small ones."""
    entry = registry.datasets.get("ham10000")
    md5 = hashlib.md5(PHOTOS).hexdigest()
    files = (
        Download(url=f"{server.url}/table.csv", file_name="table.csv", bytes=len(TABLE)),
        Download(
            url=f"{server.url}/photos.zip",
            file_name="photos.zip",
            digest=f"md5:{md5}",
            into="images",
            unpack=True,
        ),
        Download(url=f"{server.url}/masks.zip", file_name="masks.zip", unpack=True),
    )

    def planned(mirror=None, downloads=files, **info):
        info = dataclasses.replace(entry.info, downloads=downloads, **info)
        made = dataclasses.replace(entry, info=info)
        monkeypatch.setattr(registry.datasets, "get", lambda name: made)
        return plan_download("ham10000", root, mirror, QUICK)

    planned.files = files
    return planned


def listing(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def content(root):
    return [name for name in listing(root) if not name.startswith(".")]


def asked(server):
    return {name.strip("/"): len(file.requests) for name, file in server.files.items()}


def refused(plan, kind=DataError):
    with pytest.raises(kind) as caught:
        download_dataset(plan)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_dataset_from_nothing(plan, server, root):
    seen = []
    made = plan()
    assert made.bytes is None  # one of the three is not published
    receipt = download_dataset(made, lambda *step: seen.append(step))
    assert content(root) == ALL
    assert listing(root) == sorted([*ALL, RECEIPT])
    assert receipt == read_receipt(root / RECEIPT)
    assert receipt.dataset == "ham10000"
    assert [got.sha256 for got in receipt.received] == [
        hashlib.sha256(body).hexdigest() for body in (TABLE, PHOTOS, MASKS)
    ]
    assert receipt.received[1].files == dict.fromkeys(NAMES, 3000)
    assert {step[:2] for step in seen} == {
        ("fetch", "table.csv"),
        ("fetch", "photos.zip"),
        ("unpack", "photos.zip"),
        ("fetch", "masks.zip"),
        ("unpack", "masks.zip"),
    }


def test_already_complete_is_nothing_to_do(plan, server, root):
    download_dataset(plan())
    before = asked(server)
    assert plan().missing == ()
    assert asked(server) == before


def test_a_lost_file_brings_its_archive_again(plan, server, root):
    download_dataset(plan())
    before = asked(server)
    (root / "images" / "ISIC_2.jpg").unlink()
    made = plan()
    assert [item.file_name for item in made.missing] == ["photos.zip"]
    assert len(download_dataset(made).received) == 3
    assert content(root) == ALL
    assert asked(server)["table.csv"] == before["table.csv"]
    assert plan().missing == ()


def test_nothing_is_there_until_everything_is(plan, server, root, store):
    """The last file is cut off: no adapter can take what is there for a dataset."""
    server.add("masks.zip", MASKS, cuts=[50, 0, 0])
    assert "was cut off at 50 of" in refused(plan())
    assert content(root) == []
    with pytest.raises(DataError, match=r"download to .* is not finished; continue it: skinbench"):
        read_manifest(DataRequest(name="ham", adapter="ham10000", root=root), store)
    before = asked(server)
    download_dataset(plan())
    assert content(root) == ALL
    assert server.files["/masks.zip"].requests[-1]["Range"] == "bytes=50-"
    assert asked(server)["photos.zip"] == before["photos.zip"]  # not fetched twice
    assert not (root / WORKPLACE).exists()


@pytest.mark.parametrize("at", range(1, 12))
def test_killed_at_any_rename_it_continues(plan, server, root, monkeypatch, at):
    """Every step that makes something appear is a rename: stop before each of them."""
    real, count = Path.rename, [0]

    def rename(self, target):
        count[0] += 1
        if count[0] == at:
            raise KeyboardInterrupt
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename)
        try:
            download_dataset(plan())
        except KeyboardInterrupt:
            assert (root / WORKPLACE).is_dir()
            assert not (root / RECEIPT).exists()
        else:
            assert at > 5  # fewer renames than that would test nothing
    made = plan()
    if made.missing:
        download_dataset(made)
    assert content(root) == ALL
    assert plan().missing == ()


def test_stopped_after_the_receipt(plan, server, root, monkeypatch):
    monkeypatch.setattr("shutil.rmtree", lambda *words, **settings: None)
    download_dataset(plan())
    monkeypatch.undo()
    assert (root / WORKPLACE).is_dir()
    assert plan().missing == ()
    assert not (root / WORKPLACE).exists()
    assert content(root) == ALL


def test_a_hostile_archive_leaves_nothing(plan, server, root, tmp_path):
    for body in (
        archives.named("../../evil.txt"),
        archives.of_kind(archives.LINK),
        archives.bomb(),
        archives.encrypted(),
        MASKS[:-30],
        b"<html>log in</html>",
    ):
        server.add("masks.zip", body)
        assert refused(plan()).startswith("masks.zip")
        assert content(root) == []
        assert [path.name for path in tmp_path.rglob("*evil*")] == []
        assert list((root / WORKPLACE / "archives").iterdir()) == []
    server.add("masks.zip", MASKS)
    download_dataset(plan())
    assert content(root) == ALL


def test_a_first_failure_leaves_no_folder(plan, server, root):
    server.add("table.csv", statuses=[404])
    assert "is not there" in refused(plan())
    assert not root.exists()


def test_a_mirror_is_checked_as_strictly(plan, server, root):
    server.add("mirror/table.csv", TABLE)
    server.add("mirror/photos.zip", PHOTOS)
    server.add("mirror/masks.zip", MASKS)
    receipt = download_dataset(plan(mirror=f"{server.url}/mirror/"))
    assert receipt.received[0].url == f"{server.url}/mirror/table.csv"
    assert asked(server)["photos.zip"] == 0
    (root / "images" / "ISIC_0.jpg").unlink()
    server.add("mirror/photos.zip", zipped({"ISIC_0.jpg": b"other"}))
    assert "published is" in refused(plan(mirror=f"{server.url}/mirror"))


def test_a_mirror_that_is_no_address(plan):
    with pytest.raises(UsageError, match="not an http or https address"):
        plan(mirror="/somewhere")


def test_the_disk_is_asked_first(plan, server, root, monkeypatch):
    usage = type("Usage", (), {"free": 100_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    message = refused(plan(), ResourceError)
    assert message.startswith("ham10000 needs 0.2 GB")
    assert "0.1 GB free" in message
    assert not root.exists()
    sizes = [file.requests for name, file in server.files.items() if "photos" in name]
    assert [request["Range"] for request in sizes[0]] == ["bytes=0-0"]  # asked for, not fetched


def test_files_of_others_are_left_alone(plan, root):
    root.mkdir(parents=True)
    (root / "HAM10000_metadata.csv").write_text("mine")
    with pytest.raises(UsageError, match="skinbench data check ham10000 --root"):
        plan()
    assert listing(root) == ["HAM10000_metadata.csv"]


def test_a_changed_file_is_not_overwritten(plan, root):
    download_dataset(plan())
    (root / "table.csv").write_text("mine")
    with pytest.raises(DataError, match=r"table\.csv was changed since it was downloaded"):
        plan()
    assert (root / "table.csv").read_text() == "mine"


def test_another_dataset_in_the_folder(plan, root, monkeypatch):
    download_dataset(plan())
    text = (root / RECEIPT).read_text()
    (root / RECEIPT).write_text(text.replace("ham10000", "isic2019"))
    with pytest.raises(UsageError, match="holds isic2019"):
        plan()
    (root / RECEIPT).write_text(text[:50])
    with pytest.raises(DataError, match="is damaged; remove it"):
        plan()


def test_something_in_the_way(plan, server, root):
    server.add("masks.zip", zipped({"images": b"a file where a folder is"}))
    assert "is in the way" in refused(plan())


def test_two_at_once(plan, server, root):
    other = []

    def meanwhile(*step):
        if not other:
            other.append(refused(plan(), StoreError))

    download_dataset(plan(), meanwhile)
    assert "another download is at work" in other[0]
    assert content(root) == ALL


def test_a_root_that_cannot_be(plan, root):
    root.parent.mkdir()
    root.write_text("a file")
    with pytest.raises(UsageError, match="is a file"):
        plan()
    root.unlink()
    root.parent.rmdir()
    root.parent.write_text("a file")
    assert "cannot write" in refused(plan(), StoreError)


def test_what_a_person_has_to_fetch(plan):
    with pytest.raises(DataError, match=r"ham10000: ask them \(https://doi.org"):
        plan(downloads=(), download_note="ask them")


def test_what_nobody_has_to_fetch(tmp_path):
    with pytest.raises(UsageError, match=r"nothing to download; datasets that have: ham10000, "):
        plan_download("synthetic", tmp_path)


@pytest.mark.parametrize("name", registry.datasets.names())
def test_what_the_catalog_names(name):
    """Addresses are encrypted, names are plain, digests are such, sizes come with digests."""
    downloads = registry.datasets.get(name).info.downloads
    for item in downloads:
        assert item.url.startswith("https://")
        assert item.file_name == Path(item.file_name).name
        assert item.unpack == item.file_name.endswith(".zip")
        assert (item.bytes is None) == (item.digest is None)
        if item.digest:
            kind, _, value = item.digest.partition(":")
            assert len(value) == {"md5": 32, "sha256": 64}[kind]
            assert int(value, 16) > 0
    assert len({(item.into, item.file_name) for item in downloads}) == len(downloads)
    known = DownloadPlan(
        dataset=name, info=registry.datasets.get(name).info, root=None, missing=downloads
    )
    assert known.bytes is None or known.bytes == sum(item.bytes for item in downloads)
