import math

import numpy as np
import pytest
from scipy import stats

from skinbench.gate.needed import reach
from skinbench.gate.paired import clustered_bounds, paired_share
from tests.gate.paired_data import pairs_of
from tests.gate.test_judge import against, flags, single


def signs(n, gained, lost):
    return np.array([1] * gained + [-1] * lost + [0] * (n - gained - lost))


def test_no_change_at_all_takes_52_lesions():
    pairs, groups = pairs_of(signs(40, 0, 0), np.arange(40))
    found = reach(pairs, groups, 0.05, 0.05)
    # margin / (1 - margin) n above z^2, see `null_variance`
    assert found.lesions == math.ceil(stats.norm.ppf(0.95) ** 2 * 0.95 / 0.05) == 52
    assert found.passed == 0.0
    pairs, groups = pairs_of(signs(60, 0, 0), np.arange(60))
    assert reach(pairs, groups, 0.05, 0.05).passed == 1.0


def test_the_chance_is_that_of_simulated_unchanged_models():
    pairs, groups = pairs_of(signs(223, 17, 17), np.arange(223))
    found = reach(pairs, groups, 0.05, 0.05)
    generator, passed = np.random.default_rng(0), 0
    for _ in range(600):
        drawn = generator.multinomial(223, [17 / 223, 17 / 223, 189 / 223])
        sums = signs(223, drawn[0], drawn[1]).astype(float)
        item = paired_share(sums, np.ones(223), gained=drawn[0] / 223, lost=drawn[1] / 223)
        passed += clustered_bounds(item, 0.05, 223).low > -0.05
    assert passed / 600 == pytest.approx(found.passed, abs=0.06)


def test_at_the_lesions_needed_the_chance_is_the_target():
    pairs, groups = pairs_of(signs(200, 15, 15), np.arange(200))
    needed = reach(pairs, groups, 0.05, 0.05).lesions
    more, groups = pairs_of(np.resize(signs(200, 15, 15), needed), np.arange(needed))
    assert reach(more, groups, 0.05, 0.05).passed == pytest.approx(0.8, abs=0.01)


def test_whole_lesions_need_as_many_lesions_as_single_images():
    one, groups = pairs_of(signs(200, 15, 15), np.arange(200))
    two, _ = pairs_of(np.repeat(signs(200, 15, 15), 2), np.repeat(np.arange(200), 2))
    assert reach(one, groups, 0.05, 0.05) == reach(two, groups, 0.05, 0.05)


def test_the_gate_warns_below_it():
    before = single(flags(200, 20), flags(300, 0))
    after = single([index >= 20 for index in range(10, 210)][:200], flags(300, 0))
    verdict = against(after, before)
    recall = verdict.checks[0]
    assert recall.passes_unchanged > 0.8
    assert not any("are needed" in note for note in verdict.notes)
    moved = [not 20 <= index < 40 for index in range(200)]  # 20 others are missed now
    verdict = against(single(moved, flags(300, 0)), before)
    assert verdict.checks[0].difference == 0
    assert verdict.checks[0].passes_unchanged < 0.8
    assert verdict.checks[0].groups_needed > 200
    (note,) = [note for note in verdict.notes if "are needed" in note]
    assert note.startswith("warning: a: 200 lesion groups for recall of mel with margin 0.05: ")
    assert "skinbench power" in note
