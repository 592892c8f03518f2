"""Reliability diagrams, and calibrations fitted on val."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression

from skinbench import registry
from skinbench.errors import PredictionsError, UsageError
from skinbench.records.entries import ValMembers
from skinbench.records.resampling import Resamples
from skinbench.score.calibration import calibrated_rows, focus_class, reliabilities, reliability
from skinbench.score.derive import derive_predictions
from skinbench.score.images import pool
from tests.score.drawn import CLASSES, cell, predictions, row, softmax, table

KINDS = [name for name in registry.derived.names() if registry.derived.get(name).calibration]
SIZE = len(CLASSES)


def overconfident(n=3000, seed=0, steep=2.5):
    """Images drawn from a model's true probabilities, which it then exaggerates."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, SIZE)) * 1.5
    true = softmax(logits)
    labels = (true.cumsum(axis=1) > generator.random((n, 1))).argmax(axis=1)
    return labels, softmax(logits * steep), true


def both(steep=2.5):
    """Predictions with val and test, each of lesions of their own."""
    parts = []
    for split, seed in (("val", 1), ("test", 2)):
        labels, given, _ = overconfident(seed=seed, steep=steep)
        data = table(labels, given, range(len(labels)))
        data["split"] = split
        for name in ("image_id", "group_id"):
            data[name] = split + data[name]
        parts.append(data)
    return predictions(pd.concat(parts, ignore_index=True))


def images_of(part):
    return pool(CLASSES, [part])["ham", "none"]


