"""Whatever a stranger's file holds: one line of ours, soon, and nothing written elsewhere."""

from __future__ import annotations

import pickle  # noqa: TID251
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skinbench.errors import SkinbenchError
from tests.examples import examples
from tests.fuzz import sandbox
from tests.fuzz.inputs import READERS
from tests.fuzz.sandbox import empty_folder, survives

# Suites are tried in tests/suite/test_strangers.py.
HERE = [name for name in READERS if name != "suites"]


@pytest.mark.parametrize("name", HERE)
def test_whatever_it_holds(name: str, tmp_path: Path) -> None:
    reader = READERS[name]

    @settings(
        max_examples=examples(100),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(st.data())
    def some(data: st.DataObject) -> None:
        reader.attempt(empty_folder(tmp_path), data.draw(reader.inputs))

    some()


def _elsewhere(folder: Path) -> None:
    (folder.parent / "elsewhere").write_text("x")


def _unpickles(folder: Path) -> None:
    pickle.loads(pickle.dumps(Path))  # noqa: S301


class _TwoLines(SkinbenchError):
    def __str__(self) -> str:
        return "a\nb"


def _two_lines(folder: Path) -> None:
    raise _TwoLines


def _hangs(folder: Path) -> None:
    began = time.process_time()
    while time.process_time() - began < 0.05:
        sum(range(10_000))


def _fails(folder: Path) -> None:
    raise KeyError("x")


@pytest.mark.parametrize("bad", [_elsewhere, _unpickles, _two_lines, _hangs])
def test_the_watch_sees(bad: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "SLOW", 0.04)
    folder = empty_folder(tmp_path)
    with pytest.raises(AssertionError):
        survives(bad, folder, folder=folder)


def test_the_watch_lets_through_what_is_no_refusal(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        survives(_fails, tmp_path, folder=tmp_path)


def test_an_error_is_one_line_whatever_it_quotes() -> None:
    assert str(SkinbenchError("a\nb\x1b[31m\u202e")) == "a\\nb\\x1b[31m\\u202e"
