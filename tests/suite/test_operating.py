"""`operating_points:` and `prevalence:` of a suite, and calibrations as derived rows."""

from __future__ import annotations

import pytest
import yaml

from skinbench.errors import SuiteError
from skinbench.records.operating import Policy
from skinbench.suite import load_suite
from tests.suite.texts import with_changes, write

POINTS = """
operating_points:
  - {class: mel, recall: 0.95}
  - {rows: "a*", class: mel, youden: true}
  - {class: mel, cost: {miss: 20, false_alarm: 1}}
prevalence:
  - {class: mel, at: 0.02}
  - {class: mel, at: [0.02, 0.1], risk: 0.05}
"""


def loaded(tmp_path, text):
    return load_suite(write(tmp_path, text)).file


def suite(more):
    return yaml.safe_dump(with_changes(), sort_keys=False) + more


def test_they_become_records(tmp_path):
    file = loaded(tmp_path, suite(POINTS))
    points = [item.request() for item in file.operating_points]
    assert [point.policy for point in points] == [
        Policy(kind="recall", recall=0.95),
        Policy(kind="youden"),
        Policy(kind="cost", miss=20, false_alarm=1),
    ]
    assert points[1].rows == "a*"
    prevalences = [item.request() for item in file.prevalence]
    assert [item.at for item in prevalences] == [(0.02,), (0.02, 0.1)]
    assert prevalences[1].threshold_probability == 0.05


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("operating_points: [{class: mel}]", "needs one of `recall: 0.95`"),
        ("operating_points: [{class: mel, recall: 0.9, youden: true}]", "needs one of"),
        ("operating_points: [{class: mel, recall: 1.5}]", "less than or equal to 1"),
        ("operating_points: [{class: mel, cost: {miss: 0, false_alarm: 1}}]", "greater than 0"),
        ("operating_points: [{recall: 0.9}]", "class"),
        ("prevalence: [{class: mel, at: []}]", "at least 1"),
        ("prevalence: [{class: mel, at: 2}]", "less than 1"),
    ],
)
def test_what_is_refused_names_its_place(tmp_path, text, message):
    with pytest.raises(SuiteError, match=message) as caught:
        loaded(tmp_path, suite(f"\n{text}\n"))
    assert caught.value.line is not None
    assert "\n" not in str(caught.value)


def test_a_gate_may_leave_out_the_class_of_a_metric_about_one(tmp_path):
    loaded(tmp_path, suite("\ngate: [{metric: melanoma_called_benign, margin: 0.05}]\n"))
    with pytest.raises(SuiteError, match=r"is about .*mel.*, not 'nv'"):
        loaded(tmp_path, suite("\ngate: [{metric: called_benign, class: nv, margin: 0.05}]\n"))
