"""Rows that are judged in another label space than they learnt."""

import dataclasses

import pytest

from skinbench.data.manifest import manifest_digest
from skinbench.data.taxonomy import label_space
from skinbench.errors import SuiteError
from tests.plan.made import fit_of, manifest, plan
from tests.suite.texts import with_changes

DATA = {name: {"adapter": "synthetic"} for name in ("drawn", "other")}
CROSS = {"by_lesion": {"train": "drawn", "test": "other"}}


def in_space(name: str, space):
    """Images whose labels are mel and something else of `space`, in turn."""
    made = manifest(name)
    rest = next(code for code in space.classes if code != "mel")
    other = "mel" if "mel" in space.classes else space.classes[-1]
    table = made.table.assign(label=[other, rest] * (len(made.table) // 2))
    digest = manifest_digest(space, table)
    return dataclasses.replace(made, table=table, label_space=space, digest=digest)


def two(learnt: str = "isic8", judged: str = "ham7", **choice):
    return {
        "drawn": manifest(labels=learnt),
        "other": in_space("other", label_space(judged, **choice)),
    }


def rows_of(made):
    return {row.name: row for row in made.rows}


def test_a_split_across_spaces_is_judged_in_that_of_test_and_learns_its_own(tmp_path):
    made = plan(tmp_path, with_changes(data=DATA, splits=CROSS), two())
    row = rows_of(made)["a"]
    assert (row.label_space, row.classes) == ("ham7", label_space("ham7").classes)
    assert made.fits[fit_of(made, "a")].classes == label_space("isic8").classes
    assert any("ak + scc as akiec" in note for note in row.notes)
    baseline = rows_of(made)["baseline/by_lesion/majority"]
    assert (baseline.label_space, baseline.notes) == ("ham7", row.notes)


def test_a_further_test_set_in_another_space_has_a_row_that_shares_the_fit(tmp_path):
    text = with_changes(data=DATA, evaluate=[{"rows": "*", "on": "other"}])
    made = plan(tmp_path, text, two())
    alone = plan(tmp_path, with_changes(data=DATA), two())
    rows = rows_of(made)
    assert rows["a"].classes == label_space("isic8").classes
    twin = rows["a@ham7"]
    assert (twin.of, twin.classes, twin.claims) == ("a", label_space("ham7").classes, ())
    assert made.fits.keys() == alone.fits.keys()
    assert fit_of(made, "a@ham7") == fit_of(made, "a") == fit_of(alone, "a")
    found = {(e.cell, e.dataset, e.split, e.only) for e in made.evaluations}
    assert ("a@0.0", "other", "by_lesion@other", "") not in found
    assert {item for item in found if item[0] == "a@0.0"} == {("a@0.0", "drawn", "by_lesion", "")}
    assert {item for item in found if item[0] == "a@ham7@0.0"} == {
        ("a@ham7@0.0", "other", "by_lesion@other", ""),
        ("a@ham7@0.0", "drawn", "by_lesion", "val"),
    }
    assert rows["baseline/by_lesion/majority@ham7"].of == "baseline/by_lesion/majority"


def test_a_further_test_set_in_the_same_space_has_no_row_of_its_own(tmp_path):
    text = with_changes(data=DATA, evaluate=[{"rows": "a", "on": "other"}])
    made = plan(tmp_path, text, two(learnt="ham7"))
    assert not [row for row in made.rows if row.of]
    assert {e.dataset for e in made.evaluations if e.cell == "a@0.0"} == {"drawn", "other"}


def test_melanoma_against_the_rest_keeps_the_class_that_the_gate_names(tmp_path):
    gate = [{"rows": "*", "metric": "recall", "class": "mel", "margin": 0.05}]
    text = with_changes(data=DATA, splits=CROSS, gate=gate)
    row = rows_of(plan(tmp_path, text, two(judged="melanoma")))["a"]
    assert (row.label_space, row.classes) == ("melanoma", ("rest", "mel"))


def test_an_ensemble_is_made_in_the_judged_space(tmp_path):
    text = with_changes(
        data=DATA,
        rows={"a": {"model": "baseline_cnn"}, "b": {"model": "baseline_cnn", "epochs": 3}},
        derived={
            "mean": {"kind": "mean_probability", "of": ["a", "b"]},
            "on_top": {"kind": "mean_logit", "of": ["mean", "a"]},
        },
        evaluate=[{"rows": "on_top", "on": "other"}],
    )
    made = plan(tmp_path, text, two(judged="malignant", ak="benign"))
    rows = rows_of(made)
    twin = rows["mean@malignant,ak=benign"]
    assert (twin.kind, twin.of, twin.classes) == ("derived", "mean", ("benign", "malignant"))
    members = {item.cell.row: item.members for item in made.derived}
    assert members["mean@malignant,ak=benign"] == (
        "a@malignant,ak=benign@0.0",
        "b@malignant,ak=benign@0.0",
    )
    assert members["on_top@malignant,ak=benign"] == (
        "a@malignant,ak=benign@0.0",
        "mean@malignant,ak=benign@0.0",
    )


@pytest.mark.parametrize("way", ["split", "evaluate"])
@pytest.mark.parametrize(
    ("learnt", "judged", "choice", "reason"),
    [
        ("ham7", "isic8", {}, "no class for akiec of ham7: akiec joins"),
        ("ham7", "malignant", {"ak": "benign"}, "AK .here benign. and Bowen"),
        ("isic8", "isic8", {"own": True}, "no class that unk could come from"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_the_reason(
    tmp_path, way, learnt, judged, choice, reason
):
    change = {"evaluate": [{"rows": "a", "on": "other"}]} if way == "evaluate" else {}
    text = with_changes(data=DATA, **(change or {"splits": CROSS}))
    with pytest.raises(SuiteError, match=reason) as caught:
        plan(tmp_path, text, two(learnt, judged, **choice))
    assert caught.value.line is not None
    assert "\n" not in str(caught.value)


def test_choices_about_ak_must_agree(tmp_path):
    manifests = {
        "drawn": in_space("drawn", label_space("malignant", ak="benign")),
        "other": in_space("other", label_space("malignant", ak="malignant")),
    }
    text = with_changes(data=DATA, splits=CROSS)
    with pytest.raises(SuiteError, match="AK as benign, what is judged as malignant"):
        plan(tmp_path, text, manifests)


def test_of_the_baselines_only_the_one_that_reads_metadata_can_miss_it(tmp_path):
    rows = {"a": {"model": "baseline_cnn", "input": "fusion_p1"}}
    asked = [{"rows": "a", "conditions": "metadata_missing"}]
    text = with_changes(rows=rows, baselines=True, evaluate=asked)
    made = plan(tmp_path, text)
    found = [(e.cell.partition("@")[0], e.condition) for e in made.evaluations]
    assert ("a", "metadata_missing") in found
    assert [row for row, condition in found if condition == "metadata_missing"] == ["a"]
    everywhere = {"rows": "*", "conditions": "metadata_missing"}
    made = plan(tmp_path, with_changes(rows=rows, baselines=True, evaluate=[everywhere]))
    found = {e.cell.partition("@")[0] for e in made.evaluations if e.condition != "none"}
    assert found == {"a", "baseline/by_lesion/metadata_only"}
