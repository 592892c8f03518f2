"""Which rows a condition may be asked of."""

from __future__ import annotations

import pytest

from tests.suite.texts import fails, load, with_changes

CNN = "baseline_cnn"
ROWS = {
    "fusion/a": {"model": CNN, "input": "fusion_p2"},
    "fusion/b": {"model": CNN, "input": "film"},
    "table": {"model": "metadata_only"},
    "image": {"model": CNN},
    "nearest": {"model": "nearest_neighbour"},
}
DERIVED = {
    "mixed": {"kind": "mean_probability", "of": ["fusion/a", "image"]},
    "images": {"kind": "mean_probability", "of": ["image", "nearest"]},
    "twice": {"kind": "mean_probability", "of": ["mixed", "table"]},
}


def asking(rows, condition="metadata_missing"):
    evaluate = [{"rows": rows, "conditions": ["none", condition]}]
    return with_changes(rows=ROWS, derived=DERIVED, evaluate=evaluate)


@pytest.mark.parametrize("rows", ["fusion/*", "table", "mixed", "twice"])
def test_rows_that_read_metadata_may_miss_it(tmp_path, rows):
    assert load(tmp_path, asking(rows)).file.evaluate[0].conditions[1] == "metadata_missing"


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ("image", "'image': its input 'image' reads no metadata"),
        ("*", "'image': its input"),
        ("nearest", "'nearest': its"),
        ("images", "'images': its members read no metadata"),
    ],
)
def test_rows_that_read_none_are_refused_with_the_reason(tmp_path, rows, named):
    error = fails(tmp_path, asking(rows))
    assert error.key == "evaluate.0.rows"
    assert named in error.message
    assert "name rows that read metadata" in error.message


def test_it_has_no_strength(tmp_path):
    error = fails(tmp_path, asking("fusion/*", "metadata_missing@2"))
    assert "has no strength; write metadata_missing" in error.message
    assert error.key == "evaluate.0.conditions"


def test_a_range_is_short_for_its_strengths(tmp_path):
    evaluate = [{"rows": "image", "conditions": ["none", "hair@1-5", "jpeg@2-3"]}]
    found = load(tmp_path, with_changes(rows=ROWS, derived=DERIVED, evaluate=evaluate))
    assert found.file.evaluate[0].conditions == [
        "none", *(f"hair@{n}" for n in range(1, 6)), "jpeg@2", "jpeg@3",
    ]  # fmt: skip


def test_a_range_that_runs_backwards_is_refused(tmp_path):
    evaluate = [{"rows": "image", "conditions": "hair@5-1"}]
    error = fails(tmp_path, with_changes(rows=ROWS, evaluate=evaluate))
    assert "the range runs backwards; write hair@1-5" in error.message
    assert error.key == "evaluate.0.conditions"


def test_metrics_of_weak_spots_are_checked(tmp_path):
    changes = {"rows": ROWS, "weak_spots": {"metrics": "recal:mel"}}
    error = fails(tmp_path, with_changes(**changes))
    assert "recall" in error.message
    assert error.key.startswith("weak_spots.metrics")
    changes = {"rows": ROWS, "weak_spots": {"slices": "gender"}}
    assert "weak_spots.slices" in fails(tmp_path, with_changes(**changes)).key
    changes = {"rows": ROWS, "weak_spots": None}
    assert load(tmp_path, with_changes(**changes)).file.weak_spots is None
