import math

import numpy as np
import pytest
from scipy import optimize, stats

from skinbench.gate.paired import (
    SeedVariance,
    bootstrap_bounds,
    clustered_bounds,
    seed_variance,
)
from tests.gate.paired_data import drawn, pairs_of, tango

Z = stats.norm.ppf(0.95)


def likeliest_variance(signs, d0):
    """Variance of an image's difference at d0, its shares maximised numerically."""
    gained, lost = (signs > 0).mean(), (signs < 0).mean()
    same = 1 - gained - lost

    def loss(share):
        parts = [(gained, share + d0), (lost, share), (same, 1 - 2 * share - d0)]
        return -sum(n * math.log(p) for n, p in parts if n > 0 and p > 0) + 1e9 * (
            min(p for _, p in parts) < 0
        )

    bounds = (max(0, -d0), (1 - d0) / 2)
    share = optimize.minimize_scalar(loss, bounds=bounds, options={"xatol": 1e-12}).x
    return 2 * share + d0 - d0**2


def statistic(signs, lesions, d0, extra=0.0):
    """The documented formula, term by term."""
    n = len(signs)
    clustered = sum(
        (signs[lesions == lesion].sum() - d0 * (lesions == lesion).sum()) ** 2
        for lesion in np.unique(lesions)
    )
    corrected = clustered / n**2 * likeliest_variance(signs, d0) / ((signs - d0) ** 2).mean()
    return (signs.mean() - d0) / math.sqrt(corrected + extra)


def bounds_of(signs, lesions, alpha=0.05, seeds=None):
    pairs, groups = pairs_of(signs, lesions)
    return clustered_bounds(pairs, alpha, groups, seeds)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("alpha", [0.05, 0.025])
def test_bounds_are_where_the_score_test_just_does_not_reject(seed, alpha):
    signs, lesions = drawn(seed)
    found = bounds_of(signs, lesions, alpha)
    z = stats.norm.ppf(1 - alpha)
    assert found.low < found.difference < found.high
    assert statistic(signs, lesions, found.low) == pytest.approx(z, rel=1e-4)
    assert statistic(signs, lesions, found.high) == pytest.approx(-z, rel=1e-4)
    # At 0 the correction is 1: the clustered sign test.
    plain = signs.sum() / math.sqrt((np.bincount(lesions, signs) ** 2).sum())
    assert found.p_regressed == pytest.approx(stats.norm.cdf(plain))


@pytest.mark.parametrize(
    ("n", "gained", "lost"), [(100, 4, 12), (223, 3, 14), (60, 0, 5), (44, 0, 1), (40, 9, 0)]
)
def test_with_one_image_a_lesion_it_is_tangos_interval(n, gained, lost):
    signs = np.array([1] * gained + [-1] * lost + [0] * (n - gained - lost))
    found = bounds_of(signs, np.arange(n), 0.025)
    expected = tango(n, gained, lost, stats.norm.ppf(0.975))
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)


def test_a_published_interval():
    # Bentur 2009, airway hyper-responsiveness: 1 and 7 of 21 pairs differ. Fagerland, Lydersen and
    # Laake 2014 (Statistics in Medicine 33:2850-2875, table VII) print -0.517 to -0.026.
    found = bounds_of(np.array([1] + [-1] * 7 + [0] * 13), np.arange(21), 0.025)
    assert (found.low, found.high) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_lesions_that_change_as_a_whole_count_as_one_image_each():
    signs = np.array([1] * 4 + [-1] * 9 + [0] * 87)
    one = bounds_of(signs, np.arange(100))
    three = bounds_of(np.repeat(signs, 3), np.repeat(np.arange(100), 3))
    assert one == three, "to the bit"


def test_below_zero_exactly_where_the_p_value_is_below_alpha():
    for seed in range(100):
        found = bounds_of(*drawn(seed, groups=40, lost=0.25))
        assert (found.high < 0) == (found.p_regressed < 0.05)


def test_no_change_at_all_bounds_a_loss_as_wilson_does():
    found = bounds_of(np.zeros(40), np.arange(40))
    assert (found.difference, found.p_regressed) == (0, 1)
    reach = Z**2 / (40 + Z**2)
    assert (found.low, found.high) == pytest.approx((-reach, reach))


def test_one_lesion_that_holds_most_images_says_next_to_nothing():
    lesions = np.array([0] * 1000 + list(range(1, 41)))
    found = bounds_of(np.zeros(1040), lesions)
    assert found.low < -0.7
    assert found.high > 0.7
    # The statistic does not fall steadily here: no d0 beyond a bound may be kept.
    signs = np.where(lesions == 3, -1, 0)
    found = bounds_of(signs, lesions)
    for d0 in np.linspace(-0.999, found.low - 1e-3, 50):
        assert statistic(signs, lesions, d0) > Z