def test_there_are_four():
    assert KINDS == ["isotonic", "platt", "temperature", "vector"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_calibration_lowers_the_error_of_an_overconfident_model(kind):
    member = both()
    made = derive_predictions([member], kind=kind, names=["a@0.0"])
    np.testing.assert_allclose(made.probabilities().sum(axis=1), 1, atol=1e-6)
    before, after = (reliability(images_of(part), "a", 0, None) for part in (member, made))
    assert before.error > 0.15
    assert before.error > before.expected_high
    assert after.error < 0.05
    assert "fitted on 3,000 val images" in made.metadata["learnt"]


def test_temperature_finds_what_was_done_and_keeps_the_decision():
    member = both(steep=2.5)
    made = derive_predictions([member], kind="temperature")
    assert float(made.metadata["learnt"].split()[1].strip(",")) == pytest.approx(2.5, abs=0.1)
    np.testing.assert_array_equal(
        made.probabilities().argmax(axis=1), member.probabilities().argmax(axis=1)
    )


def test_temperature_is_the_least_log_loss_on_val():
    labels, given, _ = overconfident(400)
    val = ValMembers(probabilities=[given], labels=labels, weights=np.ones(400))
    found = registry.derived.get("temperature").learn(val, {})

    def loss(t):
        logits = np.log(given) / t
        return -np.log(softmax(logits)[np.arange(400), labels]).mean()

    assert found == pytest.approx(minimize_scalar(loss, bounds=(0.1, 20), method="bounded").x, 1e-3)


def test_platt_is_the_regression_of_scikit_learn_with_platts_targets():
    """A target of t is t positive and 1 - t negative images."""
    from sklearn.linear_model import LogisticRegression

    labels, given, _ = overconfident(500)
    val = ValMembers(probabilities=[given], labels=labels, weights=np.ones(500))
    slope, intercept = registry.derived.get("platt").learn(val, {})[2]
    p = np.clip(given[:, 2], 2.0**-23, 1 - 2.0**-23)
    x = np.log(p / (1 - p))[:, None]
    positive = labels == 2
    n = positive.sum()
    target = np.where(positive, (n + 1) / (n + 2), 1 / (500 - n + 2))
    fitted = LogisticRegression(C=1e10, tol=1e-10, max_iter=1000).fit(
        np.r_[x, x], np.r_[np.ones(500), np.zeros(500)], sample_weight=np.r_[target, 1 - target]
    )
    assert slope == pytest.approx(fitted.coef_[0, 0], rel=1e-3)
    assert intercept == pytest.approx(fitted.intercept_[0], abs=1e-3)


def test_isotonic_is_scikit_learns_and_rises():
    labels, given, _ = overconfident(500)
    val = ValMembers(probabilities=[given], labels=labels, weights=np.ones(500))
    entry = registry.derived.get("isotonic")
    curves = entry.learn(val, {})
    expected = IsotonicRegression(out_of_bounds="clip").fit(given[:, 1], labels == 1)
    grid = np.linspace(0, 1, 200)
    np.testing.assert_allclose(np.interp(grid, *curves[1]), expected.predict(grid), atol=1e-12)
    assert all((np.diff(values) >= 0).all() for _, values in curves)


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_that_val_lacks_breaks_nothing(kind):
    labels, given, _ = overconfident(300)
    labels[labels == 3] = 4
    entry = registry.derived.get(kind)
    val = ValMembers(probabilities=[given], labels=labels, weights=np.ones(300))
    learnt = entry.learn(val, dict(entry.options))
    edge = np.vstack([given[:5], np.eye(SIZE)])
    found = entry.combine([edge], {"learnt": learnt})
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert entry.describe(learnt, ("a",))


@pytest.mark.parametrize("kind", KINDS)
def test_test_images_do_not_move_a_calibration(kind):
    member = both()
    altered = member.frame.copy()
    altered.loc[altered["split"] == "test", "label"] = "nv"
    first, again = (
        derive_predictions([part], kind=kind) for part in (member, predictions(altered))
    )
    np.testing.assert_array_equal(first.probabilities(), again.probabilities())


def test_a_calibration_is_of_one_row_and_needs_val():
    member = both()
    with pytest.raises(PredictionsError, match="'platt' is made of 1 row, and 2 are given"):
        derive_predictions([member, member], kind="platt")
    test = predictions(member.frame[member.frame["split"] == "test"])
    with pytest.raises(PredictionsError, match="fitted on val"):
        derive_predictions([test], kind="temperature")
    with pytest.raises(UsageError, match="penalty is 0"):
        registry.derived.get("vector").check({"penalty": 0})


# --- reliability -------------------------------------------------------------------------------


def test_bins_by_hand():
    """Four bins of one image or two: equal probabilities stay together."""
    labels = np.array([0, 0, 1, 1])
    given = np.array([[0.6, 0.4], [0.6, 0.4], [0.3, 0.7], [0.1, 0.9]])
    data = table(labels, given, range(4), classes=("nv", "mel"))
    images = pool(("nv", "mel"), [predictions(data, ("nv", "mel"))])["ham", "none"]
    found = reliability(images, "a", 0, "mel")
    assert [(b.n, round(b.score, 6), b.share) for b in found.bins] == [
        (2, 0.4, 0.0), (1, 0.7, 1.0), (1, 0.9, 1.0),
    ]  # fmt: skip
    assert found.error == pytest.approx((2 * 0.4 + 0.3 + 0.1) / 4)
    assert all(b.low is None for b in found.bins)  # under ten lesions


def test_a_calibrated_model_lies_within_what_is_expected():
    labels, _, true = overconfident(3000, seed=5)
    images = images_of(predictions(table(labels, true, range(3000))))
    found = reliability(images, "a", 0, None)
    assert 0 < found.expected < found.expected_high
    assert found.error < found.expected_high
    assert len(found.bins) == 15
    assert sum(b.n for b in found.bins) == found.n == 3000
    inside = [b.low <= b.score <= b.high for b in found.bins]
    assert sum(inside) >= 12


def test_the_error_is_the_metric():
    part = both()
    card = reliabilities([row()], {"grid/a@0.0": part}, [cell()])
    assert [item.class_ for item in card] == [None, "mel"]
    images = images_of(part)
    from skinbench.score.evaluate import replicate_values

    asked = [("top_label_error", None)]
    value = replicate_values(images, asked, replicates=0, seed=0)[asked[0]][0]
    assert card[0].error == pytest.approx(value, abs=1e-12)


def test_focus():
    assert focus_class(CLASSES) == "mel"
    assert focus_class(("benign", "malignant")) == "malignant"
    assert focus_class(("a", "b")) is None


def test_before_and_after_are_paired():
    member = both()
    made = derive_predictions([member], kind="temperature")
    rows = [row(), row(name="cal", kind="derived")]
    parts = {"grid/a@0.0": member, "cal@0.0": made}
    cells = [cell(), cell("cal")]
    (found,) = calibrated_rows(rows, {"cal": "grid/a"}, parts, cells, Resamples(replicates=100))
    assert (found.row, found.of) == ("cal", "grid/a")
    before, after, change = (
        {score.metric: score for score in part}
        for part in (found.before, found.after, found.changes)
    )
    gap = after["log_loss"].value - before["log_loss"].value
    assert change["log_loss"].value == pytest.approx(gap)
    assert change["log_loss"].high < 0
    assert change["recall"].value == 0  # temperature moves no decision
    assert change["top_label_error"].low is None
    assert "noise of its own" in change["top_label_error"].reason
