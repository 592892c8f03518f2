"""Rows of a leaky split against their twins on a clean one."""

from __future__ import annotations

import pytest

from skinbench.pipeline.leak_gaps import leak_gaps
from skinbench.records import Contrast
from tests.plan.made import plan
from tests.suite.texts import with_changes

SPLITS = {
    name: {"data": "drawn", "group": group, "test": 0.2, "val": 0.1}
    for name, group in (("by_image", "image"), ("by_lesion", "lesion"))
}
ROWS = {
    "a/leaky": {"model": "baseline_cnn", "split": "by_image"},
    "a/clean": {"model": "baseline_cnn"},
    "b/leaky": {"model": "baseline_cnn", "split": "by_image", "technique": "class_weights"},
    "c/clean": {"model": "baseline_cnn", "epochs": 3},
}


@pytest.fixture
def made(tmp_path):
    return plan(tmp_path, with_changes(splits=SPLITS, rows=ROWS, leakage="keep", baselines=False))


def test_a_row_is_held_against_itself_on_a_clean_split(made):
    (found,) = leak_gaps(made, {"by_image": "stamp"}, [])
    assert (found.row, found.against, found.family) == ("a/leaky", "a/clean", "leak gap")
    assert found.metrics == ("balanced_accuracy", "recall:mel")


def test_what_the_suite_compares_is_not_compared_again(made):
    asked = [
        Contrast(name="mine", row="a/leaky", against="a/clean", metrics=("balanced_accuracy",))
    ]
    (found,) = leak_gaps(made, {"by_image"}, asked)
    assert found.metrics == ("recall:mel",)


def test_without_a_leak_nothing_is_compared(made):
    assert leak_gaps(made, set(), []) == []
    assert leak_gaps(made, {"by_image", "by_lesion"}, []) == []
