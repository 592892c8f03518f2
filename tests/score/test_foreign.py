"""Predictions that skinbench did not make."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skinbench.errors import DataError, PredictionsError, UsageError
from skinbench.score.foreign import read_foreign
from skinbench.score.predictions import read_predictions, write_predictions
from tests.score.drawn import CLASSES, frame

ISIC = ["MEL", "NV", "BCC"]


def isic_pair(folder, *, n=6, suffix="", truth_more=None):
    """Predictions and one-hot truth in ISIC's format, in different row orders."""
    generator = np.random.default_rng(0)
    values = generator.dirichlet(np.ones(3), size=n).round(4)
    values[:, 2] = (1 - values[:, 0] - values[:, 1]).round(4)
    ids = [f"ISIC_{i:07d}" for i in range(n)]
    predicted = pd.DataFrame(values, columns=ISIC)
    predicted.insert(0, "image", [i + suffix for i in ids])
    truth = pd.DataFrame(np.eye(3)[np.arange(n) % 3], columns=ISIC)
    truth.insert(0, "image", ids)
    for name, column in (truth_more or {}).items():
        truth[name] = column
    predicted.to_csv(folder / "model.csv", index=False)
    truth.sample(frac=1, random_state=1).to_csv(folder / "truth.csv", index=False)
    return folder / "model.csv", folder / "truth.csv", values


def test_isics_format(tmp_path):
    predictions, truth, values = isic_pair(tmp_path, suffix=".jpg")
    found = read_foreign(predictions, truth)
    assert found.classes == ("mel", "nv", "bcc")
    data = found.predictions.frame
    assert list(data["image_id"]) == [f"ISIC_{i:07d}" for i in range(6)]
    assert list(data["label"]) == ["mel", "nv", "bcc"] * 2
    assert set(data["split"]) == {"test"}
    np.testing.assert_array_equal(found.predictions.probabilities(), values)
    assert list(data["group_id"]) == list(data["image_id"])
    assert not found.has_val
    assert found.sums_to_one
    assert any("6 images of 6 without lesions" in note for note in found.notes)
    assert any("no val rows" in note for note in found.notes)
    assert found.row.name == found.name == "model"
    assert found.manifest.label_space.malignant == ("mel", "bcc")


def test_one_column_is_the_probability_of_malignant(tmp_path):
    ids = [f"a{i}" for i in range(4)]
    pd.DataFrame({"isic_id": ids, "target": [0.1, 0.9, 0.5, 0.2]}).to_csv(
        tmp_path / "p.csv", index=False
    )
    pd.DataFrame({"isic_id": ids, "target": [0, 1, 1, 0], "patient_id": list("ppqq")}).to_csv(
        tmp_path / "t.csv", index=False
    )
    found = read_foreign(tmp_path / "p.csv", tmp_path / "t.csv")
    assert found.classes == ("benign", "malignant")
    assert list(found.predictions.frame["label"]) == ["benign", "malignant", "malignant", "benign"]
    assert list(found.predictions.frame["group_id"]) == list("ppqq")
    np.testing.assert_allclose(found.predictions.probabilities()[:, 1], [0.1, 0.9, 0.5, 0.2])


def own_tables(folder):
    """skinbench's own predictions with val and test, and the table of their images."""
    test, val = frame(60, seed=1), frame(60, seed=2, fold=0)
    val["image_id"], val["split"] = "v" + val["image_id"], "val"
    data = pd.concat([test, val], ignore_index=True)
    data["group_id"] = data["split"] + data["group_id"]
    write_predictions(folder / "p.parquet", data, classes=CLASSES)
    table = data[["image_id", "label", "split"]].copy()
    table["lesion_id"] = data["group_id"]
    table["sex"] = np.where(np.arange(len(table)) % 2, "female", "male")
    table["age"] = 40.0
    table["device"] = "d1"
    return folder / "p.parquet", table


def test_its_own_parquet_with_val_and_slices(tmp_path):
    predictions, table = own_tables(tmp_path)
    table.to_csv(tmp_path / "m.csv", index=False)
    found = read_foreign(predictions, tmp_path / "m.csv", slices=["device"])
    own = read_predictions(predictions)
    assert found.has_val
    same = [name for name in own.frame if name != "dataset" and not name.startswith("p_")]
    left, right = (part[same].astype(object) for part in (found.predictions.frame, own.frame))
    pd.testing.assert_frame_equal(left, right)
    np.testing.assert_array_equal(found.predictions.probabilities(), own.probabilities())
    assert found.slices["sex"]["i0_00001"] == "female"
    assert found.slices["age"]["i0_00001"] == "30-44"
    assert set(found.slices["device"].values()) == {"d1"}
    with pytest.raises(UsageError, match="no column 'scanner'"):
        read_foreign(predictions, tmp_path / "m.csv", slices=["scanner"])


