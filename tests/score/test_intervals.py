import numpy as np
import pytest

from skinbench.score.images import pool
from skinbench.score.intervals import interval, percentile, wilson
from skinbench.score.proportions import GroupSums, effective_n, group_sums, hits
from tests.score.drawn import decided, predictions


def sums(hit, images):
    return GroupSums(hits=np.array(hit, float), images=np.array(images, float))


def test_wilson_by_hand():
    # Newcombe 1998, table I: 81 of 263 and 15 of 148, method 3
    assert wilson(81 / 263, 263, 0.95) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15 / 148, 148, 0.95) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0.0, 20, 0.95) == pytest.approx((0, 0.1611), abs=5e-5)
    assert wilson(1 / 29, 29, 0.95) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert wilson(1.0, 20, 0.95)[1] == 1.0


def test_percentile_leaves_the_data_itself_out():
    values = np.array([100.0, *np.arange(1001.0)])
    found = percentile(values, 0.95)
    assert (found.low, found.high) == pytest.approx((25, 975))


def test_percentile_says_when_it_is_often_undefined():
    values = np.linspace(0, 1, 101)
    values[1:6] = np.nan
    assert percentile(values, 0.95).low == pytest.approx(0.07, abs=0.02)
    values[6] = np.nan
    found = percentile(values, 0.95)
    assert found.low is None
    assert "undefined in 6% of the bootstrap resamples" in found.reason
    assert "no bootstrap" in percentile(values[:1], 0.95).reason
    assert "same value" in percentile(np.ones(101), 0.95).reason


def test_effective_n_is_n_for_single_images_and_groups_for_copies():
    share, n = effective_n([sums([1, 0, 1, 1], [1, 1, 1, 1])])
    assert (share, n) == (0.75, pytest.approx(4))
    share, n = effective_n([sums([2, 0, 2, 2], [2, 2, 2, 2])])
    assert (share, n) == (0.75, pytest.approx(4))
    # by hand: p = 4/7, variance = sum (S_g - p n_g)^2 / 49 = (6/7)^2 + (9/7)^2 + (3/7)^2 over 49
    share, n = effective_n([sums([2, 1, 1], [2, 4, 1])])
    variance = ((6 / 7) ** 2 + (9 / 7) ** 2 + (3 / 7) ** 2) / 49
    assert (share, n) == (pytest.approx(4 / 7), pytest.approx((4 / 7) * (3 / 7) / variance))


def test_effective_n_never_exceeds_the_images():
    # both lesions have one hit of two: the sums vary less than independent images would
    assert effective_n([sums([1, 1, 1, 2], [2, 2, 2, 2])])[1] <= 8


def test_all_right_counts_a_lesion_once():
    assert effective_n([sums([3, 2, 1], [3, 2, 1])]) == (1.0, pytest.approx(36 / 14))
    assert effective_n([sums([0, 0], [3, 3])]) == (0.0, pytest.approx(2))


def test_without_images_there_is_nothing():
    share, n = effective_n([sums([], [])])
    assert np.isnan(share)
    assert n == 0
    assert np.isnan(effective_n([])[0])


def test_seeds_are_averaged_by_lesion():
    first, second = sums([1, 0, 1, 0], [1, 1, 1, 1]), sums([0, 1, 0, 1], [1, 1, 1, 1])
    share, n = effective_n([first, second])
    assert share == 0.5
    assert n == 4  # no variance between lesions is left; the images are the limit


def test_the_rule_by_number_of_groups():
    values = np.array([0.8, *np.linspace(0.7, 0.9, 200)])
    part = [sums([1] * 8 + [0] * 2, [1] * 10)]
    none = interval(values, 0.95, n_groups=9, share=part)
    assert none.low is None
    assert "9 lesion groups, at least 10 are needed" in none.reason
    assert interval(values, 0.95, n_groups=10, share=part).low is not None
    few = interval(values, 0.95, n_groups=49, share=part)
    assert (few.low, few.high) == pytest.approx(wilson(0.8, 10, 0.95))
    many = interval(values, 0.95, n_groups=50, share=part)
    assert (many.low, many.high) == pytest.approx(tuple(np.quantile(values[1:], [0.025, 0.975])))
    other = interval(values, 0.95, n_groups=20)
    assert (other.low, other.high) == (many.low, many.high)


def test_all_right_gets_wilson_however_many_groups():
    part = [sums([1] * 80, [1] * 80)]
    found = interval(np.ones(201), 0.95, n_groups=80, share=part)
    assert found.low == pytest.approx(wilson(1.0, 80, 0.95)[0])
    assert found.high == 1.0


def test_an_undefined_value_has_no_interval():
    assert interval(np.full(101, np.nan), 0.95, n_groups=100).low is None


def test_hits_by_lesion_by_hand():
    data = decided([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], [1, 1, 1, 2, 2], ("x", "y"))
    images = pool(("x", "y"), [predictions(data, ("x", "y"))])["ham", "none"]
    universe = np.unique(images.groups)
    expected = {
        ("recall", 1): ([1, 1], [1, 2]),
        ("specificity", 1): ([1, 0], [2, 0]),
        ("precision", 1): ([1, 1], [2, 1]),
        ("accuracy", None): ([2, 1], [3, 2]),
    }
    for (metric, index), (hit, total) in expected.items():
        share = hits(metric, images, index)
        assert share is not None
        found = group_sums(images, share, universe)
        np.testing.assert_array_equal(found.hits, hit)
        np.testing.assert_array_equal(found.images, total)
    assert hits("auroc", images, 1) is None
    assert hits("recall", images, None) is None
