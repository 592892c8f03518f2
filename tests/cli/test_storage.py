"""A store at a URL, from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from skinbench.store import MARKER, open_store, remote
from tests.cli.commands import write_run


@pytest.fixture
def place(shell, monkeypatch, tmp_path: Path) -> str:
    """SKINBENCH_STORE is a URL, with copies in a folder of their own."""
    monkeypatch.setattr(remote, "PAUSES", ())
    monkeypatch.setenv("SKINBENCH_STORE_CACHE", str(tmp_path / "copies"))
    monkeypatch.setenv("SKINBENCH_STORE", f"file://{tmp_path}/there")
    return f"file://{tmp_path}/there"


def publish(size: int = 2000) -> None:
    open_store().publish(
        "fits", "x", lambda folder: (folder / "f").write_bytes(b"1" * size) and None
    )


def test_what_a_store_at_a_url_holds(shell, place, tmp_path):
    publish()
    assert shell("cache", "list", "--json").json["root"] == place
    said = shell("cache", "list").out
    assert said.startswith(place)
    assert f"copies on this machine, in {tmp_path}/copies/" in said


def test_only_the_copies_are_cleared(shell, place):
    publish()
    done = shell("cache", "clear", "--copies", "--yes")
    assert "removed 2" in done.out
    assert open_store().copies() == []
    assert [item.name for item in open_store().objects()] == ["x"]
    shell("cache", "clear", "--yes")
    assert open_store().objects() == []


def test_what_is_damaged_is_removed_and_made_again(shell, place, tmp_path):
    publish()
    assert shell("cache", "verify").code == 0
    stored = tmp_path / "there/objects/fits/x"
    [file] = (path for path in stored.iterdir() if path.name != MARKER)
    file.write_bytes(b"2" * 2000)
    done = shell("cache", "verify")
    assert done.code == 1
    assert "fits/x: damaged: f" in done.out
    assert "skinbench cache verify --remove" in done.out
    assert "1 damaged: removed" in shell("cache", "verify", "--remove").out
    assert "all whole" in shell("cache", "verify").out
    assert not stored.exists()


def test_doctor_tries_the_url(shell, place, monkeypatch, tmp_path):
    findings = {item["name"]: item for item in shell("doctor", "--json").json}
    assert findings["store"]["state"] == "ok"
    assert findings["store"]["detail"] == f"{place}, can be written and read"
    assert str(tmp_path / "copies") in findings["copies of the store"]["detail"]
    (tmp_path / "file").touch()
    monkeypatch.setenv("SKINBENCH_STORE", f"file://{tmp_path}/file/store")
    findings = {item["name"]: item for item in shell("doctor", "--json").json}
    assert findings["store"]["state"] == "missing"
    assert "cannot write" in findings["store"]["detail"]


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("nosuch://x/y", 2, "nosuch:// is no kind of place that is known here"),
        ("s3://me:hush@bucket/y", 2, "has a name or password in it"),
        ("file:///dev/null/x", 1, "cannot write file:///dev/null/x/.probe"),
    ],
)
def test_a_run_says_first_what_is_wrong_with_the_place(shell, place, tmp_path, url, code, said):
    error = shell.error("run", "quickstart", "--store", url, code=code)
    assert said in error
    assert "hush" not in error
    assert not (tmp_path / "reports").exists()


def test_a_run_at_a_url_is_judged(shell, place, tmp_path):
    run = write_run(tmp_path / "run").root
    baseline = tmp_path / "baseline.json"
    shell("gate", run, "--baseline", baseline, "--update-baseline")
    here = shell("gate", run, "--baseline", baseline, "--json")
    there = shell("gate", f"file://{run}", "--baseline", baseline, "--json")
    assert (there.code, there.json) == (here.code, here.json)
    error = shell.error("gate", f"file://{tmp_path}/none", "--baseline", baseline)
    assert "there is nothing at file://" in error
    error = shell.error("report", "nosuch://x/run")
    assert "nosuch:// is no kind of place" in error


def test_a_run_cannot_be_sent_to_a_url_that_cannot_be_written(shell, place, tmp_path):
    error = shell.error("run", "quickstart", "--out", "file:///dev/null/run", code=1)
    assert "cannot write file:///dev/null/run/.probe" in error