def test_parquet_and_csv_of_the_same_tables_are_the_same(tmp_path):
    predictions, table = own_tables(tmp_path)
    data = read_predictions(predictions).frame
    table.to_csv(tmp_path / "m.csv", index=False)
    table.to_parquet(tmp_path / "m.parquet", index=False)
    data.to_csv(tmp_path / "p.csv", index=False)
    first = read_foreign(predictions, tmp_path / "m.csv")
    again = read_foreign(tmp_path / "p.csv", tmp_path / "m.parquet")
    assert first.split_digest == again.split_digest
    assert first.classes == again.classes
    gap = first.predictions.probabilities() - again.predictions.probabilities()
    assert np.abs(gap).max() < 6e-8  # half a step of float32 at 1


def test_train_rows_are_left_out_and_need_not_be_predicted(tmp_path):
    predictions, truth, _ = isic_pair(
        tmp_path, truth_more={"split": ["train", "train", "val", "test", "test", "test"]}
    )
    found = read_foreign(predictions, truth)
    assert list(found.predictions.frame["split"]) == ["test"] * 3 + ["val"]
    assert any("2 train images left out" in note for note in found.notes)
    kept = pd.read_csv(predictions).iloc[1:]
    kept.to_csv(predictions, index=False)
    assert len(read_foreign(predictions, truth).predictions.frame) == 4


def test_rows_that_do_not_sum_to_one_are_said(tmp_path):
    predictions, truth, _ = isic_pair(tmp_path)
    data = pd.read_csv(predictions)
    data["MEL"] = 1.0
    data["NV"] = 1.0
    data.to_csv(predictions, index=False)
    found = read_foreign(predictions, truth)
    assert not found.sums_to_one
    assert any("do not sum to 1" in note for note in found.notes)
    assert any("6 images with a tied maximum" in note for note in found.notes)


def altered(tmp_path, *, predicted=None, known=None):
    predictions, truth, _ = isic_pair(tmp_path)
    for path, change in ((predictions, predicted), (truth, known)):
        if change is not None:
            change(pd.read_csv(path)).to_csv(path, index=False)
    return lambda: read_foreign(predictions, truth)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop(index=2), "image ISIC_0000002 of .*truth.csv is not predicted"),
        (lambda d: pd.concat([d, d.iloc[:1]]), "image ISIC_0000000 is predicted twice"),
        (lambda d: d.assign(image=["x", *d["image"][1:]]), "image x is not in .*truth.csv"),
        (lambda d: d.assign(NV=1.5), r"column 'NV', image ISIC_0000000: '1.5' is not a number in"),
        (lambda d: d.assign(MEL=0, NV=0, BCC=0), r"_0000000: every probability is 0.*\(6 rows so"),
        (lambda d: d.assign(NV="much"), "'much' is not a finite number"),
        (lambda d: d.assign(NV=""), "None is not a finite number"),
        (lambda d: d.drop(columns="image"), "has no column of image ids"),
        (lambda d: d[["image"]], "has no column of a class"),
        (lambda d: d[["image", "MEL"]], "expected two or more different ones"),
        (lambda d: d.rename(columns={"NV": "mel"}), "has the classes mel, mel, bcc"),
    ],
)
def test_predictions_that_break_their_format(tmp_path, change, message):
    with pytest.raises(PredictionsError, match=message) as caught:
        altered(tmp_path, predicted=change)()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: pd.concat([d, d.iloc[:1]]), "is there more than once"),
        (lambda d: d.drop(columns="NV"), "has no label; expected a column label or dx"),
        (lambda d: d.assign(NV=1.0), "has 2 classes of mel, nv, bcc; expected one"),
        (lambda d: d.assign(label="scc"), "is labelled scc; the predictions have mel, nv, bcc"),
        (lambda d: d.assign(split="holdout"), "split is holdout; expected train, val or test"),
        (
            lambda d: d.assign(weight=[1, 1, -1, 1, 1, 1]),
            r"truth.csv: image ISIC_\d+: weight -1 is below 0 \(1 row so\)",
        ),
        (lambda d: d.assign(weight=0), r"truth.csv: every test image has weight 0"),
        (lambda d: d.assign(weight="heavy"), "'heavy' is not a finite number"),
        (lambda d: d.drop(columns="image"), "has no column of image ids"),
    ],
)
def test_manifests_that_break_their_format(tmp_path, change, message):
    with pytest.raises(DataError, match=message) as caught:
        altered(tmp_path, known=change)()
    assert "\n" not in str(caught.value)


