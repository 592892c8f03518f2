import numpy as np
import pandas as pd
import pytest

from skinbench.records.operating import PrevalenceRequest
from skinbench.records.resampling import Resamples
from skinbench.score.decision_curves import POINTS, decision_curves, flagged, risks_at
from skinbench.score.prevalence import at_prevalence
from skinbench.score.row_images import row_images
from tests.score.drawn import cell, frame, predictions, row

FEW = Resamples(replicates=100)


def cells(folds=1, seeds=1, n=500, **options):
    """Cells with val images; each fold's scores are on a scale of their own."""
    found, made = {}, []
    for seed in range(seeds):
        for fold in range(folds):
            test = frame(n, seed=10 * fold + seed, fold=fold, **options)
            val = frame(n, seed=50 + 10 * fold + seed, fold=fold, **options).assign(split="val")
            for name in ("image_id", "group_id"):
                val[name] = val[name] + "v"
            one = cell(fold=fold, seed=seed)
            found[one.name] = predictions(pd.concat([test, val], ignore_index=True))
            made.append(one)
    return found, made


def asked(**more):
    return [PrevalenceRequest(class_="mel", at=(0.1,), **more)]


@pytest.mark.parametrize(("folds", "seeds"), [(1, 1), (2, 1), (1, 2)])
def test_at_each_risk_it_is_the_net_benefit_of_the_table(folds, seeds):
    found, made = cells(folds, seeds)
    (curve,) = decision_curves([row()], found, made, asked(), FEW)
    assert len(curve.risks) == len(curve.net_benefit) == len(curve.low) == POINTS
    for place in (3, 11, 30):
        request = asked(threshold_probability=curve.risks[place])
        table = at_prevalence([row()], found, made, request, [], FEW)
        (by_risk,) = [item for item in table if item.rule.startswith("risk of")]
        scores = {score.metric: score for score in by_risk.scores}
        assert curve.net_benefit[place] == pytest.approx(scores["net_benefit"].value, abs=1e-12)
        assert curve.low[place] == pytest.approx(scores["net_benefit"].low, abs=1e-12)
        assert curve.high[place] == pytest.approx(scores["net_benefit"].high, abs=1e-12)
        assert curve.of_all[place] == pytest.approx(scores["net_benefit_of_all"].value, abs=1e-12)


def test_a_rising_threshold_never_raises_recall():
    found, made = cells()
    (images,) = row_images(row(), found, made).by_seed[0].values()
    limits = np.repeat(np.linspace(0, 1.01, 60)[:, None], len(images), axis=1)
    recall, specificity = flagged(images, 0, limits, FEW)
    assert (np.diff(recall, axis=0) <= 0).all()
    assert (np.diff(specificity, axis=0) >= 0).all()
    assert (recall[0], specificity[-1]) == (pytest.approx(1.0), pytest.approx(1.0))


def test_without_val_or_without_the_class_there_is_no_curve_but_a_reason():
    found, made = cells()
    bare = {
        name: predictions(table.frame[table.frame["split"] == "test"])
        for name, table in found.items()
    }
    (curve,) = decision_curves([row()], bare, made, asked(), FEW)
    assert curve.risks == ()
    assert "no val images to know how common mel was" in curve.reason
    without = {
        name: predictions(
            table.frame[(table.frame["split"] == "val") | (table.frame["label"] != "mel")]
        )
        for name, table in found.items()
    }
    (curve,) = decision_curves([row()], without, made, asked(), FEW)
    assert curve.reason == "no image of mel, or of another class"


def test_few_lesions_have_a_curve_without_a_band():
    found, made = cells(n=60)
    (curve,) = decision_curves([row()], found, made, asked(), FEW)
    assert curve.n_groups < 10
    assert curve.net_benefit
    assert curve.low == curve.high == ()


def test_conditions_and_rows_without_the_class_have_none():
    found, made = cells(condition="blur@1")
    assert decision_curves([row()], found, made, asked(), FEW) == ()
    assert decision_curves([row(classes=("a", "b"))], {}, [], asked(), FEW) == ()


@pytest.mark.parametrize("prevalence", [0.001, 0.02, 0.5])
def test_risks_span_what_matters_at_a_prevalence(prevalence):
    risks = risks_at(prevalence)
    assert (np.diff(risks) > 0).all()
    assert 0 < risks[0] < prevalence < risks[-1] <= 0.6
