import math

import numpy as np
import pytest
from scipy import stats

from skinbench.errors import UsageError
from skinbench.gate.needed import reach
from skinbench.gate.paired import clustered_bounds, paired_share
from skinbench.gate.power import (
    MOST_LESIONS,
    Assumed,
    _outcomes,
    _pairs,
    lesions_needed,
    most_discordant,
    rates,
    resized,
    within_lesions,
)
from tests.gate.paired_data import pairs_of


def assumed(groups=223, size=1, **more):
    given = {"value": 0.8, "discordant": 0.15, "correlation": 0.0, "margin": 0.05, **more}
    return Assumed(sizes=np.full(groups, size), **given)


def mcnemar_power(n, drop, discordant=0.15):
    """Exact two-sided McNemar at 0.05, as PARTS and the README quote it for orientation."""
    lost = (discordant + drop) / 2
    total = 0.0
    for changed in range(n + 1):
        weight = stats.binom.pmf(changed, n, discordant)
        if weight > 1e-12:
            counts = np.arange(changed + 1)
            p = np.minimum(1, 2 * stats.binom.cdf(counts, changed, 0.5))
            share = stats.binom.pmf(counts, changed, 1 - lost / discordant)
            total += weight * share[p < 0.05].sum()
    return total


@pytest.mark.parametrize(
    ("n", "drop", "power"), [(223, 0.05, 0.43), (223, 0.08, 0.85), (1113, 0.05, 0.99)]
)
def test_the_published_orientation_holds_for_independent_images(n, drop, power):
    assert mcnemar_power(n, drop) == pytest.approx(power, abs=0.015)
    # The same two models under the gate's test at the matching alpha see it as often or more:
    # McNemar's exact test is conservative.
    generator, seen, sims = np.random.default_rng(0), 0, 400
    for _ in range(sims):
        gained, lost, _ = generator.multinomial(n, [(0.15 - drop) / 2, (0.15 + drop) / 2, 1 - 0.15])
        sums = np.array([1.0] * gained + [-1.0] * lost + [0.0] * (n - gained - lost))
        pairs = paired_share(sums, np.ones(n), gained=gained / n, lost=lost / n)
        seen += clustered_bounds(pairs, 0.025, n).high < 0
    assert seen / sims > power - 3 * math.sqrt(0.25 / sims)


def test_clusters_cost_power():
    single = rates(assumed(), 0.05, 1000)
    lesions = rates(assumed(groups=111, size=2, correlation=0.9), 0.05, 1000)
    assert lesions.regressed < single.regressed - 0.05
    assert single.passed < 0.075
    assert rates(assumed(), 0.0, 1000).regressed < 0.075


def test_the_rates_are_those_of_the_gates_own_bounds():
    item = assumed(groups=80, size=2, correlation=0.5)
    pairs = _pairs(item, 0.04, 60, np.random.default_rng(3))
    passes, regresses = _outcomes(item, pairs)
    for index in range(60):
        one = type(pairs)(
            **{
                name: float(np.broadcast_to(getattr(pairs, name), 60)[index])
                for name in ("difference", "squares", "cross", "sizes", "gained", "lost")
            }
        )
        found = clustered_bounds(one, item.alpha, 80)
        assert passes[index] == (found.low > -0.05)
        assert regresses[index] == (found.low <= -0.05 and found.high < 0)


def test_the_models_are_as_assumed():
    item = assumed(groups=3000, size=2, correlation=0.6)
    pairs = _pairs(item, 0.0, 40, np.random.default_rng(0))
    assert (pairs.gained + pairs.lost).mean() == pytest.approx(0.15, abs=0.005)
    assert pairs.difference.mean() == pytest.approx(0, abs=0.003)
    worse = _pairs(item, 0.1, 40, np.random.default_rng(0))
    assert worse.difference.mean() == pytest.approx(-0.1, abs=0.003)


def test_the_need_is_where_the_chance_is_the_target_and_near_the_closed_form():
    item = assumed()
    needed = lesions_needed(item, lambda found: found.passed, 0.0, 1000)
    at = rates(resized(item, needed), 0.0, 4000, seed=9)
    assert at.passed == pytest.approx(0.8, abs=0.03)
    # 15 % of 200 images changed, half of them for the better
    signs = np.array([1] * 15 + [-1] * 15 + [0] * 170)
    pairs, groups = pairs_of(signs, np.arange(200))
    assert needed == pytest.approx(reach(pairs, groups, 0.05, 0.05).lesions, rel=0.12)


@pytest.mark.parametrize("groups", [40, 223, 6000])
def test_the_need_does_not_hang_on_where_the_search_begins(groups):
    item = assumed(groups=groups)
    needed = lesions_needed(item, lambda found: found.regressed, 0.1, 400)
    assert 125 <= needed <= 147


def test_a_need_beyond_reach_and_one_below_the_fewest():
    never = assumed(margin=0.001)
    assert lesions_needed(never, lambda found: found.passed, 0.0, 200) is None
    assert MOST_LESIONS > 10_000
    easy = assumed(discordant=0.02, margin=0.4)
    assert lesions_needed(easy, lambda found: found.passed, 0.0, 200) == 30


def test_fewer_than_30_lesions_are_never_judged():
    found = rates(assumed(groups=29), 0.0, 200)
    assert (found.passed, found.regressed, found.inconclusive) == (0, 0, 0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"value": 0.0, "discordant": 0.0}, "value is 0"),
        ({"discordant": 0.4}, r"disagree on 0\.320"),
        ({"correlation": 1.2}, "correlation is 1.2"),
    ],
)
def test_what_no_models_can_do_is_refused(given, words):
    with pytest.raises(UsageError, match=words):
        assumed(**given)


def test_a_drop_beyond_the_value_is_refused():
    with pytest.raises(UsageError, match=r"a drop of 0\.8 is more than the value"):
        rates(assumed(), 0.8, 200)
    assert most_discordant(0.5) == 0.5


def test_other_sizes_keep_their_shares():
    item = Assumed(
        sizes=np.array([1] * 60 + [2] * 30 + [5] * 10),
        value=0.8,
        discordant=0.1,
        correlation=0.5,
        margin=0.05,
    )
    more = resized(item, 1000)
    assert [int((more.sizes == n).sum()) for n in (1, 2, 5)] == [600, 300, 100]
    assert resized(item, 100) is item


def test_correlation_within_lesions_by_hand():
    groups = np.repeat(np.arange(4), 2)
    assert within_lesions(np.array([1.0, 1, 0, 0, 1, 1, 0, 0]), groups) == 1
    assert within_lesions(np.array([1.0, 0, 1, 0, 1, 0, 1, 0]), groups) == 0, "cut at 0"
    assert within_lesions(np.array([1.0, 1, 0, 0, 1, 0, 1, 0]), groups) == 0
    assert within_lesions(np.ones(8), groups) is None
    assert within_lesions(np.array([1.0, 0]), np.arange(2)) is None
