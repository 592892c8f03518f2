"""Techniques beside each other in one row."""

import jsonschema
import pytest

from skinbench.suite.json_schema import suite_schema
from tests.plan.made import fit_of, plan
from tests.suite.texts import fails, load, with_changes

MODEL = {"model": "baseline_cnn"}
BOTH = {"name": "class_weights", "with": ["label_smoothing", {"name": "mixup"}]}


def test_techniques_beside_each_other(tmp_path):
    suite = load(tmp_path, with_changes(rows={"a": {**MODEL, "technique": BOTH}}))
    technique = next(r for r in suite.rows if r.name == "a").settings.technique
    assert [item.name for item in technique.all] == ["class_weights", "label_smoothing", "mixup"]


def test_they_are_in_the_id_and_alone_they_change_none(tmp_path):
    rows = {
        "alone": {**MODEL, "technique": "class_weights"},
        "empty": {**MODEL, "technique": {"name": "class_weights", "with": []}},
        "both": {**MODEL, "technique": BOTH},
        "other": {
            **MODEL,
            "technique": {
                "name": "class_weights",
                "with": [{"name": "mixup", "options": {"alpha": 0.4}}, "label_smoothing"],
            },
        },
    }
    made = plan(tmp_path, with_changes(rows=rows, baselines=False))
    assert fit_of(made, "alone") == fit_of(made, "empty")
    assert len({fit_of(made, row) for row in rows}) == 3
    spec = made.fits[fit_of(made, "both")]
    assert [item.options for item in spec.also] == [{"epsilon": 0.1}, {"alpha": 0.2, "p": 1.0}]
    assert {"techniques/mixup", "techniques/label_smoothing"} <= set(spec.versions)
    shown = {row.name: row.technique for row in made.rows}
    assert shown["both"] == "class_weights + label_smoothing + mixup"


def test_mixing_sends_a_frozen_network_through_its_pixels(tmp_path):
    model = {"model": {"name": "mobilenetv2_100", "frozen": True}}
    rows = {"a": {**model, "technique": BOTH}, "b": model}
    made = plan(tmp_path, with_changes(rows=rows, baselines=False))
    assert not made.fits[fit_of(made, "a")].stored_features
    assert made.fits[fit_of(made, "b")].stored_features


def test_a_grid_names_them(tmp_path):
    grid = {**MODEL, "technique": ["none", BOTH, {**BOTH, "label": "all"}]}
    suite = load(tmp_path, with_changes(grids={"g": grid}, rows={}, derived={}, evaluate=[]))
    names = [row.name for row in suite.rows]
    assert names == ["g/none", "g/class_weights,label_smoothing,mixup", "g/all"]


def row_with(first, *others, **settings):
    return {**MODEL, **settings, "technique": {"name": first, "with": list(others)}}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (row_with("oversampling", "undersampling"), "both choose the images of an epoch"),
        (row_with("class_weights", "effective_number"), "both weigh the classes"),
        (row_with("mixup", "cutmix"), "both mix the images"),
        (row_with("class_weights", "focal"), "'focal' is a loss of its own, which 'class_weights'"),
        (row_with("focal", "label_smoothing"), "whose labels 'label_smoothing' cannot soften"),
        (row_with("logit_adjustment", "oversampling"), "which 'oversampling' changes"),
        (row_with("mixup", input="metadata"), "input 'metadata' reads none"),
        (row_with("none", "focl"), "did you mean 'focal'?"),
        (
            row_with("none", {"name": "mixup", "options": {"beta": 1}}),
            "technique 'mixup' has no option 'beta'",
        ),
    ],
)
def test_what_does_not_go_together(tmp_path, row, words):
    error = fails(tmp_path, with_changes(rows={"a": row}))
    assert words in error.message
    assert error.key.startswith("rows.a.technique")


def test_editors_know_the_form(tmp_path):
    text = with_changes(rows={"a": {**MODEL, "technique": BOTH}})
    assert not list(jsonschema.Draft202012Validator(suite_schema()).iter_errors(text))
    text["rows"]["a"]["technique"] = {"name": "none", "with": [3]}
    assert list(jsonschema.Draft202012Validator(suite_schema()).iter_errors(text))


def technique(name, **options):
    return {"technique": {"name": name, "options": options}}


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ({"technique": {"name": "focal", "options": {"gamma": -1}}}, "technique", "gamma is -1"),
        (
            {"technique": {"name": "focal", "options": {"gamma": "a"}}},
            "technique",
            "cannot be used",
        ),
        (
            {"technique": {"name": "class_balanced_focal", "options": {"beta": 1}}},
            "technique",
            "beta",
        ),
        ({"technique": {"name": "effective_number", "options": {"beta": 2}}}, "technique", "beta"),
        ({"technique": {"name": "mixup", "options": {"alpha": 0}}}, "technique", "more than 0"),
        ({"technique": {"name": "label_smoothing", "options": {"epsilon": 1}}}, "technique", "eps"),
        ({"technique": {"name": "logit_adjustment", "options": {"tau": -1}}}, "technique", "tau"),
        ({"augment": [{"name": "rotation", "options": {"p": 2}}]}, "augment", "p is 2"),
        ({"model": {"name": "unet"}, "image_size": 50}, "image_size", "use 64"),
    ],
)
def test_values_that_training_would_refuse_are_refused_by_line(tmp_path, settings, key, words):
    error = fails(tmp_path, with_changes(rows={"a": {**MODEL, **settings}}))
    assert error.key == f"rows.a.{key}"
    assert words in error.message
