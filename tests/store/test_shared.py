"""A store at a URL: what counts is there, and each machine has copies in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from skinbench.errors import CorruptObjectError, StoreError, UsageError
from skinbench.store import (
    COPIES,
    MARKER,
    SharedStore,
    Store,
    default_store_path,
    open_store,
    remote,
    shared,
)
from tests.s3 import Line, s3_server, url_at

CONTENT = os.urandom(12_000_000)
"""More than one part of an upload."""
Machine = Callable[[str], SharedStore]


def fill(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "a.bin").write_bytes(b"a" * 100)
    (folder / "deep" / "b.txt").write_text("b")
    (folder / "again.txt").write_text("b")
    (folder / "empty").touch()


def fill_large(folder: Path) -> None:
    (folder / "large.bin").write_bytes(CONTENT)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def never(_folder: Path) -> None:
    raise AssertionError("made again")


@pytest.fixture(params=["memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "file":
        yield f"file://{tmp_path}/there"
        return
    memory = fsspec.filesystem("memory")
    yield f"memory://{tmp_path.name}/there"
    if memory.exists(f"/{tmp_path.name}"):
        memory.rm(f"/{tmp_path.name}", recursive=True)


@pytest.fixture
def machine(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return machines(url, tmp_path, monkeypatch)


def machines(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Opens the store as another machine would: with copies in a folder of its own."""

    def opened(name: str) -> SharedStore:
        monkeypatch.setenv(COPIES, str(tmp_path / name))
        found = open_store(url)
        assert isinstance(found, SharedStore)
        return found

    return opened


def test_what_one_machine_makes_another_opens(machine, tmp_path):
    here, there = machine("here"), machine("there")
    assert here.root != there.root
    assert not there.has("fits", "x")
    made = here.publish("fits", "x", fill)
    assert made == here.path("fits", "x")
    assert there.has("fits", "x")
    assert not there.path("fits", "x").exists()
    opened = there.open("fits", "x")
    assert opened == there.path("fits", "x")
    assert contents(opened) == contents(made)
    assert Store(there.root).verify() == []
    assert sorted(path.name for path in there.root.iterdir()) == ["fits", "locks"]
    assert not list((there.root / "locks").iterdir())


def test_an_object_is_made_once(machine):
    machine("here").publish("fits", "x", fill)
    there = machine("there")
    assert contents(there.publish("fits", "x", never))["a.bin"] == b"a" * 100
    assert there.publish("fits", "x", never) == there.open("fits", "x")


def test_a_copy_is_read_when_the_place_is_gone(machine, url, monkeypatch):
    here = machine("here")
    here.publish("fits", "x", fill)
    monkeypatch.setattr(here, "_remote", None)
    assert here.open("fits", "x") == here.path("fits", "x")


def test_what_is_drawn_by_a_program_stays(machine):
    here, there = machine("here"), machine("there")
    here.publish("datasets", "drawn", fill)
    assert here.has("datasets", "drawn")
    assert not there.has("datasets", "drawn")
    assert here.objects() == []
    assert here.names("datasets") == ["drawn"]
    with pytest.raises(CorruptObjectError, match="does not exist"):
        there.open("datasets", "drawn")


def test_what_does_not_exist(machine, url):
    with pytest.raises(CorruptObjectError, match="fits/x does not exist"):
        machine("here").open("fits", "x")
    assert machine("here").lent("weights", "x") is None
    assert machine("here").names("fits") == []
    assert machine("here").objects() == []


