"""The axis that the bars of a column share."""

from __future__ import annotations

import pytest

from skinbench.report.axes import Axis, axis_of
from skinbench.report.tables import Bar


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([0.31, 0.55, 0.88], 0.3, 0.9),
        ([0.0, 1.0], 0.0, 1.0),
        ([0.62, 0.83], 0.6, 0.85),
        ([0.812, 0.894], 0.8, 0.9),
        ([0.903, 0.911], 0.9, 0.92),
        ([0.5], 0.49, 0.51),
        ([1.0], 0.99, 1.0),
    ],
)
def test_axis_is_the_shortest_with_round_ends(values, low, high):
    assert axis_of(values) == Axis(low=low, high=high)


def test_no_value_has_no_axis():
    assert axis_of([]) is None


def test_values_stand_along_the_axis_and_none_beyond_it():
    axis = Axis(low=0.6, high=0.8)
    assert [round(axis.at(value), 6) for value in (0.6, 0.65, 0.8)] == [0.0, 0.25, 1.0]
    bar = axis.scaled(Bar(value=0.7, low=0.5, high=0.9))
    assert (bar.low, round(bar.value, 6), bar.high) == (0.0, 0.5, 1.0)
    assert [axis.beyond(value) for value in (0.59, 0.6, 0.8, 0.81)] == ["under", "", "", "over"]
