"""Intervals of predictive values from those of recall and specificity."""

import math

import numpy as np
import pytest

from skinbench.score.intervals import wilson
from skinbench.score.joined import Bounded, ratio_bounds


def share(hits, n):
    low, high = wilson(hits / n, n, 0.95)
    return Bounded(value=hits / n, low=low, high=high)


def test_the_bounds_are_where_the_difference_touches_zero():
    top, bottom = Bounded(value=0.3, low=0.2, high=0.45), Bounded(value=0.8, low=0.7, high=0.86)
    low, high = ratio_bounds(top, bottom)
    for ratio, own, other in ((low, top.low, bottom.high), (high, top.high, bottom.low)):
        reach = math.hypot(top.value - own, ratio * (bottom.value - other))
        assert abs(top.value - ratio * bottom.value) == pytest.approx(reach, rel=1e-9)
    assert low < 0.3 / 0.8 < high


def test_of_no_mistake_the_lower_bound_is_zero_and_the_upper_is_above():
    low, high = ratio_bounds(share(0, 60), share(280, 340))
    assert low == 0
    assert share(0, 60).high < high < share(0, 60).high / share(280, 340).low
    assert ratio_bounds(share(5, 60), Bounded(value=0.1, low=0.0, high=0.4))[1] == math.inf


@pytest.mark.parametrize(("recall", "lesions"), [(0.95, 40), (0.97, 80), (0.8, 40)])
def test_negative_predictive_values_cover(recall, lesions):
    """At a prevalence of 0.02, where the percentile bootstrap has no width in one of ten."""
    generator, specificity, odds = np.random.default_rng(7), 0.85, 0.02 / 0.98
    truth, inside = (1 - recall) / specificity, 0
    for hits, right in zip(
        generator.binomial(lesions, recall, 2000),
        generator.binomial(300, specificity, 2000),
        strict=True,
    ):
        low, high = ratio_bounds(share(lesions - hits, lesions), share(right, 300))
        inside += 1 / (1 + high * odds) <= 1 / (1 + truth * odds) <= 1 / (1 + low * odds)
    assert 0.93 <= inside / 2000 <= 0.985
