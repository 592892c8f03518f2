"""Operating points chosen on val, and what they would mean at a stated prevalence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skinbench.records.operating import PointRequest, Policy, PrevalenceRequest
from skinbench.records.resampling import Resamples
from skinbench.score import prevalence as shift
from skinbench.score.images import pool
from skinbench.score.operating import NEVER, choose_threshold, decided_at, operating_points
from tests.score.drawn import CLASSES, cell, frame, predictions, row

FEW = Resamples(replicates=200)
RECALL = Policy(kind="recall", recall=0.9)
YOUDEN = Policy(kind="youden")
COST = Policy(kind="cost", miss=20, false_alarm=1)

POSITIVE = np.array([0, 0, 1, 0, 1, 1, 0, 0], dtype=bool)
SCORES = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 0.8, 0.05])


def brute(policy):
    """Every threshold tried, as the docstring states the rule."""
    tried = []
    for limit in [NEVER, *sorted(set(SCORES), reverse=True)]:
        flagged = limit <= SCORES
        recall = flagged[POSITIVE].mean()
        specificity = 1 - flagged[~POSITIVE].mean()
        tried.append((limit, recall, specificity))
    if policy.kind == "recall":
        return next(item for item in tried if item[1] >= policy.recall)
    if policy.kind == "youden":
        return max(tried, key=lambda item: (round(item[1] + item[2], 9), -item[0]))
    cost = [20 * 3 * (1 - r) + 5 * (1 - s) for _, r, s in tried]
    return tried[max(i for i, c in enumerate(cost) if c == min(cost))]


@pytest.mark.parametrize("policy", [RECALL, YOUDEN, COST, Policy(kind="recall", recall=0.6)])
def test_the_threshold_is_that_of_trying_all(policy):
    found = choose_threshold(POSITIVE, SCORES, policy)
    assert (found.value, found.recall, found.specificity) == pytest.approx(brute(policy))
    assert (found.n, found.n_positive) == (8, 3)


def test_a_dear_false_alarm_flags_nobody_and_a_dear_miss_everybody():
    dear = choose_threshold(POSITIVE, SCORES, Policy(kind="cost", miss=1, false_alarm=99))
    assert (dear.value, dear.recall) == (NEVER, 0)
    free = choose_threshold(POSITIVE, SCORES, Policy(kind="cost", miss=99, false_alarm=0.01))
    assert (free.value, free.recall) == (0.3, 1)


def test_weights_are_copies():
    weights = np.array([1, 3, 2, 1, 1, 4, 1, 2.0])
    copies = weights.astype(int)
    for policy in (RECALL, YOUDEN, COST):
        found = choose_threshold(POSITIVE, SCORES, policy, weights=weights)
        again = choose_threshold(np.repeat(POSITIVE, copies), np.repeat(SCORES, copies), policy)
        assert (found.value, found.recall) == (again.value, again.recall)


def test_val_that_cannot_say():
    none = np.zeros(0)
    assert "no val images" in choose_threshold(none.astype(bool), none, YOUDEN).reason
    assert "of the class" in choose_threshold(POSITIVE & False, SCORES, YOUDEN).reason
    assert "of another class" in choose_threshold(POSITIVE | True, SCORES, YOUDEN).reason


def with_val(seed=0, fold=0, skill=1.5):
    test, val = (frame(seed=s, fold=fold, skill=skill) for s in (seed, seed + 50))
    val["split"], val["image_id"], val["group_id"] = (
        "val",
        "v" + val["image_id"],
        "v" + val["group_id"],
    )
    return predictions(pd.concat([test, val], ignore_index=True))


def pooled(part):
    return pool(CLASSES, [part])["ham", "none"]


MEL = CLASSES.index("mel")


def test_below_the_threshold_the_best_other_class_is_decided():
    images = pooled(with_val())
    at = decided_at(images, MEL, {0: 0.2})
    flagged = images.probabilities[:, MEL] >= 0.2
    assert (at.decisions[flagged] == MEL).all()
    others = images.probabilities.copy()
    others[:, MEL] = -1
    np.testing.assert_array_equal(at.decisions[~flagged], others.argmax(axis=1)[~flagged])
    assert not (decided_at(images, MEL, {0: NEVER}).decisions == MEL).any()


def asked(policy, rows="*"):
    return [PointRequest(rows=rows, class_="mel", policy=policy)]


def scored(point, metric, what="scores"):
    return next(score for score in getattr(point, what) if score.metric == metric)


def test_a_point_on_test_is_the_threshold_of_val():
    part = with_val()
    cells = {"grid/a@0.0": part}
    (point,) = operating_points([row()], cells, [cell()], asked(RECALL), FEW)
    data = part.frame
    val, test = data[data["split"] == "val"], data[data["split"] == "test"]
    chosen = point.thresholds[0].value
    hits = val.loc[val["label"] == "mel", "p_mel"] >= chosen
    assert point.thresholds[0].recall == pytest.approx(hits.mean())
    assert hits.mean() >= 0.9 > (val.loc[val["label"] == "mel", "p_mel"] > chosen).mean()
    positive, flagged = test["label"] == "mel", test["p_mel"] >= chosen
    assert scored(point, "recall").value == pytest.approx(flagged[positive].mean())
    assert scored(point, "specificity").value == pytest.approx(1 - flagged[~positive].mean())
    assert scored(point, "precision").value == pytest.approx(positive[flagged].mean())
    assert point.flagged_per_hit.value == pytest.approx(1 / positive[flagged].mean())
    assert point.flagged_per_hit.low < point.flagged_per_hit.value < point.flagged_per_hit.high
    argmax = pooled(part)
    before = (argmax.decisions[argmax.labels == MEL] == MEL).mean()
    change = scored(point, "recall", "changes")
    assert change.value == pytest.approx(scored(point, "recall").value - before)
    assert change.low <= change.value <= change.high
    assert scored(point, "specificity", "changes").value < 0


def test_test_labels_and_scores_move_no_threshold():
    part = with_val()
    (first,) = operating_points([row()], {"grid/a@0.0": part}, [cell()], asked(YOUDEN), FEW)
    altered = part.frame.copy()
    test = altered["split"] == "test"
    altered.loc[test, "label"] = "nv"
    altered.loc[test, [f"p_{c}" for c in CLASSES]] = 1 / 7
    (again,) = operating_points(
        [row()], {"grid/a@0.0": predictions(altered)}, [cell()], asked(YOUDEN), FEW
    )
    assert first.thresholds == again.thresholds
    assert scored(again, "recall").value is None


def test_each_fold_has_its_own_threshold():
    parts = {f"grid/a@{fold}.0": with_val(fold=fold, seed=fold, skill=1 + fold) for fold in (0, 1)}
    cells = [cell(fold=0), cell(fold=1)]
    (point,) = operating_points([row()], parts, cells, asked(RECALL), FEW)
    assert [t.fold for t in point.thresholds] == [0, 1]
    assert point.thresholds[0].value != point.thresholds[1].value
    total = hits = 0
    for threshold, part in zip(point.thresholds, parts.values(), strict=True):
        data = part.frame[(part.frame["split"] == "test") & (part.frame["label"] == "mel")]
        hits += (data["p_mel"] >= threshold.value).sum()
        total += len(data)
    assert scored(point, "recall").value == pytest.approx(hits / total)


def test_the_cost_of_a_cost_policy():
    part = with_val()
    (point,) = operating_points([row()], {"grid/a@0.0": part}, [cell()], asked(COST), FEW)
    test = part.frame[part.frame["split"] == "test"]
    positive = (test["label"] == "mel").to_numpy()
    flagged = (test["p_mel"] >= point.thresholds[0].value).to_numpy()
    expected = 20 * (positive & ~flagged).sum() + (~positive & flagged).sum()
    assert point.cost.value == pytest.approx(expected / len(test))
    assert point.cost.low < point.cost.value < point.cost.high


def test_without_val_there_is_a_reason_and_no_number():
    part = predictions(frame())
    (point,) = operating_points([row()], {"grid/a@0.0": part}, [cell()], asked(RECALL), FEW)
    assert point.scores == ()
    assert point.reason == "no val images to choose it on"
    assert not operating_points([row()], {"grid/a@0.0": part}, [cell()], asked(RECALL, "b*"), FEW)


# --- prevalence --------------------------------------------------------------------------------


def one(value):
    return np.array([value])


def test_bayes_by_hand():
    """Of 1,000 people 20 have it: 18 found, 98 false alarms."""
    recall, specificity = one(0.9), one(0.9)
    assert shift.positive_predictive_value(recall, specificity, 0.02)[0] == pytest.approx(18 / 116)
    found = shift.negative_predictive_value(recall, specificity, 0.02)[0]
    assert found == pytest.approx(882 / 884)
    found = shift.number_needed_to_biopsy(recall, specificity, 0.02)[0]
    assert found == pytest.approx(116 / 18)
    # at a risk of 0.1 a false alarm weighs 1/9 of a hit
    found = shift.net_benefit(recall, specificity, 0.02, 0.1)[0]
    assert found == pytest.approx((18 - 98 / 9) / 1000)


def test_at_the_prevalence_of_the_test_set_they_are_the_counts():
    images = pooled(with_val())
    flagged, positive = images.decisions == MEL, images.labels == MEL
    recall, specificity = one(flagged[positive].mean()), one((~flagged[~positive]).mean())
    share = float(positive.mean())
    found = shift.positive_predictive_value(recall, specificity, share)[0]
    assert found == pytest.approx(positive[flagged].mean())
    found = shift.negative_predictive_value(recall, specificity, share)[0]
    assert found == pytest.approx((~positive[~flagged]).mean())


def test_a_shift_and_back_is_nothing_and_follows_bayes():
    p = np.linspace(0, 1, 11)
    np.testing.assert_allclose(shift.shifted(shift.shifted(p, 0.2, 0.02), 0.02, 0.2), p, atol=1e-12)
    # likelihoods 3 to 1: at a prior of 1/2 p = 3/4, at 1/10 p = 3/12
    assert shift.shifted(one(0.75), 0.5, 0.1)[0] == pytest.approx(3 / 12)


def test_nothing_flagged_has_no_predictive_value():
    assert np.isnan(shift.positive_predictive_value(one(0.0), one(1.0), 0.1)[0])
    assert np.isnan(shift.number_needed_to_biopsy(one(0.0), one(0.9), 0.1)[0])
    assert np.isnan(shift.negative_predictive_value(one(1.0), one(0.0), 0.1)[0])


def test_prevalences_by_argmax_point_and_risk():
    part = with_val()
    cells = {"grid/a@0.0": part}
    points = operating_points([row()], cells, [cell()], asked(RECALL), FEW)
    wanted = [PrevalenceRequest(class_="mel", at=(0.02, 0.1), threshold_probability=0.05)]
    found = shift.at_prevalence([row()], cells, [cell()], wanted, points, FEW)
    rules = ["argmax", "recall 0.9 on val", "risk of 0.05 or more after the shift"]
    assert [(item.prevalence, item.rule) for item in found] == [
        (p, rule) for p in (0.02, 0.1) for rule in rules
    ]
    at = {score.metric: score for score in found[1].scores}
    assert at["recall"].value == scored(points[0], "recall").value
    expected = shift.positive_predictive_value(
        one(at["recall"].value), one(at["specificity"].value), 0.02
    )[0]
    assert at["positive_predictive_value"].value == pytest.approx(expected)
    assert at["positive_predictive_value"].low < expected < at["positive_predictive_value"].high
    assert at["number_needed_to_biopsy"].value == pytest.approx(1 / expected)
    assert at["net_benefit_of_all"].value == pytest.approx(0.02 - 0.98 * 0.05 / 0.95)
    # the risk rule is the shifted probability from the risk on
    data = part.frame
    val, test = data[data["split"] == "val"], data[data["split"] == "test"]
    moved = shift.shifted(test["p_mel"].to_numpy(float), (val["label"] == "mel").mean(), 0.02)
    hits = (moved >= 0.05)[(test["label"] == "mel").to_numpy()]
    assert {s.metric: s for s in found[2].scores}["recall"].value == pytest.approx(hits.mean())


def test_without_val_the_risk_has_a_reason():
    cells = {"grid/a@0.0": predictions(frame())}
    wanted = [PrevalenceRequest(class_="mel", at=(0.02,), threshold_probability=0.05)]
    points = operating_points([row()], cells, [cell()], asked(RECALL), FEW)
    argmax, point, risk = shift.at_prevalence([row()], cells, [cell()], wanted, points, FEW)
    assert argmax.scores
    assert point.reason == "no val images to choose it on"
    assert risk.reason == "no val images to know how common mel was for the model"


def test_predictive_values_of_a_perfect_recall_have_an_interval():
    data = frame(600)
    melanoma = data["label"] == "mel"
    data.loc[melanoma, [f"p_{code}" for code in CLASSES]] = 0.0
    data.loc[melanoma, "p_mel"] = 1.0
    wanted = [PrevalenceRequest(class_="mel", at=(0.02,))]
    (found,) = shift.at_prevalence(
        [row()], {cell().name: predictions(data)}, [cell()], wanted, [], FEW
    )
    by_name = {score.metric: score for score in found.scores}
    recall, value = by_name["recall"], by_name["negative_predictive_value"]
    assert (recall.value, value.value, value.high) == (1.0, 1.0, 1.0)
    plugged = shift.negative_predictive_value(
        np.array([recall.low]), np.array([by_name["specificity"].low]), 0.02
    )
    assert plugged[0] <= value.low < 1
