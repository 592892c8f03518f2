"""What every test of a store at a URL needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from skinbench.store import remote, urls
from tests.s3 import keys_in


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks is tried twice, without a pause."""
    monkeypatch.setattr(remote, "PAUSES", (0.0,))
    monkeypatch.setattr(urls, "ATTEMPTS", 1)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys that no server but the tests' own takes, and none of the machine's."""
    for name, value in keys_in(tmp_path).items():
        monkeypatch.setenv(name, value)
