"""Derived rows that are fitted on val are refused before anything is run."""

import pytest

from skinbench.errors import SuiteError
from tests.plan.made import plan
from tests.suite.texts import fails, with_changes

ROWS = {"a": {"model": "baseline_cnn"}, "b": {"model": "baseline_cnn", "technique": "focal"}}


def text(kind, val=0.1, **settings):
    splits = {"by_lesion": {"data": "drawn", "group": "lesion", "test": 0.2, "val": val}}
    return with_changes(
        rows=ROWS, splits=splits, derived={"d": {"kind": kind, "of": "*", **settings}}
    )


@pytest.mark.parametrize("kind", ["stacking", "weighted_mean", "mean_rank"])
def test_val_is_needed_where_something_is_fitted(tmp_path, kind):
    (item,) = plan(tmp_path, text(kind)).derived
    assert item.members == ("a@0.0", "b@0.0")
    with pytest.raises(SuiteError, match="fitted on val, and split 'by_lesion' has none"):
        plan(tmp_path, text(kind, val=0.0))
    assert plan(tmp_path, text("mean_probability", val=0.0)).derived


def test_options_are_looked_at_before_a_run(tmp_path):
    error = fails(tmp_path, text("stacking", options={"penalty": -1}))
    assert "penalty is -1" in error.message
    assert error.key == "derived.d.options"


@pytest.mark.parametrize("kind", ["temperature", "vector", "platt", "isotonic"])
def test_a_calibration_is_of_one_row(tmp_path, kind):
    one = text(kind)
    one["derived"]["d"]["of"] = "a"
    (item,) = plan(tmp_path, one).derived
    assert item.members == ("a@0.0",)
    with pytest.raises(SuiteError, match=f"'{kind}' is made of 1 row, not 2"):
        plan(tmp_path, text(kind))
    one["splits"]["by_lesion"]["val"] = 0.0
    with pytest.raises(SuiteError, match="fitted on val"):
        plan(tmp_path, one)


@pytest.mark.parametrize(
    ("key", "item"),
    [("operating_points", {"recall": 0.9}), ("prevalence", {"at": 0.02})],
)
def test_classes_of_points_are_those_of_the_rows(tmp_path, key, item):
    plan(tmp_path, with_changes(**{key: [{"class": "mel", **item}]}))
    with pytest.raises(SuiteError, match="no class 'mell' in the suite's label spaces"):
        plan(tmp_path, with_changes(**{key: [{"class": "mell", **item}]}))


def test_decision_rules_are_about_classes_of_the_rows(tmp_path):
    check = {"metric": "recall", "class": "mel", "margin": 0.05}
    with pytest.raises(SuiteError, match="no class 'mell' in the suite's label spaces") as caught:
        plan(tmp_path, with_changes(gate=[{**check, "decision": "mell:youden"}]))
    assert caught.value.key == "gate.0.decision"
    with pytest.raises(SuiteError, match="no class 'mell'") as caught:
        plan(tmp_path, with_changes(gate_policy={"decision": "mell:youden"}))
    assert caught.value.key == "gate_policy.decision"
    plan(tmp_path, with_changes(gate=[{**check, "decision": "mel:youden"}]))
