"""`skinbench score`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinbench.records.resampling import Resamples
from skinbench.score.scorecard import score_rows
from tests.score.drawn import CLASSES, cell, frame, predictions, row


@pytest.fixture
def tables(tmp_path):
    """A model's predictions with val rows in skinbench's shape, as CSV, and their table."""
    test, val = frame(seed=1), frame(seed=2)
    val["image_id"], val["group_id"] = "v" + val["image_id"], "v" + val["group_id"]
    val["split"] = "val"
    data = pd.concat([test, val], ignore_index=True)
    kept = ["image_id", *(f"p_{code}" for code in CLASSES)]
    data[kept].to_csv(tmp_path / "model.csv", index=False)
    table = data[["image_id", "label", "split"]].assign(lesion_id=data["group_id"])
    table["sex"] = np.where(np.arange(len(table)) % 2, "female", "male")
    table["uid"] = [f"u{number}" for number in range(len(table))]
    table.to_csv(tmp_path / "images.csv", index=False)
    return test


def isic(folder):
    """The same kind of thing in ISIC's format, without val rows; rows do not sum to 1."""
    data = frame(200, seed=3)
    codes = [code.upper() for code in CLASSES]
    scores = data[[f"p_{code}" for code in CLASSES]].set_axis(codes, axis=1).round(3)
    scores["NV"] = (scores["NV"] * 0.5).round(3)
    scores.insert(0, "image", data["image_id"])
    truth = pd.DataFrame({code: (data["label"] == code.lower()).astype(float) for code in codes})
    truth.insert(0, "image", data["image_id"])
    scores.to_csv(folder / "submission.csv", index=False)
    truth.to_csv(folder / "truth.csv", index=False)


def test_the_numbers_are_those_of_a_run(shell, tables):
    found = shell("score", "model.csv", "--manifest", "images.csv", "--replicates", 200, "--json")
    assert found.code == 0
    card = found.json["scorecard"]
    assert card["weak_spots"]["groups"], "subgroups of the table are looked at"
    own, _ = score_rows(
        [row()], {"grid/a@0.0": predictions(tables)}, [cell()], resamples=Resamples(replicates=200),
        metrics=["recall", "balanced_accuracy", "auroc"],
    )  # fmt: skip
    theirs = {(s["metric"], s.get("class")): s for s in card["scores"]}
    assert (found.json["images"], found.json["val_images"]) == (600, 600)
    for score in own:
        if score.seed is None:
            other = theirs[score.metric, score.class_]
            assert other["value"] == pytest.approx(score.value, abs=1e-6)
            if score.low is not None:
                assert other["low"] == pytest.approx(score.low, abs=1e-6)
            assert other["n_groups"] == score.n_groups


def test_on_a_terminal_of_80_columns(shell, tables):
    done = shell(
        "score", "model.csv", "--manifest", "images.csv", "--replicates", 100, "--point",
        "mel:recall=0.9", "--point", "mel:cost=20/1", "--prevalence", "mel=0.02", "--risk", 0.05,
        "--slice", "sex", "--markdown", "scores.md",
    )  # fmt: skip
    assert done.code == 0
    assert max(len(line) for line in done.out.splitlines()) <= 80
    for words in (
        "600 test images of", "600 val images", "threshold from test", "chosen on val",
        "mel: recall 0.9 on val", "at a prevalence of 0.02", "By prior shift alone",
        "net benefit", "needed to biopsy", "sex=female", "for a benign class",
    ):  # fmt: skip
        assert words in " ".join(done.out.split()), words
    page = Path("scores.md").read_text("utf-8")
    assert "## Operating points, chosen on val" in page
    assert "not a medical device" in page


def test_isics_files_with_the_official_scores(shell, tmp_path):
    isic(tmp_path)
    words = ("score", "submission.csv", "--manifest", "truth.csv", "--replicates", 100)
    done = shell(*words, "--official", "balanced_accuracy", "--json").json
    assert done["official"]["overall"] == done["official"]["aggregate"]["balanced_accuracy"]
    assert set(done["official"]["per_category"]["auc_sens_80"]) == set(CLASSES)
    scores = {(s["metric"], s.get("class")): s for s in done["scorecard"]["scores"]}
    assert scores["log_loss", None]["value"] is None
    assert "do not sum to 1" in scores["log_loss", None]["reason"]
    assert scores["calibration_slope", "mel"]["value"] is None
    assert scores["auc_sens_80", "mel"]["value"] == pytest.approx(
        done["official"]["per_category"]["auc_sens_80"]["mel"], abs=1e-9
    )
    shown = shell(*words, "--official", "balanced_accuracy", "--point", "mel:youden")
    text = " ".join(shown.out.split())
    assert "ISIC's official scorer on 200 test images: balanced accuracy" in text
    assert "no val rows" in text
    assert "no val images to choose it on" in text


