"""The choice among trials, and what a draw means."""

import pytest

from skinbench.cluster.search import SearchFailedError, conclude, kept_value, values_of
from skinbench.records import EpochRecord, FitRecord, SearchTrial
from skinbench.suite.search import Search

SEARCH = Search.model_validate(
    {
        "space": {
            "optimizer.lr": {"log": [1e-4, 1e-1]},
            "technique": ["none", {"name": "focal"}],
            "early_stopping.patience": {"int": [2, 5]},
        }
    }
)
pytest.importorskip("ray")


def trial(value, status="done", error=""):
    return SearchTrial(values={}, fit="f", status=status, value=value, error=error)


def test_the_best_finished_trial_is_chosen_and_of_equals_the_first():
    trials = [trial(0.5), trial(0.1, "stopped"), trial(0.4), trial(0.4), trial(None, "failed")]
    found = conclude(trials, SEARCH)
    assert found.chosen == 2
    assert found.rule.startswith("the lowest val_log_loss of the finished trials")
    other = SEARCH.model_copy(update={"monitor": "val_accuracy"})
    assert conclude(trials, other).chosen == 0
    assert "highest val_accuracy" in conclude(trials, other).rule


def test_no_finished_trial_is_an_error_that_says_why():
    trials = [trial(0.2, "stopped"), trial(None, "failed", "the loss is not finite")]
    with pytest.raises(SearchFailedError, match="the loss is not finite"):
        conclude(trials, SEARCH)


def test_draws_become_values():
    drawn = {"s0": 0.0123456789, "s1": 1, "s2": 3}
    assert values_of(SEARCH, drawn) == {
        "optimizer.lr": 0.01235,
        "technique": {"name": "focal"},
        "early_stopping.patience": 3,
    }


def test_a_trial_is_judged_by_the_epoch_that_it_keeps():
    def epoch(number, loss, accuracy):
        return EpochRecord(
            epoch=number,
            train_loss=1.0,
            val_log_loss=loss,
            val_accuracy=accuracy,
            val_balanced_accuracy=None,
            learning_rate=0.1,
            seconds=0.0,
            images=1,
        )

    history = (epoch(1, 0.9, 0.8), epoch(2, 0.4, 0.6), epoch(3, 0.5, 0.9))
    record = FitRecord(fit_id="f", status="done", best_epoch=2, history=history)
    assert kept_value(record, SEARCH) == 0.4
    assert kept_value(record, SEARCH.model_copy(update={"monitor": "val_accuracy"})) == 0.6
