import numpy as np
import pytest

from skinbench.score import draws as module
from skinbench.score.draws import STREAM, draws, windows
from skinbench.score.replicates import ReplicateSet
from tests.score.test_metrics import drawn


def test_replicate_zero_is_the_data_and_others_draw_whole_lesions():
    labels, probabilities, _, lesions = drawn()
    made = ReplicateSet(labels, probabilities, lesions, replicates=100, seed=0)
    weights = made.weights
    assert weights.shape == (101, len(labels))
    assert weights.dtype.kind == "i"
    np.testing.assert_array_equal(weights[0], 1)
    for lesion in np.unique(made._images.groups):
        own = weights[:, made._images.groups == lesion]
        assert (own == own[:, :1]).all()
    counts = draws(len(np.unique(lesions)), 0, 101, 0)
    np.testing.assert_array_equal(counts.sum(axis=0), len(np.unique(lesions)))


def test_draws_are_multinomial():
    counts = draws(50, 0, 4001, 3)[:, 1:]
    assert counts.mean() == pytest.approx(1)
    assert counts.var() == pytest.approx(1 - 1 / 50, rel=0.03)


@pytest.mark.parametrize("values", [60 * STREAM, 300 * 30, 10**9])
def test_windows_of_any_size_give_the_same_replicates(monkeypatch, values):
    monkeypatch.setattr(module, "WINDOW_VALUES", values)
    labels, probabilities, _, lesions = drawn(n=60)
    made = ReplicateSet(labels, probabilities, lesions, replicates=103, seed=0)
    parts = windows(60, 103)
    assert [number for part in parts for number in part] == list(range(104))
    np.testing.assert_array_equal(
        np.concatenate([made.window(part).confusion for part in parts]), made.confusion
    )
    np.testing.assert_array_equal(
        np.concatenate([made.window(part).ranking(1)[0] for part in parts]), made.ranking(1)[0]
    )


def test_the_first_replicates_do_not_depend_on_how_many_there_are():
    labels, probabilities, _, lesions = drawn()
    few = ReplicateSet(labels, probabilities, lesions, replicates=30, seed=0)
    many = ReplicateSet(labels, probabilities, lesions, replicates=80, seed=0)
    np.testing.assert_array_equal(few.confusion, many.confusion[:31])


def test_confusion_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])
    made = ReplicateSet([0, 0, 1, 1], probabilities, ["a", "a", "b", "c"], replicates=0, seed=0)
    np.testing.assert_array_equal(made.confusion, [[[1, 1], [2, 0]]])  # a tie is the first class


def test_decisions_given_are_used():
    made = ReplicateSet([0, 1], np.eye(2), [0, 1], replicates=0, seed=0, decisions=[1, 0])
    np.testing.assert_array_equal(made.confusion[0], [[0, 1], [1, 0]])


def test_ranking_joins_only_scores_without_a_positive():
    scores = np.array([0.9, 0.8, 0.8, 0.7, 0.6, 0.5, 0.4])
    labels = np.array([0, 1, 0, 0, 0, 1, 0])
    made = ReplicateSet(
        labels, np.column_stack([1 - scores, scores]), range(7), replicates=0, seed=0
    )
    positive, negative = made.ranking(1)
    np.testing.assert_array_equal(positive, [[0, 1, 1, 2, 2]])
    np.testing.assert_array_equal(negative, [[1, 2, 4, 4, 5]])


def test_a_universe_shares_resamples_with_a_part():
    labels, probabilities, _, lesions = drawn()
    universe = np.unique(lesions)
    half = lesions < np.median(lesions)
    whole = ReplicateSet(labels, probabilities, lesions, replicates=20, seed=0)
    part = ReplicateSet(
        labels[half], probabilities[half], lesions[half], replicates=20, seed=0, universe=universe
    )
    rest = ReplicateSet(
        labels[~half],
        probabilities[~half],
        lesions[~half],
        replicates=20,
        seed=0,
        universe=universe,
    )
    np.testing.assert_array_equal(part.confusion + rest.confusion, whole.confusion)
    with pytest.raises(ValueError, match="universe"):
        ReplicateSet(labels, probabilities, lesions, replicates=2, seed=0, universe=universe[3:])
