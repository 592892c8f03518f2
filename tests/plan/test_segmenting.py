"""Rows that find lesions, in a plan: apart from all others, and what they cannot have."""

from __future__ import annotations

import pytest

from skinbench.errors import SuiteError
from tests.plan.made import plan
from tests.suite.texts import fails, with_changes

UNET = {"model": {"name": "unet", "options": {"encoder": "resnet18"}}}
CNN = {"model": "baseline_cnn"}


def test_they_stand_apart(tmp_path):
    text = with_changes(
        rows={"seg/u": UNET, "a": CNN, "b": {**CNN, "epochs": 3}},
        derived={"all": {"kind": "mean_probability", "of": "*"}},
        evaluate=[{"rows": "*", "conditions": "blur@1"}],
        compare={"c": {"row": "a", "against": "b"}},
    )
    made = plan(tmp_path, text)
    assert [row.name for row in made.segmentations] == ["seg/u"]
    assert "seg/u" not in {row.name for row in made.rows}
    assert {cell.row for cell in made.segmentation_cells} == {"seg/u"}
    assert "seg/u" not in {cell.row for cell in made.cells}
    assert {cell.row for cell in made.fitted} > {"seg/u", "a", "b"}
    (derived,) = made.derived
    assert derived.members == ("a@0.0", "b@0.0")
    assert not [e for e in made.evaluations if e.cell.startswith("seg")]


def test_masks_are_in_the_id_of_segmentations_alone(tmp_path):
    made = plan(tmp_path, with_changes(rows={"seg": UNET, "a": CNN}))
    fits = {cell.row: made.fits[cell.fit] for cell in made.fitted}
    assert set(fits["seg"].masks) == set(fits["seg"].datasets.values())
    assert fits["a"].masks is None


@pytest.mark.parametrize(
    ("setting", "key", "said"),
    [
        ({"input": "fusion_p1"}, "input", "sees the image alone"),
        ({"technique": "focal"}, "technique", "a loss of its own"),
        ({"augment": "p1"}, "augment", "`augment: []`"),
        ({"model": {**UNET["model"], "frozen": True}}, "model", "trained whole"),
        ({"model": {**UNET["model"], "weights": {"row": "a"}}}, "model", "trained whole"),
        ({"technique": {"name": "none", "with": ["focal"]}}, "technique", "a loss of its own"),
        ({"output": "sigmoid"}, "output", "gives a mask"),
        ({"tta": {"dihedral": 4}}, "tta", "as it is"),
        ({"model": {**UNET["model"], "head": {"dense": [8]}}}, "model", "leave head out"),
        ({"pixels": {"name": "cam_overlay", "row": "a"}}, "pixels", "the images themselves"),
        (
            {"claims": [{"metric": "accuracy", "value": 0.9, "source": "x"}]},
            "claims",
            "Dice and IoU",
        ),
    ],
)
def test_what_they_cannot_have(tmp_path, setting, key, said):
    with pytest.raises(SuiteError) as caught:
        plan(tmp_path, with_changes(rows={"seg": {**UNET, **setting}, "a": CNN}))
    assert said in caught.value.message
    assert caught.value.key == f"rows.seg.{key}"


def test_patterns_do_not_mean_them(tmp_path):
    rows = {"seg": UNET, "a": CNN}
    for more in (
        {"derived": {"d": {"kind": "mean_probability", "of": ["seg"]}}},
        {"evaluate": [{"rows": "seg", "conditions": "blur@1"}]},
        {"compare": {"c": {"row": "seg", "against": "a"}}},
        {"explain": {"rows": "seg"}},
    ):
        error = fails(tmp_path, with_changes(rows=rows, **more))
        assert "'seg'" in error.message


def test_heatmaps_come_from_rows_that_classify(tmp_path):
    rows = {"seg": UNET, "b": {**CNN, "pixels": {"name": "cam_overlay", "row": "seg"}}}
    with pytest.raises(SuiteError, match="cam_overlay needs the heatmap of a row that classifies"):
        plan(tmp_path, with_changes(rows=rows))