def test_the_official_scores_are_of_the_test_rows_alone(shell, tables, tmp_path):
    words = ("--replicates", 100, "--official", "balanced_accuracy", "--json")
    words = (*words, "--metric", "recall")
    both = shell("score", "model.csv", "--manifest", "images.csv", *words).json["official"]
    for name in ("model", "images"):
        data = pd.read_csv(tmp_path / f"{name}.csv")
        data[~data["image_id"].str.startswith("v")].to_csv(tmp_path / f"{name}_t.csv", index=False)
    alone = shell("score", "model_t.csv", "--manifest", "images_t.csv", *words).json["official"]
    assert both["images"] == alone["images"] == 600
    assert both["per_category"] == alone["per_category"]
    assert both["overall"] == alone["overall"]
    assert any("600 rows of other splits than test left out" in note for note in both["notes"])


def test_a_number_says_how_many_images_it_is_over(shell, tables):
    words = ("--replicates", 100, "--prevalence", "mel=0.02")
    done = shell("score", "model.csv", "--manifest", "images.csv", *words)
    mel = int((tables["label"] == "mel").sum())
    decided = tables[[f"p_{code}" for code in CLASSES]].to_numpy().argmax(axis=1)
    lines = done.out.splitlines()

    def images(name):
        at = next(i for i, line in enumerate(lines) if line.startswith(f" {name}  "))
        return lines[at].split()[-1], lines[at + 1]

    for name in ("average precision", "calibration slope", "positive likelihood ratio"):
        assert images(name)[0] == "600", name
        assert images(name)[1].rstrip().endswith(f"({mel} mel)"), name
    assert images("melanoma called benign")[0] == str(mel)
    others = str(int((decided != CLASSES.index("mel")).sum()))
    assert images("negative predictive value")[0] == others
    text = " ".join(done.out.split())
    assert "specificity over all others" in text
    assert "Calibration error beside that of a calibrated model" in text
    assert "are in --json (weak_spots); views disagree on" in text


@pytest.mark.parametrize("classes", [["nv"], ["mel"], ["nv", "mel"]])
@pytest.mark.parametrize("number", [1, 2, 40])
def test_few_images_and_few_classes_are_no_traceback(shell, tables, tmp_path, classes, number):
    table = pd.read_csv(tmp_path / "images.csv")
    test = table[(table["split"] == "test") & table["label"].isin(classes)]
    kept = test.groupby("label").head(number).assign(age=50.0, dx_type="histo")
    kept.to_csv(tmp_path / "few.csv", index=False)
    data = pd.read_csv(tmp_path / "model.csv")
    data[data["image_id"].isin(kept["image_id"])].to_csv(tmp_path / "p.csv", index=False)
    words = ("--replicates", 100, "--prevalence", "mel=0.02", "--official", "auc")
    done = shell("score", "p.csv", "--manifest", "few.csv", *words)
    assert done.code == 0, done.err
    assert f"{len(kept)} test image" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--point", "mel"], "expected CLASS:recall=0.9"),
        (["--point", "mel:recall=2"], "expected CLASS:recall=0.9"),
        (["--point", "mel:cost=1/0"], "expected CLASS:recall=0.9"),
        (["--point", "mel:threshold=0.3"], "expected CLASS:recall=0.9"),
        (["--point", "mal:youden"], "unknown class 'mal'; did you mean"),
        (["--prevalence", "mel=2"], "expected CLASS=SHARE"),
        (["--prevalence", "xyz=0.1"], "unknown class 'xyz'"),
        (["--risk", "0.1"], "--risk goes with --prevalence"),
        (["--metric", "recal"], "unknown metric 'recal'; did you mean"),
        (["--slice", "device"], "has no column 'device'"),
        (["--slice", "age"], "age is told of no image"),
        (["--slice", "image_id"], "'image_id' tells no subgroup of images apart"),
        (["--slice", "lesion_id"], "'lesion_id' tells no subgroup of images apart"),
        (["--slice", "uid"], "column 'uid' of images.csv has 1,200 values for 1,200 images"),
        (["--slice", "label"], "'label' tells no subgroup of images apart"),
        (["--group", "patient"], "images.csv has no column patient_id"),
    ],
)
def test_what_cannot_be_asked(shell, tables, words, message):
    assert message in shell.error("score", "model.csv", "--manifest", "images.csv", *words)


def test_it_needs_neither_torch_nor_ray(tables, tmp_path):
    code = (
        "import sys; from skinbench.cli import main; sys.argv = ['skinbench', 'score', 'model.csv',"
        " '--manifest', 'images.csv', '--replicates', '100', '--metric', 'recall']\n"
        "try: main()\nexcept SystemExit as stop: assert not stop.code, stop.code\n"
        "assert not {'torch', 'ray', 'timm'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
