"""An audit that did not look is not clean; the lock holds every dependency by hash."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.prove.audit import LOCK, ask, judge, locked

ROOT = Path(__file__).parents[2]
WANTED = {"numpy": "2.0", "torch": "2.5"}
CLEAN = [{"name": name, "version": version, "vulns": []} for name, version in WANTED.items()]
BAD = {"name": "torch", "version": "2.5", "vulns": [{"id": "CVE-1", "fix_versions": ["2.6"]}]}
UNSEEN = {"name": "torch", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("said", "why", "code", "line"),
    [
        ({"dependencies": CLEAN}, "", 0, "2 packages looked up, none is known to be vulnerable"),
        ({"dependencies": [CLEAN[0], BAD]}, "", 1, "torch 2.5: CVE-1, fixed in 2.6"),
        ({"dependencies": [CLEAN[0], UNSEEN]}, "", 2, "not done: 1 of 2 packages were not looked"),
        ({"dependencies": [CLEAN[0]]}, "", 2, "not done: 1 of 2 packages were not looked up"),
        ({"dependencies": [BAD]}, "", 2, "not done: 1 of 2 packages were not looked up (numpy)"),
        ({"dependencies": []}, "", 2, "not done: 2 of 2"),
        ({}, "", 2, "not done: 2 of 2"),
        (None, "no network", 2, "not done: no network"),
    ],
)
def test_only_what_was_looked_up_is_clean(said, why, code, line):
    found, lines = judge(said, why, WANTED)
    assert found == code
    assert lines[-1].startswith(line)


def test_a_lock_of_nothing_is_no_audit():
    assert judge({"dependencies": CLEAN}, "", {})[0] == 2


def test_a_program_that_is_not_there_is_no_audit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    said, why = ask(LOCK)
    assert said is None
    assert "pip-audit" in why


@pytest.mark.parametrize("says", ["echo oops >&2; exit 1", "exit 0", "echo not json"])
def test_a_program_that_fails_is_no_audit(says, tmp_path, monkeypatch):
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\n{says}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert judge(*ask(LOCK), WANTED)[0] == 2


def test_every_line_of_the_lock_is_pinned_by_hash_and_names_no_index():
    text = LOCK.read_text("utf-8")
    entries = [entry for entry in re.split(r"\n(?=\S)", text) if not entry.startswith("#")]
    for entry in entries:
        assert re.match(r"[a-z0-9.-]+==\S+", entry), entry[:80]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry[:80]
    for word in ("://", "--index", "--extra-index", "--find-links", "file:", " @ ", "--trusted"):
        assert word not in text


def test_the_lock_holds_every_dependency_in_a_version_that_fits():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pinned = {name.lower(): version for name, version in locked(LOCK).items()}
    extras = itertools.chain.from_iterable(project["optional-dependencies"].values())
    stated = [*project["dependencies"], *extras]
    for item in map(Requirement, stated):
        if item.name != "skinbench":
            version = pinned.get(item.name.lower())
            assert version is not None, f"{item.name}: run `make lock`"
            assert item.specifier.contains(version), f"{item}: run `make lock`"
