"""What views, crops and transforms make of a plan."""

import pytest

from tests.plan.made import fit_of, plan
from tests.suite.texts import with_changes

MODEL = {"model": {"name": "mobilenetv2_100", "frozen": True}}


def made(folder, rows, **changes):
    return plan(folder, with_changes(rows=rows, baselines=False, **changes))


@pytest.mark.parametrize(
    ("augment", "stored"),
    [
        ([], True),
        ({"dihedral": 4}, True),
        ("center_crop", True),
        (["center_crop", {"dihedral": 8}], True),
        ("horizontal_flip", False),
        ([{"dihedral": 4}, "brightness"], False),
        ("p5", False),
    ],
    ids=str,
)
def test_features_are_stored_where_views_are_few(tmp_path, augment, stored):
    found = made(tmp_path, {"a": {**MODEL, "augment": augment}})
    (spec,) = found.fits.values()
    assert spec.stored_features == stored
    assert sum(node.kind == "features" for node in found.nodes) == stored
    (row,) = [row for row in found.rows if row.name == "a"]
    said = any("fixed views of each image" in note for note in row.notes)
    assert said == (stored and "dihedral" in str(augment))


def test_a_network_that_trains_draws_views_as_it_goes(tmp_path):
    found = made(tmp_path, {"a": {"model": "baseline_cnn", "augment": {"dihedral": 4}}})
    (spec,) = found.fits.values()
    assert not spec.stored_features
    assert "kornia" not in spec.versions


def test_views_at_test_time_are_the_evaluations_and_not_the_fits(tmp_path):
    rows = {
        "a": MODEL,
        "b": {**MODEL, "tta": {"dihedral": 4}},
        "c": {**MODEL, "tta": ["none"]},
    }
    evaluate = [{"rows": "*", "conditions": ["blur@3"]}]
    found = made(tmp_path, rows, evaluate=evaluate)
    assert fit_of(found, "a") == fit_of(found, "b") == fit_of(found, "c")
    views = {(item.cell[0], item.condition): item.views for item in found.evaluations}
    four = ("none", "hflip", "vflip", "rot180")
    assert views["b", "none"] == views["b", "blur@3"] == four
    assert views["a", "none"] == views["c", "none"] == ()
    notes = {row.name: row.notes for row in found.rows}
    assert "mean probability of 4 views" in notes["b"][0]
    assert notes["a"] == notes["c"] == ()


def test_the_id_of_a_prediction_has_its_views():
    from skinbench.cluster.inference import PredictionOrder

    def digest(**changes):
        settings = {"fit": "f", "dataset": "d", "image_ids": ("a",), "condition": "none"}
        return PredictionOrder(**{**settings, **changes}).digest("process", 8)

    seen = [digest(), digest(views=("none", "hflip")), digest(views=("hflip", "none"))]
    assert len(set(seen)) == 3
    assert digest(views=()) == digest()