def test_all_objects(machine):
    here, there = machine("here"), machine("there")
    here.publish("fits", "x", fill)
    here.publish("pixels", "y", fill)
    here.publish("fits", "w", lambda folder: (folder / "other").touch())
    listed = there.objects()
    assert [(item.kind, item.name) for item in listed] == [
        ("pixels", "y"),
        ("fits", "w"),
        ("fits", "x"),
    ]
    assert listed[0].bytes > 101
    assert there.names("fits") == ["w", "x"]
    assert there.names("fits", holding="a.bin") == ["x"]
    assert there.copies() == []
    assert there.verify() == []
    freed = there.clear(("fits",))
    assert freed == listed[1].bytes + listed[2].bytes
    assert [item.name for item in here.objects()] == ["y"]
    assert [item.name for item in here.copies()] == ["y", "w", "x"]  # another machine's copies


def test_a_file_is_lent(machine, tmp_path):
    own = tmp_path / "net.safetensors"
    own.write_bytes(b"weights")
    machine("here").lend("weights", "abc", own)
    lent = machine("there").lent("weights", "abc")
    assert lent is not None
    assert lent.read_bytes() == b"weights"
    assert lent.suffix == ".safetensors"


def test_a_folder_has_all_its_machines_in_one_place(tmp_path):
    store = open_store(tmp_path)
    assert type(store) is Store
    assert open_store(store.place).root == tmp_path
    store.check()
    store.keep_work("fits", "x")
    store.find_work("fits", "x")
    store.lend("weights", "x", tmp_path)
    assert not store.has("weights", "x")


def test_where_the_store_is(tmp_path, monkeypatch):
    monkeypatch.setenv("SKINBENCH_STORE", "s3://bucket/at/")
    monkeypatch.setenv(COPIES, str(tmp_path))
    assert open_store().place == "s3://bucket/at"
    assert default_store_path().parent == tmp_path
    assert default_store_path().name.startswith("bucket-at-")
    assert open_store("s3://bucket/at").root == default_store_path()
    assert open_store("s3://bucket-at").root != default_store_path()


# --- damage ------------------------------------------------------------------------------


def damaged(url: str, change: Callable[[bytes], bytes], name: str = "") -> None:
    """Change a file of the one object at a URL: its largest, or the one of a name."""
    folder = remote.RemoteFolder(url)
    files = folder.files("objects")
    large = max((path for path in files if MARKER not in path), key=lambda path: files[path].bytes)
    path = next((path for path in files if name and path.endswith(name)), large)
    folder.write(f"objects/{path}", change(folder.read(f"objects/{path}") or b""))


@pytest.mark.parametrize(
    "change", [lambda content: b"b" * len(content), lambda content: content[:-1]]
)
def test_a_damaged_object_is_refused(machine, url, change):
    machine("here").publish("fits", "x", fill)
    damaged(url, change)
    there = machine("there")
    with pytest.raises(CorruptObjectError, match="not the file that was written; remove") as caught:
        there.open("fits", "x")
    assert "fits/x" in str(caught.value)
    assert not list((there.root / "fits").iterdir())
    assert there.verify() == ["fits/x: damaged: a.bin"]
    assert there.verify(remove=True) == ["fits/x: damaged: a.bin"]
    again = machine("there")
    assert not again.has("fits", "x")
    assert contents(again.publish("fits", "x", fill))["a.bin"] == b"a" * 100


@pytest.mark.parametrize(
    "marker",
    [
        b"",
        b"[]",
        b'{"schema": 99, "files": {}}',
        b'{"schema": 1, "files": {"../../a": {"bytes": 1, "sha256": "%s"}}}' % (b"0" * 64),
        b'{"schema": 1, "files": {"/a": {"bytes": 1, "sha256": "%s"}}}' % (b"0" * 64),
        b'{"schema": 1, "files": {"a": {"bytes": 1, "sha256": "../../b"}}}',
    ],
)
def test_a_marker_that_is_none_is_refused(machine, url, marker, tmp_path):
    machine("here").publish("fits", "x", fill)
    damaged(url, lambda _: marker, MARKER)
    before = sorted(path for path in tmp_path.rglob("*") if "there" not in path.parts)
    there = machine("there")
    with pytest.raises(CorruptObjectError, match=MARKER):
        there.open("fits", "x")
    assert len(there.verify()) == 1
    assert sorted(path for path in tmp_path.rglob("*") if "there" not in path.parts) == before


