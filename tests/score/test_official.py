"""The official ISIC scorer, run as a program where it is installed, and its figures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from skinbench.errors import DataError, PredictionsError
from skinbench.score.official import METRICS, official_scores, parsed

CLASSES = ["MEL", "NV", "BCC", "AKIEC", "BKL", "DF", "VASC"]
PROGRAM = os.environ.get("SKINBENCH_ISIC_SCORER") or shutil.which("isic-challenge-scoring")
ABSENT = "the official scorer is not installed; name it in SKINBENCH_ISIC_SCORER"


def files(folder, *, n=210, seed=0, weights=False, shuffled=False, absent=None, special=False):
    """Rows that do not sum to 1, ties, probabilities of exactly one half."""
    generator = np.random.default_rng(seed)
    scores = generator.random((n, len(CLASSES))).round(2)
    scores[::7] = 0.5
    truth = np.eye(len(CLASSES))[np.arange(n) % (len(CLASSES) if absent is None else 5)]
    chosen = generator.random(n) < 0.5
    scores[chosen] = np.clip(scores[chosen] * 0.5 + 0.5 * truth[chosen], 0, 1)
    ids = [f"ISIC_{i:07d}" for i in range(34_900, 34_900 + n)]
    assert not special or "ISIC_0035068" in ids
    predicted = pd.DataFrame(scores, columns=CLASSES)
    predicted.insert(0, "image", ids)
    known = pd.DataFrame(truth, columns=CLASSES)
    known.insert(0, "image", ids)
    if weights:
        known["score_weight"] = generator.integers(0, 4, n) / 2
        known["validation_weight"] = 2.0 - known["score_weight"]
    if not special:
        for table in (predicted, known):
            table["image"] = table["image"].str.replace("ISIC_00", "ISIC_01")
    if shuffled:
        known = known.sample(frac=1, random_state=3)
    predicted.sample(frac=1, random_state=4).to_csv(folder / "p.csv", index=False)
    known.to_csv(folder / "t.csv", index=False)
    return folder / "p.csv", folder / "t.csv"


def program(predictions, truth, target="balanced_accuracy"):
    words = [str(PROGRAM), "-o", "json", "classification", "-m", target, truth, predictions]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


RUNS = [
    ({}, "balanced_accuracy"),
    ({"weights": True}, "auc"),
    ({"weights": True, "special": True, "shuffled": True}, "ap"),
    ({"special": True, "shuffled": True}, "balanced_accuracy"),
]


@pytest.mark.skipif(not PROGRAM, reason=ABSENT)
@pytest.mark.parametrize(("kind", "target"), RUNS, ids=["plain", "weights", "all", "sorts"])
def test_equal_to_the_program(tmp_path, kind, target):
    predictions, truth = files(tmp_path, **kind)
    expected = program(predictions, truth, target)
    found = official_scores(predictions, truth, target=target)
    assert found.overall == pytest.approx(expected["overall"], abs=1e-12)
    assert found.validation == pytest.approx(expected["validation"], abs=1e-12)
    assert found.aggregate == pytest.approx(expected["aggregate"], abs=1e-12)
    assert found.macro_average == pytest.approx(expected["macro_average"], abs=1e-12)
    for metric in METRICS:
        theirs = {code.lower(): value for code, value in expected["per_category"][metric].items()}
        assert found.per_category[metric] == pytest.approx(theirs, abs=1e-12)


FIGURES = {
    "overall": 0.5464810624512432,
    "validation": 0.5783937431025032,
    "accuracy": 0.7693938109368377,
    "accuracy MEL": 0.6884272997032641,
    "sensitivity": 0.7001991404156278,
    "sensitivity MEL": 0.45098039215686275,
    "specificity": 0.7807073968770374,
    "specificity MEL": 0.7307692307692307,
    "dice": 0.4649844269202886,
    "dice MEL": 0.304635761589404,
    "ppv": 0.3492909448597054,
    "ppv MEL": 0.23,
    "npv": 0.939862872688381,
    "npv MEL": 0.8818565400843882,
    "auc": 0.7570562284939361,
    "auc MEL": 0.7952488687782806,
    "auc_sens_80": 0.569859584873271,
    "auc_sens_80 MEL": 0.728419080919081,
    "ap": 0.35432091920068226,
    "ap MEL": 0.39286017915246507,
}
"""isic-challenge-scoring 5.6.0 (scikit-learn 1.9.1, pandas 2.3.3) on `files(weights=True,
special=True)`, 2026-11-21."""


def test_the_programs_figures(tmp_path):
    found = official_scores(*files(tmp_path, weights=True, special=True))
    assert found.overall == pytest.approx(FIGURES["overall"], abs=1e-12)
    assert found.validation == pytest.approx(FIGURES["validation"], abs=1e-12)
    for metric in METRICS:
        assert found.macro_average[metric] == pytest.approx(FIGURES[metric], abs=1e-12)
        value = found.per_category[metric]["mel"]
        assert value == pytest.approx(FIGURES[f"{metric} MEL"], abs=1e-12)


def test_numbers_are_read_as_the_program_reads_them():
    # pandas 2.3.3: read_csv of each text; Python's float() differs in the first two
    assert parsed("0.9550000000000001") == 0.955
    assert parsed("8.906716619797223e-08") == 8.906716619797224e-08
    for text in ("0", "1.0", "0.29", "5e-05", "0.123456789012345", "1e-7"):
        assert parsed(text) == float(text)


def by_hand(folder, scores, labels, more=None):
    codes = ["A", "B"]
    ids = [f"i{i}" for i in range(len(labels))]
    predicted = pd.DataFrame(np.asarray(scores, dtype=float), columns=codes)
    predicted.insert(0, "image", ids)
    known = pd.DataFrame(np.eye(2)[labels], columns=codes)
    known.insert(0, "image", ids)
    for name, column in (more or {}).items():
        known[name] = column
    predicted.to_csv(folder / "p.csv", index=False)
    known.to_csv(folder / "t.csv", index=False)
    return official_scores(folder / "p.csv", folder / "t.csv")


def test_one_half_is_negative_and_a_tie_is_wrong(tmp_path):
    found = by_hand(tmp_path, [[0.5, 0.5], [0.6, 0.7], [0.2, 0.3]], [0, 0, 1])
    assert found.per_category["sensitivity"] == {"a": 0.5, "b": 0.0}
    assert found.per_category["specificity"] == {"a": 1.0, "b": 0.5}
    assert found.overall == pytest.approx((0 + 1) / 2)  # the tie and 0.7 are wrong, 0.3 is right
    assert any("1 image with a tied maximum" in note for note in found.notes)


def test_a_ratio_over_nothing_is_one_there_and_said(tmp_path):
    found = by_hand(tmp_path, [[0.1, 0.9], [0.2, 0.8]], [0, 1])
    assert found.per_category["ppv"]["a"] == 1.0
    assert found.undefined == {"ppv": ("a",), "npv": ("b",)}
    assert any("ppv of a; npv of b" in note for note in found.notes)


def test_a_class_that_the_truth_lacks(tmp_path):
    found = by_hand(tmp_path, [[0.9, 0.1], [0.8, 0.2]], [0, 0])
    assert found.per_category["auc"] == {"a": None, "b": None}
    assert found.per_category["ap"] == {"a": 1.0, "b": None}
    assert found.overall == 1.0
    assert any("no image of b: the program stops" in note for note in found.notes)


def test_an_unsorted_truth_with_weights_is_said(tmp_path):
    predictions, truth = files(tmp_path, weights=True, shuffled=True)
    assert any("not sorted by image" in n for n in official_scores(predictions, truth).notes)
    predictions, truth = files(tmp_path, weights=True)
    assert not official_scores(predictions, truth).notes[1:]


def test_what_the_scorer_refuses(tmp_path):
    predictions, truth = files(tmp_path)
    data = pd.read_csv(predictions)
    data.iloc[1:].to_csv(predictions, index=False)
    with pytest.raises(PredictionsError, match="refuses missing and extra images"):
        official_scores(predictions, truth)
    pd.concat([data, data.iloc[:1]]).to_csv(predictions, index=False)
    with pytest.raises(PredictionsError, match="predicted twice"):
        official_scores(predictions, truth)
    data.to_csv(predictions, index=False)
    pd.read_csv(truth).assign(DF=1.0).to_csv(truth, index=False)
    with pytest.raises(DataError, match="expected one"):
        official_scores(predictions, truth)
