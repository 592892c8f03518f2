"""A folder at a URL and its copies: what is there counts, and what broke off is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from skinbench.errors import CorruptObjectError, StoreError, UsageError
from skinbench.store import COPIES, Mirror, brought, remote
from skinbench.store.mirror import LIST
from tests.s3 import Line, s3_server, url_at
from tests.store.test_shared import contents

Machine = Callable[[str], Mirror]


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """What is at the URL, as one can look at it."""
    return tmp_path / "url"


@pytest.fixture
def machine(there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Opens the folder as a machine of that name would."""

    def opened(name: str, url: str = f"file://{there}") -> Mirror:
        monkeypatch.setenv(COPIES, str(tmp_path / name))
        return Mirror(url)

    return opened


def write(mirror: Mirror, **files: str) -> None:
    mirror.folder.mkdir(parents=True, exist_ok=True)
    for path in mirror.folder.iterdir():
        path.unlink()
    for name, text in files.items():
        (mirror.folder / name).write_text(text)


def read(mirror: Mirror) -> dict[str, str]:
    return {name: content.decode() for name, content in contents(mirror.fetch()).items()}


def test_what_one_machine_sends_another_fetches(machine, there):
    here = machine("here")
    here.check()
    write(here, scorecard="1", report="one")
    (here.folder / "deep").mkdir()
    (here.folder / "deep" / "table").write_text("t")
    here.send()
    assert sorted(contents(there)) == [LIST, "deep/table", "report", "scorecard"]
    assert read(machine("other")) == {"deep/table": "t", "report": "one", "scorecard": "1"}


def test_only_what_changed_travels_and_what_went_is_removed(machine, there, monkeypatch):
    here, other = machine("here"), machine("other")
    write(here, scorecard="1", report="one", old="x")
    here.send()
    assert read(other) == {"scorecard": "1", "report": "one", "old": "x"}
    (there / "by_hand").write_text("somebody's")
    sent: list[str] = []
    upload = remote.RemoteFolder.upload

    def noted(self, path, name):
        sent.append(name)
        upload(self, path, name)

    monkeypatch.setattr(remote.RemoteFolder, "upload", noted)
    write(here, scorecard="2", report="one")
    here.send()
    assert sent == ["scorecard"]
    assert sorted(contents(there)) == [LIST, "by_hand", "report", "scorecard"]
    assert read(other) == {"scorecard": "2", "report": "one"}


def test_a_run_goes_on_from_what_is_there(machine):
    here, other = machine("here"), machine("other")
    assert list(here.resume().iterdir()) == []
    write(here, scorecard="1")
    here.send()
    write(here, scorecard="1", unsent="2")  # killed before it was sent
    assert sorted(contents(here.resume())) == ["scorecard", "unsent"]
    assert sorted(contents(other.resume())) == ["scorecard"]
    write(other, scorecard="3")
    other.send()
    assert contents(here.resume()) == {"scorecard": b"3"}


def test_a_folder_that_somebody_copied_there(machine, there):
    there.mkdir()
    (there / "scorecard").write_text("1")
    (there / "report").write_text("one")
    other = machine("other")
    seen: list[tuple[str, int, int]] = []
    other.fetch(lambda *told: seen.append(told))
    assert seen == [("fetching", 1, 2), ("fetching", 2, 2)]
    assert read(other) == {"scorecard": "1", "report": "one"}
    (there / "report").unlink()
    (there / "scorecard").write_text("22")
    assert read(other) == {"scorecard": "22"}


def test_nothing_there(machine):
    with pytest.raises(UsageError, match=r"there is nothing at file://.*/url"):
        machine("here").fetch()


def test_a_folder_that_is_not_whole_is_refused_until_it_is_sent_again(machine, there):
    here, other = machine("here"), machine("other")
    write(here, scorecard="1")
    here.send()
    (there / "scorecard").write_text("2")
    with pytest.raises(CorruptObjectError, match=r"is not whole: .*scorecard is not the file"):
        other.fetch()
    assert other.resume() == other.folder  # what is there is about to be written anew
    write(other, scorecard="3")
    other.send()
    assert read(here) == {"scorecard": "3"}


@pytest.mark.parametrize("name", ["../out", "/out", "a\\..\\b"])
def test_names_stay_in_the_folder(machine, there, tmp_path, name):
    there.mkdir()
    digest = "0" * 64
    entry = f'{{"schema": 1, "files": {{"{name}": {{"bytes": 1, "sha256": "{digest}"}}}}}}'
    (there / LIST).write_text(entry.replace("\\", "\\\\"))
    with pytest.raises(CorruptObjectError, match="leads out of its folder"):
        machine("here").fetch()


def test_a_connection_that_breaks_while_a_run_is_sent(machine):
    with s3_server() as port:
        line = Line(port)
        here = machine("here", url_at(line.port, "run"))
        write(here, scorecard="1", small="s")
        here.send()
        write(here, scorecard="2" * 1_000_000, small="s")
        line.break_after(500_000)
        with pytest.raises(StoreError, match=r"cannot write .*scorecard"):
            here.send()
        other = machine("other", url_at(port, "run"))
        assert read(other) == {"scorecard": "1", "small": "s"}
        line.hold()
        here.send()
        assert read(other) == {"scorecard": "2" * 1_000_000, "small": "s"}
        line.close()


def test_a_file_alone_is_brought_once(machine, there, monkeypatch):
    machine("here")
    there.mkdir()
    (there / "net.safetensors").write_text("1")
    path = brought(f"file://{there}/net.safetensors")
    assert (path.name, path.read_text()) == ("net.safetensors", "1")
    before = path.stat().st_ino
    assert brought(f"file://{there}/net.safetensors").stat().st_ino == before
    (there / "net.safetensors").write_text("22")
    assert brought(f"file://{there}/net.safetensors").read_text() == "22"
    with pytest.raises(UsageError, match="there is nothing at"):
        brought(f"file://{there}/other.safetensors")