# --- what unfinished fits keep -----------------------------------------------------------


def keep(store: SharedStore, state: str) -> None:
    folder = store.work_path("fits", "x")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state").write_text(state)
    store.keep_work("fits", "x")


def found(store: SharedStore) -> str | None:
    store.find_work("fits", "x")
    path = store.work_path("fits", "x") / "state"
    return path.read_text() if path.exists() else None


def test_another_machine_goes_on(machine, url, monkeypatch):
    monkeypatch.setattr(shared, "SELDOM", 0.0)
    here, there = machine("here"), machine("there")
    assert found(there) is None
    keep(here, "epoch 1")
    keep(here, "epoch 2")
    assert found(there) == "epoch 2"
    keep(there, "epoch 3")
    assert found(here) == "epoch 3"
    left = remote.RemoteFolder(url).files("unfinished")
    assert len(left) == 2  # the last state and its marker
    there.drop_work("fits", "x")
    assert remote.RemoteFolder(url).files("unfinished") == {}
    assert found(there) is None
    assert found(here) == "epoch 3"


def test_short_epochs_are_sent_seldom_and_what_is_here_is_newer(machine):
    here = machine("here")
    keep(here, "epoch 1")
    keep(here, "epoch 2")
    assert found(machine("there")) == "epoch 1"
    assert found(here) == "epoch 2"


def test_broken_work_is_begun_again(machine, url, monkeypatch):
    here, there = machine("here"), machine("there")
    keep(here, "epoch 1")
    folder = remote.RemoteFolder(url)
    state = next(path for path in folder.files("unfinished") if MARKER not in path)
    folder.write(f"unfinished/{state}", b"epoch 9")
    assert found(there) is None
    folder.remove(f"unfinished/{state}")
    assert found(there) is None


# --- places that cannot be ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("s3://AKIAKEY:Hush-hush@bucket/x", "name or password"),
        ("s3://bucket/x?secret_key=Hush-hush", "'secret_key'"),
        ("s3:///x", "names no bucket"),
    ],
)
def test_a_url_that_cannot_be_one(place, said):
    with pytest.raises(UsageError, match=said) as caught:
        open_store(place)
    assert "Hush" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_an_unknown_kind_of_url(tmp_path, monkeypatch):
    monkeypatch.setenv(COPIES, str(tmp_path))
    store = open_store("nosuch://bucket/x")
    with pytest.raises(UsageError, match="nosuch:// is no kind of place that is known here: s3://"):
        store.check()


