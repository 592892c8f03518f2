"""The greatest standard deviation against brute force, and against known published ones."""

import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skinbench.score.printed import printed
from skinbench.score.spread import deviation, greatest_spread

STEPS = 12
"""Brute force tries all scores that are a multiple of 1 / STEPS."""


def variances(values):
    """(divisor n - 1, divisor n) of exact numbers."""
    mean = sum(values) / len(values)
    squares = sum((value - mean) ** 2 for value in values)
    return squares / (len(values) - 1), squares / len(values)


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_no_scores_spread_more_and_some_spread_as_much(count):
    grid = [Fraction(step, STEPS) for step in range(STEPS + 1)]
    best: dict[Fraction, Fraction] = {}
    for values in itertools.combinations_with_replacement(grid, count):
        mean = sum(values) / count
        best[mean] = max(best.get(mean, Fraction(0)), variances(values)[0])
    assert len(best) == count * STEPS + 1
    for mean, variance in best.items():
        # the maximum has one score that is neither 0 nor 1, which lies on the grid
        found = greatest_spread(mean, mean, count)
        assert found.sample == variance
        assert found.population == variance * (count - 1) / count


@given(
    values=st.lists(st.fractions(0, 1, max_denominator=50), min_size=2, max_size=12),
    slack=st.fractions(0, Fraction(1, 10), max_denominator=100),
)
def test_any_scores_keep_within_the_bound_for_their_number_and_for_all(values, slack):
    mean = sum(values) / len(values)
    sample, population = variances(values)
    own = greatest_spread(mean - slack, mean + slack, len(values))
    every = greatest_spread(mean - slack, mean + slack, None)
    assert sample <= own.sample <= every.sample
    assert population <= own.population <= every.population
    assert every.population <= every.sample <= Fraction(1, 2)


@given(
    low=st.fractions(0, 1, max_denominator=400),
    width=st.fractions(0, Fraction(1, 20), max_denominator=400),
)
def test_over_all_numbers_is_the_greatest_of_the_first_two_hundred(low, width):
    every = greatest_spread(low, low + width, None)
    tried = [greatest_spread(low, low + width, count) for count in range(2, 201)]
    assert every.sample == max(item.sample for item in tried)
    assert every.population >= max(item.population for item in tried)
    nearest = min(max(Fraction(1, 2), low), min(Fraction(1), low + width))
    assert every.population == nearest * (1 - nearest)


@given(
    low=st.fractions(0, 1, max_denominator=100), count=st.none() | st.integers(2, 30)
)  # fmt: skip
def test_ones_and_zeros_swapped_spread_the_same(low, count):
    high = min(Fraction(1), low + Fraction(1, 50))
    assert greatest_spread(low, high, count) == greatest_spread(1 - high, 1 - low, count)


def test_the_two_published_deviations_that_cannot_be():
    # Shimbre 2025: 0.96 ± 0.25 and 0.94 ± 0.34. The greatest is reached by 21 ones and a 0.01
    # (22 scores of mean 0.955), and by 14 ones and a 0.025 (15 scores of mean 0.935).
    for mean, most, scores in (
        ("0.96", "0.211", [Fraction(1)] * 21 + [Fraction(1, 100)]),
        ("0.94", "0.252", [Fraction(1)] * 14 + [Fraction(25, 1000)]),
    ):
        number = printed(mean)
        found = greatest_spread(number.low, number.high, None)
        assert f"{deviation(found.sample):.3f}" == most
        assert sum(scores) / len(scores) == number.low
        assert variances(scores)[0] == found.sample
        assert deviation(found.population) == pytest.approx(
            math.sqrt(float(number.low * (1 - number.low)))
        )


def test_small_means_and_ends():
    assert greatest_spread(Fraction(1), Fraction(2), None).sample == 0
    assert greatest_spread(Fraction(-1), Fraction(0), 5).sample == 0
    assert greatest_spread(Fraction(1, 2), Fraction(1, 2), None).sample == Fraction(1, 2)
    # one 1 among a thousand zeros: variance 1/1000, more than few scores of this mean allow
    assert greatest_spread(Fraction(0), Fraction(1, 1000), None).sample == Fraction(1, 1000)
    for bad in ((Fraction(2), Fraction(3), None), (Fraction(0), Fraction(1), 1)):
        with pytest.raises(ValueError):
            greatest_spread(*bad)
