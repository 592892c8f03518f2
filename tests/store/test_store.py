import json
import multiprocessing
import os
import stat
import subprocess
from pathlib import Path

import pytest

from skinbench.errors import CorruptObjectError, StoreError
from skinbench.store import (
    KINDS,
    MARKER,
    FileDigests,
    RunFolder,
    Store,
    default_store_path,
    file_digest,
    file_name,
    open_store,
    replacing,
    write_text,
)


def two_files(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "a.bin").write_bytes(b"a" * 100)
    (folder / "deep" / "b.txt").write_text("b")


def everything(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store")


def test_publish_then_open(store):
    assert not store.has("fits", "x")
    folder = store.publish("fits", "x", two_files)
    assert store.has("fits", "x")
    assert store.open("fits", "x") == folder == store.path("fits", "x")
    assert everything(folder) == ["a.bin", MARKER, "deep", "deep/b.txt"]
    assert everything(store.root) == [
        "fits",
        "fits/x",
        *(f"fits/x/{p}" for p in everything(folder)),
    ]
    marker = json.loads((folder / MARKER).read_text())
    assert marker["files"]["deep/b.txt"]["bytes"] == 1
    assert marker["files"]["a.bin"]["sha256"] == file_digest(folder / "a.bin")


def test_an_object_is_written_once(store):
    store.publish("fits", "x", two_files)

    def never(folder):
        raise AssertionError("written twice")

    store.publish("fits", "x", never)


def test_other_users_may_read_what_one_has_published(store):
    before = os.umask(0o022)
    try:
        folder = store.publish("fits", "x", two_files)
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt(), OSError(28, "full")])
def test_a_writer_that_raises_leaves_nothing(store, error):
    def writer(folder):
        two_files(folder)
        raise error

    expected = StoreError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        store.publish("fits", "x", writer)
    assert everything(store.root) == ["fits"]
    assert not store.has("fits", "x")


def damage_nothing(folder):
    pass


def truncate(folder):
    (folder / "a.bin").write_bytes(b"a" * 99)


def remove_file(folder):
    (folder / "deep" / "b.txt").unlink()


def remove_marker(folder):
    (folder / MARKER).unlink()


def raise_schema(folder):
    marker = json.loads((folder / MARKER).read_text())
    (folder / MARKER).write_text(json.dumps({**marker, "schema": 99}))


def marker_of(text):
    def damage(folder):
        (folder / MARKER).write_text(text)

    return damage