def test_a_kind_of_url_whose_package_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setenv(COPIES, str(tmp_path))

    def absent(_scheme: str) -> None:
        raise ImportError("Install adlfs to access Azure")

    monkeypatch.setattr(fsspec, "filesystem", absent)
    with pytest.raises(UsageError, match="adl:// needs a package: Install adlfs"):
        open_store("adl://bucket/x").check()


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv(COPIES, str(tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write file://.*file/x/\.probe"):
        open_store(f"file://{tmp_path}/file/x").check()


def test_the_store_alone_loads_no_client():
    code = (
        "import sys, skinbench.store; "
        "print(sorted({'fsspec', 'pyarrow', 'boto3', 'torch'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


# --- a real S3 server --------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3() -> Iterator[int]:
    with s3_server() as port:
        yield port


@pytest.fixture
def line(s3: int) -> Iterator[Line]:
    line = Line(s3)
    yield line
    line.close()


def test_on_s3(s3, tmp_path, monkeypatch):
    machine = machines(url_at(s3, "whole"), tmp_path, monkeypatch)
    here, there = machine("here"), machine("there")
    here.check()
    made = here.publish("pixels", "x", fill_large)
    here.publish("fits", "y", fill)
    assert there.names("pixels") == ["x"]
    assert contents(there.open("pixels", "x")) == contents(made)
    assert contents(there.open("fits", "y")) == contents(here.path("fits", "y"))
    assert there.verify() == []
    keep(here, "epoch 1")
    assert found(there) == "epoch 1"
    there.drop_work("fits", "x")
    assert there.clear() > len(CONTENT)
    assert not machine("there").names("pixels")


def test_a_connection_that_breaks_in_a_write_leaves_no_object(s3, line, tmp_path, monkeypatch):
    machine = machines(url_at(line.port, "broken"), tmp_path, monkeypatch)
    here = machine("here")
    line.break_after(3_000_000)
    with pytest.raises(StoreError, match=r"cannot write .*: the connection .*\(2 tries\)"):
        here.publish("pixels", "x", fill_large)
    assert line.breaks >= 2
    line.hold()
    there = machine("there")
    assert not there.has("pixels", "x")
    assert there.objects() == []
    with pytest.raises(CorruptObjectError, match="does not exist"):
        there.open("pixels", "x")
    # What was made stays on its machine, and goes up with the next try.
    assert here.publish("pixels", "x", never) == here.path("pixels", "x")
    assert there.open("pixels", "x").joinpath("large.bin").read_bytes() == CONTENT


def test_a_connection_that_breaks_once_is_no_matter(line, tmp_path, monkeypatch):
    machine = machines(url_at(line.port, "once"), tmp_path, monkeypatch)
    line.break_after(3_000_000, times=1)
    machine("here").publish("pixels", "x", fill_large)
    assert line.breaks == 1
    assert machine("there").open("pixels", "x").joinpath("large.bin").read_bytes() == CONTENT


FETCH = """
import sys
from skinbench.store import open_store
open_store(sys.argv[1]).open("pixels", "x")
"""


def test_two_processes_of_a_machine_fetch_once(s3, line, tmp_path, monkeypatch):
    machines(url_at(s3, "two"), tmp_path, monkeypatch)("here").publish("pixels", "x", fill_large)
    monkeypatch.setenv(COPIES, str(tmp_path / "there"))
    command = [sys.executable, "-c", FETCH, url_at(line.port, "two")]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    assert len(CONTENT) < line.carried_back < 1.5 * len(CONTENT)


def test_no_such_bucket(s3, tmp_path, monkeypatch):
    monkeypatch.setenv(COPIES, str(tmp_path))
    with pytest.raises(StoreError, match="there is no bucket 'nosuchbucket'; make it") as caught:
        open_store(url_at(s3, "x", "nosuchbucket")).check()
    assert caught.value.exit_code == 1


def test_wrong_keys(tmp_path, monkeypatch):
    monkeypatch.setenv(COPIES, str(tmp_path))
    with s3_server(checks_keys=True) as port:
        store = open_store(url_at(port, "keys"))
        with pytest.raises(StoreError, match="access is denied; check the keys here") as caught:
            store.check()
        with pytest.raises(StoreError, match="access is denied"):
            store.has("fits", "x")
    assert "VERYSECRET" not in str(caught.value)
    assert "AKIATEST" not in str(caught.value)


def test_nobody_answers(s3, line, tmp_path, monkeypatch):
    monkeypatch.setenv(COPIES, str(tmp_path))
    line.close()
    with pytest.raises(StoreError, match=r"cannot write .*: the connection fails"):
        open_store(url_at(line.port, "x")).check()


def test_what_is_at_the_place_can_be_read_by_hand(s3, tmp_path, monkeypatch):
    machines(url_at(s3, "hand"), tmp_path, monkeypatch)("here").publish("fits", "x", fill)
    folder = remote.RemoteFolder(url_at(s3, "hand/objects/fits/x"))
    marker = json.loads(folder.read(MARKER) or b"")
    assert folder.read(marker["files"]["a.bin"]["sha256"]) == b"a" * 100
