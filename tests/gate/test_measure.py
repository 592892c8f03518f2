import numpy as np
import pytest
from scipy import stats

from skinbench.gate.checks import Check
from skinbench.gate.measure import UndefinedError, _defined, _share_against_floor
from skinbench.gate.paired import SeedVariance
from skinbench.score.intervals import wilson

CHECK = Check(class_="mel", floor=0.7)


def seeds(candidate):
    return SeedVariance(candidate=candidate, baseline=9.0, seeds=3)


@pytest.mark.parametrize(
    ("value", "variance", "n"),
    [
        (0.8, None, 100),
        (0.8, 0.0, 100),
        (0.8, 0.0016, 50),  # 0.8 * 0.2 / 100 = 0.0016 again: half as much is known
        (1.0, 0.0016, 100),
    ],
)
def test_a_share_against_a_floor_by_hand(value, variance, n):
    found = _share_against_floor((value, 100), CHECK, None if variance is None else seeds(variance))
    assert (found.low, found.high) == pytest.approx(wilson(value, n, 0.9))
    assert found.difference == value
    expected = stats.norm.cdf((value - 0.7) / np.sqrt(0.7 * 0.3 / n))
    assert found.p_regressed == pytest.approx(expected)


@pytest.mark.parametrize(("floor", "p"), [(0.0, 1.0), (1.0, 0.0)])
def test_a_floor_at_the_end_of_the_scale_is_certain(floor, p):
    check = Check(class_="mel", floor=floor)
    assert _share_against_floor((0.8, 100), check, None).p_regressed == p


def test_few_undefined_resamples_are_left_out():
    values = np.arange(100.0)
    values[50:55] = np.nan
    kept = _defined(values)
    assert len(kept) == 95
    assert not np.isnan(kept).any()
    values[55] = np.nan
    with pytest.raises(UndefinedError, match="too many"):
        _defined(values)


@pytest.mark.parametrize("values", [[np.nan, *range(99)], [1.0]])
def test_what_is_undefined_on_the_data_or_has_no_resamples_is_undefined(values):
    with pytest.raises(UndefinedError):
        _defined(np.array(values, dtype=float))
