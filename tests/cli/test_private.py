"""Commands on runs of private data: no id as it is in what leaves the machine."""

from __future__ import annotations

import dataclasses
import re
import shutil

import pytest

from skinbench.store import RunFolder, shown_id, write_private
from tests.cli.commands import write_run
from tests.gate.runs import damage, run
from tests.score.drawn import frame

SALT = "s3cret text"
RAW = re.compile(r"[il]0_[0-9]{5}")


@pytest.fixture
def private(tmp_path, monkeypatch):
    monkeypatch.delenv("SKINBENCH_SALT", raising=False)
    data = frame(400)
    write_run(tmp_path / "one", run({"a@0.0": data}))
    broken = run({"a@0.0": damage(data, 0.5)})
    write_run(tmp_path / "two", broken)
    for name in ("one", "two"):
        write_private(RunFolder(tmp_path / name), ["ham"])
    return tmp_path


def test_compare_shows_salted_ids(private, shell, monkeypatch):
    assert "ham: private" in shell.error("compare", "one", "two")
    monkeypatch.setenv("SKINBENCH_SALT", SALT)
    for options in ((), ("--json",)):
        done = shell("compare", "one", "two", *options)
        assert done.code == 0
        assert not RAW.search(done.out)
    flips = shell("compare", "one", "two", "--json").json["flips"][0]["flips"]
    stand_ins = {shown_id(name, SALT) for name in frame(400)["image_id"]}
    assert flips
    assert {flip["image_id"] for flip in flips} <= stand_ins


def test_the_gate_writes_salted_ids_alone(private, shell, monkeypatch):
    asked = ("gate", "one", "--baseline", "b.json")
    assert "set SKINBENCH_SALT" in shell.error(*asked, "--update-baseline")
    assert not (private / "b.json").exists(), "a baseline is committed: never with raw ids"
    monkeypatch.setenv("SKINBENCH_SALT", SALT)
    assert shell(*asked, "--update-baseline").code == 0
    failed = run({"a@0.0": frame(400)}, failed=("a@0.0",))
    cells = tuple(
        dataclasses.replace(cell, reason="DataError: image 'i0_00007' of l0_00003 is gone")
        for cell in failed.scorecard.cells
    )
    failed.scorecard = dataclasses.replace(failed.scorecard, cells=cells)
    folder = write_run(private / "three", failed)
    shutil.copytree(private / "one/predictions", folder.predictions)
    write_private(folder, ["ham"])
    outs = [
        shell("gate", "three", "--baseline", "b.json", "--markdown", "d.md", "--junit", "k.xml")
    ]
    assert shown_id("i0_00007", SALT) in (private / "d.md").read_text("utf-8")
    outs.append(
        shell("gate", "two", "--baseline", "b.json", "--junit", "j.xml", "--markdown", "c.md")
    )
    outs.append(shell("gate", "two", "--baseline", "b.json", "--json"))
    texts = [done.out + done.err for done in outs]
    texts += [
        (private / name).read_text("utf-8") for name in ("b.json", "j.xml", "c.md", "d.md", "k.xml")
    ]
    assert all(texts)
    assert not any(RAW.search(text) or SALT in text for text in texts)