def test_all_lost_and_all_gained_stay_on_the_scale():
    lost, gained = bounds_of(-np.ones(50), np.arange(50)), bounds_of(np.ones(50), np.arange(50))
    assert (lost.difference, lost.low) == (-1, -1)
    assert (gained.difference, gained.high) == (1, 1)
    assert -1 < lost.high < -0.8
    assert gained.low == pytest.approx(-lost.high)


def test_clusters_widen_the_bounds():
    signs = drawn(1, groups=60)[0][:100]
    alone = bounds_of(np.repeat(signs, 4), np.arange(400))
    together = bounds_of(np.repeat(signs, 4), np.repeat(np.arange(100), 4))
    assert together.difference == pytest.approx(alone.difference)
    assert together.low < alone.low


def test_seeds_widen_the_bounds_by_satterthwaite():
    signs, lesions = drawn(2)
    variance = seed_variance(np.array([0.70, 0.75, 0.80]), np.array([0.71, 0.73, 0.75]))
    assert variance.candidate == pytest.approx(0.0025 / 3)
    assert variance.baseline == pytest.approx(0.0004 / 3)
    found = bounds_of(signs, lesions, 0.05, variance)
    d, n = signs.mean(), len(signs)
    sums, sizes = np.bincount(lesions, signs), np.bincount(lesions)
    within = ((sums - d * sizes) ** 2).sum() / n**2
    parts = [(within, 79), (0.0025 / 3, 2), (0.0004 / 3, 2)]
    freedom = sum(v for v, _ in parts) ** 2 / sum(v**2 / f for v, f in parts)
    t = stats.t.ppf(0.95, freedom)
    assert statistic(signs, lesions, found.low, 0.0029 / 3) == pytest.approx(t, rel=1e-4)
    assert statistic(signs, lesions, found.high, 0.0029 / 3) == pytest.approx(-t, rel=1e-4)
    assert found.low < bounds_of(signs, lesions).low


def test_two_seeds_have_no_seed_variance():
    assert seed_variance(np.array([0.7, 0.8]), np.array([0.7, 0.8, 0.9])) is None
    equal = seed_variance(np.full(3, 0.8), np.full(3, 0.8))
    data = drawn(2)
    assert bounds_of(*data, seeds=equal) == bounds_of(*data)


def test_bootstrap_bounds():
    values = np.array([0.2, *np.linspace(-1, 1, 1001)])
    found = bootstrap_bounds(values, 0.05, 100)
    assert (found.difference, found.low, found.high) == pytest.approx((0.2, -0.9, 0.9))
    assert found.p_regressed == pytest.approx(502 / 1002)
    wide = bootstrap_bounds(values, 0.05, 100, SeedVariance(candidate=0.1, baseline=0.1, seeds=3))
    assert wide.low < found.low
    assert wide.high > found.high


@pytest.mark.parametrize("difference", [0.2, -2.0, 2.0])
def test_bootstrap_bounds_with_seeds_by_hand(difference):
    # Percentiles are -0.9 and 0.9; a difference beyond them has no reach on that side.
    resampled = np.linspace(-1, 1, 1001)
    seeds = SeedVariance(candidate=0.1, baseline=0.05, seeds=3)
    found = bootstrap_bounds(np.array([difference, *resampled]), 0.05, 100, seeds)
    within = np.var(resampled)
    freedom = (within + 0.15) ** 2 / (within**2 / 99 + 0.1**2 / 2 + 0.05**2 / 2)
    t = stats.t.ppf(0.95, freedom)
    below, above = max(0, difference + 0.9) * t / Z, max(0, 0.9 - difference) * t / Z
    assert found.low == pytest.approx(difference - math.sqrt(below**2 + t**2 * 0.15))
    assert found.high == pytest.approx(difference + math.sqrt(above**2 + t**2 * 0.15))
    expected = stats.t.cdf(difference / math.sqrt(within + 0.15), freedom)
    assert found.p_regressed == pytest.approx(expected)


def test_holm_by_hand():
    from skinbench.score.paired_tests import holm

    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_the_test_holds_its_level_with_clustered_lesions():
    """Equal true recall, and a drop of the whole margin: both errors near alpha."""
    sims = 500
    equal = [bounds_of(*drawn(seed, 160, lost=0.08, gained=0.08)) for seed in range(sims)]
    worse = [bounds_of(*drawn(seed, 160, lost=0.06, gained=0.01)) for seed in range(sims)]
    assert 0.02 <= sum(found.high < 0 for found in equal) / sims <= 0.08
    assert 0.02 <= sum(found.low > -0.05 for found in worse) / sims <= 0.08