DAMAGES = [
    truncate,
    remove_file,
    remove_marker,
    raise_schema,
    *(
        marker_of(text)
        for text in (
            "",
            "{",
            "[]",
            "3",
            "null",
            '{"schema": 1}',
            '{"schema": 1, "files": []}',
            '{"schema": 1, "files": 3}',
            '{"schema": 1, "files": {"a.bin": 3}}',
        )
    ),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_object_is_no_object_and_is_replaced(store, damage):
    folder = store.publish("fits", "x", two_files)
    damage(folder)
    assert not store.has("fits", "x")
    with pytest.raises(CorruptObjectError, match=r"fits/x is damaged .*cache verify"):
        store.open("fits", "x")
    problems = store.verify()
    assert len(problems) == 1
    assert problems[0].startswith("fits/x: damaged: ")
    store.publish("fits", "x", two_files)
    assert store.has("fits", "x")
    assert store.verify() == []
    assert [p for p in everything(store.root) if "/." in p] == []


def test_an_absent_object_says_so(store):
    with pytest.raises(CorruptObjectError, match="fits/x does not exist"):
        store.open("fits", "x")


def test_verify_reads_what_sizes_do_not_show(store):
    for name in ("x", "y"):
        store.publish("pixels", name, two_files)
    (store.path("pixels", "x") / "a.bin").write_bytes(b"b" * 100)
    assert store.has("pixels", "x")
    assert store.verify() == ["pixels/x: damaged: a.bin"]


def test_objects_and_clear(store):
    store.publish("fits", "x", two_files)
    store.publish("pixels", "y", two_files)
    store.work_path("fits", "z").mkdir(parents=True)
    (store.root / "fits" / ".half.1234").mkdir()
    listed = store.objects()
    assert [(item.kind, item.name) for item in listed] == [("pixels", "y"), ("fits", "x")]
    assert listed[0].created == (store.path("pixels", "y") / MARKER).stat().st_mtime
    freed = store.clear(("fits",))
    assert freed == listed[1].bytes > 101
    assert not (store.root / "fits").exists()
    assert not (store.root / "work/fits").exists()
    assert store.has("pixels", "y")
    assert store.clear() == listed[0].bytes
    assert store.objects() == []
    assert {item.kind for item in listed} <= set(KINDS)


# --- races ---


def _publish_slowly(root: str, barrier, name: str, content: bytes) -> None:
    def writer(folder: Path) -> None:
        (folder / "who").write_bytes(content)
        barrier.wait()  # both have written before either renames

    Store(Path(root)).publish("fits", name, writer)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_lost_race_is_harmless(store, damaged):
    if damaged:
        truncate(store.publish("fits", "x", two_files))
    context = multiprocessing.get_context("forkserver")
    for round_ in range(2):
        name = "x" if damaged else f"x{round_}"
        barrier = context.Barrier(3)
        workers = [
            context.Process(target=_publish_slowly, args=(str(store.root), barrier, name, who))
            for who in (b"1", b"2", b"3")
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(240)
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
        folder = store.open("fits", name)
        assert (folder / "who").read_bytes() in (b"1", b"2", b"3")
        assert store.verify() == []
        if damaged:
            (folder / "who").write_bytes(b"damaged again")
    assert [p for p in everything(store.root) if "/." in p] == []


# --- digests of files ---


def test_digests_are_remembered_by_size_and_time(store, tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"one")
    assert store.digest_of(path) == file_digest(path)

    def never(path):
        raise AssertionError("read again")

    with monkeypatch.context() as patched:
        patched.setattr("skinbench.store.digests.file_digest", never)
        first = store.digest_of(path)
        assert FileDigests(store.root).lookup(path) == first
    path.write_bytes(b"two")
    os.utime(path, ns=(1, 1))
    second = store.digest_of(path)
    assert second == file_digest(path) != first
    path.write_bytes(b"three")
    os.utime(path, ns=(1, 1))
    assert store.digest_of(path) == file_digest(path)
    copy = tmp_path / "copy"
    copy.write_bytes(b"three")
    assert FileDigests(store.root).lookup(copy) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"/x": 3}', '{"/x": []}'])
def test_a_broken_memory_of_digests_is_forgotten(store, tmp_path, text):
    path = tmp_path / "x"
    path.write_bytes(b"one")
    memory = store.root / "digests" / "files.json"
    memory.parent.mkdir(parents=True)
    memory.write_text(text.replace("/x", str(path)))
    assert store.digest_of(path) == file_digest(path)
    assert FileDigests(store.root).lookup(path) == file_digest(path)


# --- names ---


def test_names_of_files(tmp_path):
    assert file_name("p1/multimodal@0.0") == "p1+multimodal@0.0"
    allowed = "aZ09_./=,@-"
    names = [f"a{x}{y}b" for x in allowed for y in allowed]
    made = {file_name(name) for name in names}
    assert len(made) == len(names)
    for name in [*made, *map(file_name, ("..", ".", "", "../../etc/passwd", "/a", ".hidden"))]:
        assert "/" not in name
        assert not name.startswith(".")
        assert name
    folder = RunFolder(tmp_path)
    assert folder.prediction("a/b@0.0") == tmp_path / "predictions/a+b@0.0.parquet"
    assert folder.manifest("ham").name == "ham.parquet"


def test_where_the_store_is(tmp_path, monkeypatch):
    monkeypatch.setenv("SKINBENCH_STORE", str(tmp_path))
    assert open_store().root == default_store_path() == tmp_path
    monkeypatch.delenv("SKINBENCH_STORE")
    assert default_store_path().name == "skinbench"
    monkeypatch.chdir(tmp_path)
    assert Store(Path("here")).root == tmp_path / "here"


# --- places that cannot be written ---


def test_replacing_keeps_the_old_file_when_the_block_fails(tmp_path):
    path = tmp_path / "x"
    write_text(path, "old")

    def half():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert path.read_text() == "old"
    assert everything(tmp_path) == ["x"]


def mounted(folder: Path, options: str):
    folder.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("mounting needs root")
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=240)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"cannot mount a tmpfs here: {error}")


@pytest.fixture
def full(tmp_path):
    folder = tmp_path / "full"
    mounted(folder, "size=64k")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=240)


@pytest.fixture
def read_only(tmp_path):
    folder = tmp_path / "fixed"
    mounted(folder, "size=64k,ro")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True, timeout=240)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(full):
    path = full / "x.json"
    write_text(path, "old")
    with pytest.raises(StoreError, match=r"cannot write .*x\.json: No space left") as caught:
        write_text(path, "x" * 100_000)
    assert "\n" not in str(caught.value)
    assert everything(full) == ["x.json"]
    assert path.read_text() == "old"


def test_a_full_disk_leaves_no_half_object(full):
    store = Store(full / "store")
    store.publish("fits", "small", two_files)
    with pytest.raises(StoreError, match="No space left"):
        store.publish("fits", "big", lambda folder: (folder / "x").write_bytes(b"x" * 100_000))
    assert not store.has("fits", "big")
    assert [item.name for item in store.objects()] == ["small"]
    assert store.verify() == []
    assert [p for p in everything(full) if "/." in p] == []
    store.publish("fits", "second", two_files)


def test_a_read_only_place_is_named(read_only):
    with pytest.raises(StoreError, match="Read-only file system"):
        write_text(read_only / "x", "x")
    with pytest.raises(StoreError, match=f"cannot write to {read_only}.*Read-only"):
        Store(read_only / "store").publish("fits", "x", two_files)
    assert everything(read_only) == []


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"Not a directory|File exists"):
        write_text(tmp_path / "file" / "x", "x")
    with pytest.raises(StoreError, match=r"Not a directory|File exists"):
        Store(tmp_path / "file").publish("fits", "x", two_files)
