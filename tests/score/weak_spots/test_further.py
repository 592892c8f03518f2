"""Views of a lesion, altered images, images of elsewhere, and all of it together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from skinbench.records import WeakSpots
from skinbench.score.images import pool
from skinbench.score.weak_spots import Facts, Settings, find_weak_spots, focus_class
from skinbench.score.weak_spots.conditions import under_conditions
from skinbench.score.weak_spots.elsewhere import doubt, out_of_distribution
from skinbench.score.weak_spots.lesions import consistency
from skinbench.store import from_plain, to_plain
from tests.score.drawn import CLASSES, cell, decided, frame, predictions, row

SETTINGS = Settings(replicates=200, floor=10)
MEL, NV, BCC, BKL = (CLASSES.index(code) for code in ("mel", "nv", "bcc", "bkl"))


def images(data, condition="none"):
    return pool(CLASSES, [predictions(data)])["ham", condition]


# --- views of a lesion -----------------------------------------------------------------------


def test_three_views_of_one_melanoma_three_answers():
    labels = np.array([MEL] * 6 + [NV] * 3)
    decisions = np.array([MEL, NV, BCC, MEL, MEL, BKL, NV, NV, BKL])
    #           lesions:  0    0   0    1    1    2    3   3   4
    data = decided(labels, decisions, lesions=[0, 0, 0, 1, 1, 2, 3, 3, 4])
    whole, mel = consistency("m", [images(data)], None, SETTINGS, "mel")
    assert (whole.lesions, whole.images) == (3, 7), "lesions with one view have none to compare"
    assert whole.value == pytest.approx(1 / 3)
    parts = [part.value for part in (whole.all_right, whole.some_right, whole.none_right)]
    assert parts == pytest.approx([2 / 3, 1 / 3, 0])
    assert (mel.class_, mel.lesions, mel.value) == ("mel", 2, 0.5)
    assert mel.reason == "no interval: 2 lesion groups, at least 10 are needed"


def test_lesion_ids_stand_over_groups_of_patients():
    labels = np.full(6, NV)
    data = decided(labels, np.array([NV, BKL, NV, NV, NV, NV]), lesions=[0] * 6)
    names = dict(zip(data["image_id"], ["a", "a", "b", "b", None, None], strict=True))
    lesions = {image: name for image, name in names.items() if name}
    (found,) = consistency("m", [images(data)], lesions, SETTINGS, None)
    assert (found.lesions, found.images, found.n_groups) == (2, 4, 1)
    assert found.value == 0.5


def test_views_are_compared_within_the_fold_whose_model_saw_them():
    one = decided(np.array([NV, NV]), np.array([NV, NV]), lesions=[0, 0], fold=0)
    two = one.assign(fold=1, p_nv=one["p_bkl"], p_bkl=one["p_nv"])
    both = pool(CLASSES, [predictions(one), predictions(two)])["ham", "none"]
    (found,) = consistency("m", [both], None, SETTINGS, None)
    assert found.value == 0.0, "each model gives both views one answer"
    assert found.lesions == 2


def test_disagreement_has_an_interval_and_no_views_give_nothing():
    (found, _) = consistency("m", [images(frame(900))], None, SETTINGS, "mel")
    assert 0 < found.low < found.value < found.high < 1
    assert found.all_right.low < found.all_right.value < found.all_right.high
    alone = decided(np.full(20, NV), np.full(20, NV))
    assert consistency("m", [images(alone)], None, SETTINGS, None) == []


# --- altered images --------------------------------------------------------------------------


def altered(share=0.3):
    plain = frame(700, skill=3.0)
    worse = frame(700, seed=9, skill=0.5).assign(condition="blur@5")
    kept = np.arange(700) < 700 * (1 - share)
    columns = [f"p_{code}" for code in CLASSES]
    mixed = worse.copy()
    mixed.loc[kept, columns] = plain.loc[kept, columns]
    return plain, mixed


def test_a_condition_is_paired_with_the_same_images_without_it():
    plain, worse = altered()
    sets = {
        ("ham", "none"): {0: images(plain)},
        ("ham", "blur@5"): {0: images(worse, "blur@5")},
    }
    drops, flips = under_conditions("m", sets, SETTINGS, "mel")
    assert [(d.metric, d.class_) for d in drops] == [
        ("balanced_accuracy", None),
        ("recall", "mel"),
        ("specificity", "mel"),
    ]
    recall = drops[1]
    before, after = images(plain), images(worse, "blur@5")
    mel = before.labels == MEL
    expected = (after.decisions == MEL)[mel].mean() - (before.decisions == MEL)[mel].mean()
    assert recall.change == pytest.approx(expected, abs=1e-12)
    assert recall.change_low < recall.change < recall.change_high < 0
    assert recall.n == mel.sum()
    (flip,) = flips
    assert flip.value == pytest.approx((before.decisions != after.decisions).mean(), abs=1e-12)
    assert flip.low < flip.value < flip.high


def test_unchanged_decisions_are_a_change_of_zero_without_bounds():
    plain = frame(400)
    same = plain.assign(condition="jpeg@1")
    sets = {("ham", "none"): {0: images(plain)}, ("ham", "jpeg@1"): {0: images(same, "jpeg@1")}}
    drops, flips = under_conditions("m", sets, SETTINGS, "mel")
    assert {d.change for d in drops} == {0.0}
    assert drops[0].reason == "no interval: every bootstrap resample gives the same value"
    assert flips[0].value == 0
    assert flips[0].high > 0, "none of 400 is not never"


def test_other_images_under_a_condition_are_no_change():
    plain = frame(400)
    fewer = plain.iloc[:300].assign(condition="jpeg@1")
    sets = {("ham", "none"): {0: images(plain)}, ("ham", "jpeg@1"): {0: images(fewer, "jpeg@1")}}
    drops, flips = under_conditions("m", sets, SETTINGS, "mel")
    assert {d.change for d in drops} == {None}
    assert drops[0].value is not None
    assert flips == []


# --- images of elsewhere ---------------------------------------------------------------------


def elsewhere(n=300, skill=0.3):
    """As `frame`, of another dataset, ids and lesions; less sure, as of something unknown."""
    data = frame(n, seed=4, skill=skill, dataset="other")
    return data.assign(image_id="o" + data["image_id"], group_id="o" + data["group_id"])


def test_auroc_of_the_doubt_is_scikit_learns():
    own, other = frame(500, skill=4.0), elsewhere()
    unknown = other.iloc[:100].assign(label=None)
    data = pd.concat([own, unknown, other.iloc[100:]])
    found = out_of_distribution("m", "ham", {0: [predictions(data)]}, SETTINGS)
    assert [(f.outside, f.score) for f in found] == [
        ("other", "max_probability"),
        ("other", "entropy"),
        ("images of other without a class", "max_probability"),
        ("images of other without a class", "entropy"),
    ]
    columns = [f"p_{code}" for code in CLASSES]
    for item, outside in zip(found, [other.iloc[100:]] * 2 + [unknown] * 2, strict=True):
        both = pd.concat([own, outside])[columns].to_numpy(float)
        sides = np.repeat([0, 1], [len(own), len(outside)])
        unsure = stats.entropy(both, axis=1) if item.score == "entropy" else -both.max(axis=1)
        assert item.value == pytest.approx(roc_auc_score(sides, unsure), abs=1e-9)
        assert item.low < item.value < item.high
        assert (item.n_inside, item.n_outside) == (500, len(outside))


def test_doubt_is_nothing_for_the_sure_and_one_for_the_clueless():
    sure, clueless = np.eye(4)[:1], np.full((1, 4), 0.25)
    assert doubt("entropy", np.vstack([sure, clueless])) == pytest.approx([0.0, 1.0])
    assert doubt("max_probability", np.vstack([sure, clueless])) == pytest.approx([0.0, 0.75])


def test_without_own_images_there_is_nothing_to_tell_apart():
    assert out_of_distribution("m", "ham", {0: [predictions(elsewhere())]}, SETTINGS) == []
    assert out_of_distribution("m", "ham", {0: [predictions(frame(50))]}, SETTINGS) == []


# --- together --------------------------------------------------------------------------------


def run():
    names = ("a", "b")
    rows = [*(row(name) for name in names), row("baseline/by_lesion/majority", kind="plain")]
    found = {}
    for seed, item in enumerate(rows):
        skill = 2.0 if item.kind == "fit" else 0.0
        plain = frame(500, seed=seed, skill=skill)
        blurred = frame(500, seed=seed + 50, skill=skill / 2, condition="blur@2")
        found[f"{item.name}@0.0"] = predictions(pd.concat([plain, blurred, elsewhere(200)]))
    cells = [cell(item.name) for item in rows]
    ids = [f"i0_{i:05d}" for i in range(500)]
    sex = {image: ("female", "male")[index % 2] for index, image in enumerate(ids)}
    facts = Facts(slices={"sex": sex}, asked=("sex", "source"), own={"a": "ham", "b": "ham"})
    return rows, found, cells, facts


def test_everything_is_found_from_predictions_alone():
    rows, found, cells, facts = run()
    spots = find_weak_spots(rows, found, cells, facts, SETTINGS)
    assert spots.focus == {"a": "mel", "b": "mel"}
    assert {(g.row, g.dataset) for g in spots.groups} == {("a", "ham"), ("b", "ham")}
    assert {e.dataset for e in spots.shared_errors} == {"ham", "other"}
    assert len(spots.agreements) == 2
    assert {(p.row, p.baseline) for p in spots.against_plain} == {
        ("a", "baseline/by_lesion/majority"),
        ("b", "baseline/by_lesion/majority"),
    }
    assert all(p.beats for p in spots.against_plain if p.dataset == "ham")
    assert {(d.row, d.condition) for d in spots.drops} == {("a", "blur@2"), ("b", "blur@2")}
    assert {o.outside for o in spots.out_of_distribution} == {"other"}
    assert {c.row for c in spots.consistency} == {"a", "b"}
    assert "acquisition source: no dataset of this run says it of any image" in spots.notes
    assert from_plain(WeakSpots, to_plain(spots)) == spots
    assert find_weak_spots(rows, found, cells, facts, SETTINGS) == spots


def test_a_row_with_a_missing_cell_is_left_out_and_named():
    rows, found, cells, facts = run()
    del found["b@0.0"]
    spots = find_weak_spots(rows, found, cells, facts, SETTINGS)
    assert "b is not looked at: cell b@0.0 has no predictions" in spots.notes
    assert {g.row for g in spots.groups} == {"a"}
    assert spots.agreements == ()


def test_the_focus_is_melanoma_else_the_first_malignant_class():
    assert focus_class(CLASSES, frozenset({"akiec", "bcc", "mel"})) == "mel"
    assert focus_class(("benign", "malignant"), frozenset({"malignant"})) == "malignant"
    assert focus_class(("cat", "dog"), frozenset({"malignant"})) is None
