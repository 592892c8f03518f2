import math

import numpy as np
import pytest
from scipy import stats

from skinbench.gate.paired import (
    SeedVariance,
    bootstrap_bounds,
    clustered_bounds,
    holm,
    seed_variance,
)

Z = stats.norm.ppf(0.95)


def statistic(sums, sizes, d0, extra=0.0):
    total = sizes.sum()
    error = math.sqrt(((sums - d0 * sizes) ** 2).sum() / total**2 + extra)
    return (sums.sum() / total - d0) / error


def drawn(seed, groups=80):
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 5, size=groups).astype(float)
    sums = np.round(generator.normal(scale=0.4, size=groups) * sizes).clip(-sizes, sizes)
    return sums, sizes


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("alpha", [0.05, 0.025])
def test_bounds_are_where_the_score_test_just_does_not_reject(seed, alpha):
    sums, sizes = drawn(seed)
    found = clustered_bounds(sums, sizes, alpha)
    z = stats.norm.ppf(1 - alpha)
    assert found.low < found.difference < found.high
    assert statistic(sums, sizes, found.low) == pytest.approx(z)
    assert statistic(sums, sizes, found.high) == pytest.approx(-z)
    assert found.p_regressed == pytest.approx(stats.norm.cdf(statistic(sums, sizes, 0.0)))


def test_by_hand():
    # 100 single images: 12 lost, 4 gained. d = -0.08, sum S^2 = 16, sum S n = -8, sum n^2 = 100
    sums = np.array([-1.0] * 12 + [1.0] * 4 + [0.0] * 84)
    found = clustered_bounds(sums, np.ones(100), 0.05)
    zz = Z**2
    roots = np.roots([1e4 - zz * 100, -2 * (-800 - zz * -8), 64 - zz * 16])
    assert (found.low, found.high) == pytest.approx(tuple(sorted(roots)))
    assert found.difference == pytest.approx(-0.08)
    assert found.p_regressed == pytest.approx(stats.norm.cdf(-8 / 4))


def test_below_zero_exactly_where_the_p_value_is_below_alpha():
    for seed in range(200):
        sums, sizes = drawn(seed, groups=40)
        found = clustered_bounds(sums - 0.1, sizes, 0.05)
        assert (found.high < 0) == (found.p_regressed < 0.05)


def test_no_change_at_all_has_no_evidence_of_loss():
    found = clustered_bounds(np.zeros(40), np.ones(40), 0.05)
    assert (found.difference, found.low, found.high, found.p_regressed) == (0, 0, 0, 1)


def test_one_lesion_that_holds_most_images_says_nothing():
    sizes = np.array([1000.0] + [1.0] * 40)
    found = clustered_bounds(np.zeros(41), sizes, 0.05)
    assert (found.low, found.high) == (-1, 1)


def test_repeating_images_of_a_lesion_changes_nothing():
    sums, sizes = drawn(3)
    one, five = clustered_bounds(sums, sizes, 0.05), clustered_bounds(5 * sums, 5 * sizes, 0.05)
    assert (one.low, one.high) == pytest.approx((five.low, five.high))


def test_clusters_widen_the_bounds():
    sums, sizes = drawn(1, groups=60)
    alone = clustered_bounds(np.repeat(sums / sizes, 4), np.ones(240), 0.05)
    together = clustered_bounds(4 * sums / sizes, np.full(60, 4.0), 0.05)
    assert together.difference == pytest.approx(alone.difference)
    assert together.low < alone.low


def test_seeds_widen_the_bounds_by_satterthwaite():
    sums, sizes = drawn(2)
    variance = seed_variance(np.array([0.70, 0.75, 0.80]), np.array([0.71, 0.73, 0.75]))
    assert variance.candidate == pytest.approx(0.0025 / 3)
    assert variance.baseline == pytest.approx(0.0004 / 3)
    found = clustered_bounds(sums, sizes, 0.05, variance)
    d, total = sums.sum() / sizes.sum(), sizes.sum()
    within = ((sums - d * sizes) ** 2).sum() / total**2
    parts = [(within, 79), (0.0025 / 3, 2), (0.0004 / 3, 2)]
    freedom = sum(v for v, _ in parts) ** 2 / sum(v**2 / f for v, f in parts)
    t = stats.t.ppf(0.95, freedom)
    assert statistic(sums, sizes, found.low, 0.0029 / 3) == pytest.approx(t)
    assert statistic(sums, sizes, found.high, 0.0029 / 3) == pytest.approx(-t)
    assert found.low < clustered_bounds(sums, sizes, 0.05).low


def test_two_seeds_have_no_seed_variance():
    assert seed_variance(np.array([0.7, 0.8]), np.array([0.7, 0.8, 0.9])) is None
    equal = seed_variance(np.full(3, 0.8), np.full(3, 0.8))
    sums, sizes = drawn(2)
    assert clustered_bounds(sums, sizes, 0.05, equal) == clustered_bounds(sums, sizes, 0.05)


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
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_the_test_holds_its_level_with_clustered_lesions():
    """Equal true recall, and a drop of the whole margin: both errors near alpha."""
    generator = np.random.default_rng(0)
    lesions, sims = 160, 600
    wrong = {0.0: 0, 0.05: 0}
    for drop in wrong:
        for _ in range(sims):
            sizes = generator.choice([1, 2, 3], p=[0.6, 0.25, 0.15], size=lesions)
            # a lesion flips as a whole half of the time, else image by image
            sums = []
            for size in sizes:
                lost, gained = 0.08 + drop, 0.08
                draws = generator.random(1 if generator.random() < 0.5 else size)
                signs = np.where(draws < lost, -1, np.where(draws > 1 - gained, 1, 0))
                sums.append(signs.sum() * (size / len(signs)))
            found = clustered_bounds(np.array(sums), sizes.astype(float), 0.05)
            wrong[drop] += (found.high < 0) if drop == 0 else (found.low > -0.05)
    assert wrong[0.0] / sims <= 0.08  # falsely regressed
    assert wrong[0.05] / sims <= 0.09  # falsely passed