def test_an_image_without_a_label_is_kept_as_unlabelled(tmp_path):
    predictions, truth, _ = isic_pair(tmp_path)
    ids = pd.read_csv(predictions)["image"]
    table = pd.DataFrame({"image_id": ids, "dx": ["MEL", "nv", "", "bcc", "bcc", "nv"]})
    table.to_csv(truth, index=False)
    labels = read_foreign(predictions, truth).predictions.frame["label"]
    assert list(labels.fillna("")) == ["mel", "nv", "", "bcc", "bcc", "nv"]


@pytest.mark.parametrize(
    ("group", "expected"),
    [("lesion", ["a", "a", "p2", "ISIC_0000003"]), ("patient", ["p1", "p1", "p2", "ISIC_0000003"]),
     ("image", [f"ISIC_{i:07d}" for i in range(4)])],
)  # fmt: skip
def test_groups(tmp_path, group, expected):
    more = {"lesion_id": ["a", "a", "", ""], "patient_id": ["p1", "p1", "p2", ""]}
    predictions, truth, _ = isic_pair(tmp_path, n=4, truth_more=more)
    found = read_foreign(predictions, truth, group=group)
    assert list(found.predictions.frame["group_id"]) == expected


def test_missing_predictions_are_advised_by_what_the_table_says(tmp_path):
    predictions, truth, _ = isic_pair(tmp_path, truth_more={"split": "test"})
    pd.read_csv(predictions).iloc[2:].to_csv(predictions, index=False)
    with pytest.raises(PredictionsError, match="val and test image, or leave it out of the table"):
        read_foreign(predictions, truth)


def test_a_missing_column_of_ids_lists_the_files_own_columns(tmp_path):
    predictions, truth, _ = isic_pair(tmp_path)
    pd.read_csv(predictions).drop(columns="image").to_csv(predictions, index=False)
    with pytest.raises(PredictionsError, match=r"found MEL, NV, BCC$"):
        read_foreign(predictions, truth)


def test_what_is_doubtful_in_the_table_is_said(tmp_path):
    more = {
        "split": ["train", "val", "test", "test", "test", "test"],
        "lesion_id": ["a", "b", "a", "b", "b", "c"],
        "age": ["40", "-4", "", "old", "0", "90"],
        "weight": [1, 1, 1, 1, 1, 0],
    }
    notes = read_foreign(*isic_pair(tmp_path, truth_more=more)[:2]).notes
    said = "\n".join(notes)
    assert "1 lesion of test with images in train too (a; 1 test image)" in said
    assert "1 lesion of test with images in val too (b; 2 test images)" in said
    assert "2 lesions with images of different labels (a: bcc, mel)" in said
    assert "2 images with an age that is no number of years" in said
    assert "1 test row of weight 0 left out" in said
    fine = {"split": ["val"] * 2 + ["test"] * 4, "lesion_id": list("abcdef"), "age": 40}
    clean = read_foreign(*isic_pair(tmp_path, truth_more=fine)[:2]).notes
    assert not [note for note in clean if "lesion" in note or "age" in note.split()]


def test_a_table_of_nothing_but_train_is_an_error(tmp_path):
    predictions, truth, _ = isic_pair(tmp_path, truth_more={"split": "train"})
    with pytest.raises(PredictionsError, match="no test image"):
        read_foreign(predictions, truth)


def test_what_is_not_there_or_is_not_a_table(tmp_path):
    predictions, truth, _ = isic_pair(tmp_path)
    with pytest.raises(PredictionsError, match="cannot read"):
        read_foreign(tmp_path / "none.csv", truth)
    with pytest.raises(DataError, match="cannot read"):
        read_foreign(predictions, tmp_path / "none.csv")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 no")
    with pytest.raises(PredictionsError, match="cannot be read as Parquet"):
        read_foreign(broken, truth)
