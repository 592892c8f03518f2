import numpy as np
import pytest

from skinbench.data.assign import folds_of, hold_out, rounded


def test_rounded_forgives_the_last_bits_of_a_float() -> None:
    low, high = rounded(np.array([115 * 0.2, 327 * 0.2, 3.0]))
    assert low.tolist() == [23, 65, 3]
    assert high.tolist() == [23, 66, 3]


def test_hold_out_takes_the_total_from_the_largest_remainders() -> None:
    classes = np.repeat(np.arange(3), 10)
    wanted = np.array([2.6, 2.2, 2.2])  # 7 in all: 3 + 2 + 2
    chosen = hold_out(classes, np.arange(30), wanted, np.random.default_rng(0))
    assert np.bincount(classes[chosen]).tolist() == [3, 2, 2]


def test_the_remainder_decides_and_not_the_size() -> None:
    classes = np.repeat(np.arange(2), 20)
    wanted = np.array([10.2, 5.9])  # 16 in all: the spare image is the small class's
    chosen = hold_out(classes, np.arange(40), wanted, np.random.default_rng(0))
    assert np.bincount(classes[chosen]).tolist() == [10, 6]


def test_a_group_that_fits_nowhere_goes_where_it_overshoots_least() -> None:
    chosen = hold_out(
        np.zeros(4, dtype=np.int64),
        np.zeros(4, dtype=np.int64),
        np.array([0.8]),
        np.random.default_rng(0),
    )
    assert not chosen.any()


def test_a_mixed_group_counts_for_all_of_its_classes() -> None:
    # Two groups of one image of each class: one of them makes the whole half.
    classes, groups = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    for seed in range(5):
        chosen = hold_out(classes, groups, np.array([1.0, 1.0]), np.random.default_rng(seed))
        assert np.bincount(classes[chosen]).tolist() == [1, 1]


def test_folds_of_unequal_groups_are_balanced() -> None:
    sizes = [6, 5, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1]
    groups = np.repeat(np.arange(len(sizes)), sizes)
    parts = folds_of(np.zeros_like(groups), groups, 5, np.random.default_rng(0))
    assert np.bincount(parts).tolist() == [6, 6, 6, 6, 6]


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_spare_images_of_the_classes_go_to_different_folds(folds: int) -> None:
    classes = np.arange(folds)  # one image of each of as many classes as folds
    parts = folds_of(classes, classes, folds, np.random.default_rng(0))
    assert sorted(parts.tolist()) == list(range(folds))


def inclusion(sizes: list[int], share: float, seeds: int) -> np.ndarray:
    """How often each group of a one-class dataset is held out [G]."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    classes, wanted = np.zeros_like(groups), np.array([len(groups) * share])
    held = np.zeros(len(sizes))
    for seed in range(seeds):
        chosen = hold_out(classes, groups, wanted, np.random.default_rng(seed))
        held[np.unique(groups[chosen])] += 1
    return held / seeds


def test_groups_of_every_size_are_held_out_as_often_as_asked_for() -> None:
    # Alone in its size, the largest group must be neither always nor never in test.
    sizes = [6, 4, 4] + [3] * 13 + [2] * 13 + [1] * 13
    held = inclusion(sizes, 0.2, seeds=600)
    for size in (6, 4, 3, 2, 1):
        of_size = held[np.array(sizes) == size]
        # Four standard errors of one group's share; 0 and 1 are far outside.
        assert abs(of_size.mean() - 0.2) < 4 * (0.2 * 0.8 / 600) ** 0.5
    assert 0.1 < held.min() <= held.max() < 0.3


def test_groups_of_every_size_reach_every_fold() -> None:
    sizes = [6] + [2] * 7 + [1] * 30
    groups = np.repeat(np.arange(len(sizes)), sizes)
    largest = [
        int(folds_of(np.zeros_like(groups), groups, 5, np.random.default_rng(seed))[0])
        for seed in range(200)
    ]
    assert np.bincount(largest, minlength=5).min() > 20  # 40 expected, 4 standard errors below
