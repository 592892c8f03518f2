"""Decisions on pairs: added, changed, and never against each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from skinbench.data.decide import decide
from skinbench.errors import UsageError
from skinbench.records import Pair


def pair(left: str, right: str, decision: str = "same") -> Pair:
    return Pair(dataset_a="d", image_id_a=left, dataset_b="d", image_id_b=right, decision=decision)


def test_a_decision_is_added_changed_or_there_already(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    assert "added; 1 decided" in decide(path, pair("a", "b"), {})
    assert "says so already" in decide(path, pair("b", "a"), {})
    assert "changed; 1 decided" in decide(path, pair("b", "a", "different"), {})
    assert path.read_text().splitlines()[1:] == ["d,b,d,a,different"]


@pytest.mark.parametrize("last", [("a", "d", "different"), ("c", "d", "same")])
def test_decisions_cannot_contradict_each_other_in_a_chain(tmp_path: Path, last) -> None:
    path = tmp_path / "pairs.csv"
    chain = [pair("a", "c"), pair("c", "d"), pair("a", "d", "different")]
    for item in chain:
        if (item.image_id_a, item.image_id_b) != last[:2]:
            decide(path, item, {})
    before = path.read_bytes()
    with pytest.raises(UsageError, match="one lesion by `same`, and they are decided `different`"):
        decide(path, pair(*last), {})
    assert path.read_bytes() == before
