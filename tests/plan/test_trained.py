"""Rows of models trained elsewhere, before anything is read but their file's bytes."""

from __future__ import annotations

import pytest

from skinbench import registry
from skinbench.errors import SuiteError
from tests.plan.made import fit_of, manifest, plan, planned
from tests.suite.texts import fails, with_changes

HAM7 = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
STATED = {"size": 48, "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2], "labels": HAM7}


def row(name="test_resnet", file="x.pth", **changes):
    return {"model": {"name": name, "trained": {"file": file, **STATED, **changes}}}


def made(folder, rows, manifests=None, **changes):
    (folder / "x.pth").write_bytes(b"tensors")
    (folder / "x.onnx").write_bytes(b"graph")
    return planned(folder, with_changes(rows=rows, baselines=False, **changes), manifests)


def told(folder, settings, manifests=None):
    with pytest.raises(SuiteError) as caught:
        made(folder, {"a": settings}, manifests)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_one_fit_whatever_the_split_fold_and_seed(tmp_path):
    splits = {
        "by_lesion": {"data": "drawn", "test": 0.2},
        "other": {"data": "drawn", "folds": 3},
    }
    rows = {
        "a": {**row(), "seeds": [0, 1, 2], "technique": "focal", "augment": "p1", "epochs": 9},
        "b": {**row(), "split": "other"},
    }
    found = made(tmp_path, rows, splits=splits)
    assert len(found.plan.fits) == 1
    assert [cell.name for cell in found.plan.cells] == ["a@0.0", "b@0.0", "b@1.0", "b@2.0"]
    (node,) = [node for node in found.plan.nodes if node.name.startswith("fit:")]
    assert (node.kind, node.needs, node.weight) == ("trained", (), 0.0)
    assert [node.kind for node in found.plan.nodes].count("pixels") == 1
    judged = next(node for node in found.plan.nodes if node.name == "predict:b@2.0")
    assert [need.partition(":")[0] for need in judged.needs] == ["fit", "pixels"]
    (spec,) = found.plan.fits.values()
    assert (spec.train.image_size, spec.train.epochs, spec.classes) == (48, 0, tuple(HAM7))
    assert list(found.weights.values()) == [tmp_path / "x.pth"]


def test_what_the_row_says_of_the_file_is_in_its_id(tmp_path):
    variants = [
        row(),
        row(labels=HAM7[::-1]),
        row(size=64),
        row(crop=0.75),
        row(mean=[0.4, 0.5, 0.5]),
        row(std=[0.3, 0.2, 0.2]),
        row(outputs="probabilities"),
        row("test_vit"),
        row("onnx", "x.onnx"),
        {**row(), "resources": {"cpu": 2}},
    ]
    found = made(tmp_path, {f"r{index}": item for index, item in enumerate(variants)}).plan
    assert len(found.fits) == len(variants)
    before = fit_of(found, "r0")
    (tmp_path / "x.pth").write_bytes(b"other tensors")
    text = with_changes(rows={"r0": row()}, baselines=False)
    assert fit_of(plan(tmp_path, text), "r0") != before


def test_the_row_says_what_it_is(tmp_path):
    (found,) = made(tmp_path, {"a": row()}).plan.rows
    assert (found.technique, found.input, found.model) == ("-", "image", "test_resnet")
    assert "trained elsewhere and scored as it is: x.pth (sha256 " in found.notes[-1]
    assert "may have seen test images" in found.notes[-1]


def test_its_labels_are_judged_in_the_spaces_of_the_data(tmp_path):
    finer = ["mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc"]
    (found,) = made(tmp_path, {"a": row(labels=finer)}).plan.rows
    assert found.classes == tuple(HAM7)
    assert any("ak + scc as akiec" in note for note in found.notes)
    (named,) = made(tmp_path, {"a": row(labels="isic8")}).plan.rows
    assert named.classes == tuple(HAM7)


def test_further_test_sets_take_its_labels_too(tmp_path):
    manifests = {"drawn": manifest(), "far": manifest("far", labels="isic8")}
    data = {name: {"adapter": "synthetic", "options": {"lesions": 20}} for name in manifests}
    text = {"data": data, "evaluate": [{"rows": "a", "on": "far"}]}
    finer = ["mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc"]
    rows = made(tmp_path, {"a": row(labels=finer)}, manifests, **text).plan.rows
    assert [(r.name, r.label_space) for r in rows] == [("a", "ham7"), ("a@isic8", "isic8")]
    assert any("trained elsewhere" in note for note in rows[1].notes)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (row(file="none.pth"), "rows.a.model.trained.file: no file at"),
        (row(file="x.onnx"), "x.onnx: a file of 'test_resnet' ends in .safetensors, .pth"),
        (row("onnx"), "x.pth: a file of 'onnx' ends in .onnx"),
        ({"model": "onnx"}, "'onnx' is a file: give `trained: {file, labels"),
        (row("majority"), "has no network: leave trained out"),
        ({**row(), "input": "fusion_concat"}, "rows.a.input: a model trained elsewhere reads"),
        ({**row(), "output": "sigmoid"}, "rows.a.output: one sigmoid is for two classes, and"),
        (row(labels=["mel"]), "rows.a.model.trained.labels: labels: a list needs two or more"),
        (row(labels="ham8"), "unknown label space 'ham8'; did you mean"),
        (
            row(labels=["mel", "nv"]),
            "model.trained.labels: cannot be judged on drawn: its own has no class that akiec",
        ),
        (row(labels=[*HAM7, "toad"]), "ham7 has no class for toad of its own"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be(tmp_path, settings, part):
    assert part in told(tmp_path, settings)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"model": {"name": "a", "trained": {"file": "x"}}}, "labels: is required"),
        (row(std=[0.0, 1.0, 1.0]), "greater than 0"),
        (row(outputs="probs"), "'logits' or 'probabilities'"),
        (row(lables=[]), "unknown key 'lables'; did you mean 'labels'"),
        (
            {"model": {**row()["model"], "frozen": True, "pretrained": True}},
            "`trained` is scored as it is: leave pretrained, frozen out",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistakes_are_found_on_reading(tmp_path, settings, part):
    assert part in str(fails(tmp_path, with_changes(rows={"a": settings})))


def test_nothing_starts_from_it(tmp_path):
    rows = {"a": row(), "b": {"model": {"name": "test_resnet", "weights": {"row": "a"}}}}
    with pytest.raises(SuiteError, match="'a' was trained elsewhere; start from its file"):
        made(tmp_path, rows)


def test_only_the_size_under_trained_counts(tmp_path):
    before = made(tmp_path, {"a": row()}).plan
    after = made(tmp_path, {"a": {**row(), "image_size": 96}}).plan
    assert set(before.fits) == set(after.fits)


def test_a_crop_takes_the_centre_of_a_larger_square(tmp_path):
    found = made(tmp_path, {"a": row(crop=0.75), "b": row(size=64)}).plan
    cropped, whole = (found.fits[fit_of(found, name)] for name in ("a", "b"))
    assert (cropped.train.image_size, cropped.model.trained.seen) == (64, 48)
    assert (whole.train.image_size, whole.model.trained.seen) == (64, None)


def test_the_catalog_says_what_can_be_a_file():
    assert registry.models.get("onnx").kind == "file"
    assert registry.models.get("resnet50").whole is not None
