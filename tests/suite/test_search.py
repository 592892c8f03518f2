"""`search:` in a suite: its forms, and what cannot be searched."""

import jsonschema
import pytest
import yaml

from skinbench.suite import load_suite, suite_to_yaml
from skinbench.suite.json_schema import suite_schema
from skinbench.suite.searched import search_words, searched_settings
from tests.suite.texts import fails, load, with_changes

SPACE = {"optimizer.lr": {"log": [1e-4, 1e-1]}, "batch_size": [8, 16]}
MODEL = {"model": "baseline_cnn"}


def with_search(search, **settings):
    return with_changes(rows={"a": {**MODEL, **settings, "search": search}})


def settings_of(folder, search, **settings):
    return load(folder, with_search(search, **settings)).rows[0].settings


def test_a_search_has_defaults_and_is_written_out_whole(tmp_path):
    search = settings_of(tmp_path, {"space": SPACE}).search
    assert (search.sampler, search.budget, search.monitor, search.at_once) == (
        "random",
        20,
        "val_log_loss",
        None,
    )
    assert search_words(search, 30) == (
        "20 trials (random, seed 0) of at most 30 epochs over optimizer.lr, batch_size"
    )
    text = suite_to_yaml(load(tmp_path, with_search({"space": SPACE})))
    other = tmp_path / "resolved.yaml"
    other.write_text(text)
    assert load_suite(other).rows[0].settings.search == search
    assert yaml.safe_load(text)["rows"]["a"]["search"]["space"]["batch_size"] == [8, 16]


def test_budgets_and_what_runs_at_once(tmp_path):
    grid = {"space": {"batch_size": [8, 16], "technique": ["none", "focal"]}, "sampler": "grid"}
    search = settings_of(tmp_path, grid).search
    assert (search.budget, search.at_once) == (4, None)
    optuna = settings_of(tmp_path, {"space": SPACE, "sampler": "optuna", "trials": 5}).search
    assert (optuna.budget, optuna.at_once) == (5, 1)
    asha = settings_of(tmp_path, {"space": SPACE, "asha": {"grace": 2}}).search
    assert asha.at_once == 1
    assert "ASHA from 2 epochs by 3" in search_words(asha, 9)
    assert settings_of(tmp_path, {"space": SPACE, "asha": {}, "concurrent": 4}).search.at_once == 4


def test_values_replace_settings_and_nothing_else(tmp_path):
    space = {**SPACE, "technique": ["none", {"name": "focal", "options": {"gamma": 1.0}}]}
    before = settings_of(tmp_path, {"space": space}, technique="class_weights")
    after = searched_settings(
        before,
        {"optimizer.lr": 0.01, "technique": {"name": "focal", "options": {"gamma": 1.0}}},
    )
    assert (after.optimizer.lr, after.technique.name, after.search) == (0.01, "focal", None)
    assert after.technique.options == {"gamma": 1.0}
    again = after.model_copy(
        update={
            "optimizer": before.optimizer,
            "technique": before.technique,
            "search": before.search,
        }
    )
    assert again == before
    same = searched_settings(before, {"technique": "class_weights"})
    assert same.technique == before.technique


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({}, "is required"),
        ({"space": {}}, "at least 1"),
        ({"space": {"image_size": [64, 128]}}, "'image_size' cannot be searched"),
        ({"space": {"split": ["by_lesion", "x"]}}, "'split' cannot be searched"),
        ({"space": {"optimizer.lr": [0.1]}}, "two values or more"),
        ({"space": {"optimizer.lr": {"log": [0.1, 0.01]}}}, "below the second"),
        ({"space": {"optimizer.lr": {"log": [0, 0.1]}}}, "above 0"),
        ({"space": {"optimizer.lr": {"log": [0.1, 1], "uniform": [0, 1]}}}, "needs one of"),
        ({"space": {"optimizer.lr": {"logg": [0.1, 1]}}}, "logg"),
        ({"space": {"optimizer.lr": [0.1, -1]}}, "value -1"),
        ({"space": {"optimizer.rate": [0.1, 1]}}, "unknown key 'rate'"),
        ({"space": {"optimizer.lr": ["fast", 0.1]}}, "value 'fast'"),
        ({"space": {"technique": ["none", "focl"]}}, "did you mean 'focal'?"),
        ({"space": {"technique.options.gama": [1, 2]}}, "no option 'gama'"),
        ({"space": SPACE, "sampler": "grid"}, "`space.optimizer.lr` is a range"),
        ({"space": {"batch_size": [8, 9]}, "sampler": "grid", "trials": 3}, "leave `trials` out"),
        ({"space": SPACE, "sampler": "tpe"}, "optuna"),
        ({"space": SPACE, "monitor": "test_accuracy"}, "val_accuracy"),
    ],
)
def test_searches_that_cannot_be(tmp_path, search, words):
    error = fails(tmp_path, with_search(search, technique="focal"))
    assert words in error.message
    assert error.key.startswith("rows.a")


def test_a_row_that_waits_for_another_is_not_searched(tmp_path):
    rows = {
        "b": MODEL,
        "a": {
            "model": {"name": "baseline_cnn", "weights": {"row": "b"}},
            "search": {"space": SPACE},
        },
    }
    assert "not trained yet" in fails(tmp_path, with_changes(rows=rows)).message


def test_editors_know_it():
    schema = jsonschema.Draft202012Validator(suite_schema())
    assert not list(schema.iter_errors(with_search({"space": SPACE, "asha": {"grace": 2}})))
    assert list(schema.iter_errors(with_search({"space": SPACE, "sampler": "x"})))
