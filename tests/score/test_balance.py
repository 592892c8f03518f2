"""The same predictions with every class weighing the same."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skinbench import registry
from skinbench.records import Cell, Evaluation, Row
from skinbench.records.resampling import Resamples
from skinbench.score.balance import balanced_images, balanced_name, balanced_places
from skinbench.score.evaluate import replicate_values, requests
from skinbench.score.images import ScoredImages
from skinbench.score.proportions import group_sums, hits, kish
from skinbench.score.replicates import ReplicateSet
from skinbench.score.scorecard import score_rows
from tests.score.drawn import frame, predictions

CLASSES = ("mel", "bkl", "nv")


def images(labels, decided, *, groups=None, weights=None, seed=0) -> ScoredImages:
    n = len(labels)
    rng = np.random.default_rng(seed)
    raw = rng.random((n, 3)) * 0.3
    raw[np.arange(n), decided] += 0.7
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    return ScoredImages(
        dataset="d",
        condition="none",
        classes=CLASSES,
        image_ids=np.array([f"i{k:04d}" for k in range(n)], dtype=object),
        groups=np.array([f"g{k:04d}" for k in range(n)] if groups is None else groups, object),
        labels=np.asarray(labels),
        decisions=probabilities.argmax(axis=1),
        probabilities=probabilities,
        weights=np.ones(n) if weights is None else np.asarray(weights, float),
        folds=np.zeros(n, dtype=np.int64),
    )


def values(of: ScoredImages, replicates=40):
    asked = requests(CLASSES)
    return replicate_values(of, asked, replicates=replicates, seed=0)


BY_HAND = images([0, 0, 1, 1, 1, 1, 2, 2, 2, 2], [0, 2, 1, 1, 1, 0, 2, 2, 2, 2])
"""mel 1 of 2 right (one as nv), bkl 3 of 4 (one as mel), nv 4 of 4."""


def test_by_hand():
    raw, even = values(BY_HAND), values(balanced_images(BY_HAND))
    assert raw["accuracy", None][0] == pytest.approx(8 / 10)
    assert even["accuracy", None][0] == pytest.approx((1 / 2 + 3 / 4 + 1) / 3)
    # Each class is a third: specificity of mel is the mean of what bkl and nv give.
    assert even["specificity", 0][0] == pytest.approx((3 / 4 + 1) / 2)
    assert raw["specificity", 0][0] == pytest.approx(7 / 8)
    # Of what is called mel: half of mel's third, a quarter of bkl's.
    assert even["precision", 0][0] == pytest.approx(0.5 / (0.5 + 0.25))
    for index, share in enumerate((1 / 2, 3 / 4, 1.0)):
        assert even["recall", index][0] == pytest.approx(share)


def test_weights_are_as_they_are_defined_and_sum_to_n():
    weights = balanced_images(BY_HAND).scored_weights()
    expected = [10 / (3 * {0: 2, 1: 4, 2: 4}[label]) for label in BY_HAND.labels]
    assert weights == pytest.approx(expected)
    assert weights.sum() == pytest.approx(10)
    absent = balanced_images(BY_HAND.subset(BY_HAND.labels != 1))
    assert absent.scored_weights()[:2] == pytest.approx([6 / (2 * 2)] * 2)


labelled = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=4, max_size=60)


@given(pairs=labelled, seed=st.integers(0, 20), copies=st.booleans())
@settings(deadline=None, max_examples=40)
def test_accuracy_is_balanced_accuracy_and_recall_stays_in_every_replicate(pairs, seed, copies):
    labels, decided = np.array(pairs).T
    rng = np.random.default_rng(seed)
    groups = [f"g{k}" for k in rng.integers(0, max(2, len(labels) // 2), len(labels))]
    weights = rng.integers(1, 5, len(labels)) if copies else None
    raw = images(labels, decided, groups=groups, weights=weights, seed=seed)
    before, after = values(raw), values(balanced_images(raw))
    np.testing.assert_allclose(after["accuracy", None], before["balanced_accuracy", None])
    np.testing.assert_allclose(after["balanced_accuracy", None], before["balanced_accuracy", None])
    for index in range(3):
        np.testing.assert_allclose(after["recall", index], before["recall", index])


def test_every_metric_is_what_repeating_to_equal_classes_gives():
    """2, 4 and 4 images: copies of 2, 1 and 1 balance them; ranking metrics included."""
    copies = np.array([2, 1, 1])[BY_HAND.labels]
    repeated = dataclasses.replace(BY_HAND, weights=copies.astype(float))
    weighted, even = values(repeated), values(balanced_images(BY_HAND))
    for item in requests(CLASSES):
        wanted = pytest.approx(weighted[item][0], abs=1e-12, nan_ok=True)
        assert even[item][0] == wanted, item


def test_ranking_metrics_in_windows_equal_those_of_the_whole():
    rng = np.random.default_rng(3)
    labels = rng.choice(3, 80, p=[0.1, 0.2, 0.7])
    even = balanced_images(images(labels, rng.integers(0, 3, 80)))
    whole = ReplicateSet(
        even.labels, even.probabilities, even.groups, replicates=60, seed=1, balanced=True
    )
    metric = registry.metrics.get("auroc")
    parts = [metric.compute(whole.window(range(a, b)), 0) for a, b in ((0, 26), (26, 61))]
    np.testing.assert_array_equal(np.concatenate(parts), metric.compute(whole, 0))


def test_weighting_makes_no_interval_tighter():
    """Copies weigh; they are no images: n stays and the effective number can only fall."""
    labels = np.repeat([0, 1, 2], [6, 14, 40])
    decided = labels.copy()
    decided[::5] = 2
    raw = images(labels, decided)
    universe = np.unique(raw.groups)

    def most(of, metric, index=None):
        return group_sums(of, hits(metric, of, index), universe).most

    assert most(raw, "accuracy") == float("inf")
    even = balanced_images(raw)
    weight = 60 / (3 * np.array([6, 14, 40]))[labels]
    assert most(even, "accuracy") == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    assert most(even, "accuracy") < 60
    assert most(even, "recall", 0) == float("inf")  # one class: all weigh the same
    copied = dataclasses.replace(raw, weights=np.array([7.0, 3.0, 1.0])[labels])
    assert most(copied, "accuracy") < 60
    assert kish(np.ones(60)) == 60


def outcome_of(frame_, balanced=()):
    row = Row(
        name="a", kind="fit", model="m", input="image", technique="none", split="s",
        label_space="custom", classes=("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"),
    )  # fmt: skip
    cell = Cell(row="a", fold=0, seed=0, fit="f")
    return score_rows(
        [row],
        {cell.name: predictions(frame_)},
        [cell],
        resamples=Resamples(replicates=200),
        balanced=balanced,
    )


def test_the_scorecard_has_both_passes_of_the_same_predictions():
    table = frame(120)
    plain, first = outcome_of(table)
    dataset = plain[0].dataset
    both, confusions = outcome_of(table, {("a", dataset, "none")})
    assert [s for s in both if s.condition == "none"] == list(plain)
    assert confusions == first  # decisions are the same: no second matrix
    again = {(s.metric, s.class_, s.seed): s for s in both if s.condition == "class-balanced"}
    assert len(again) == len(plain)
    for score in plain:
        other = again[score.metric, score.class_, score.seed]
        assert (other.n, other.n_positive) == (score.n, score.n_positive)
        if score.metric in ("recall", "balanced_accuracy") and score.value is not None:
            assert other.value == pytest.approx(score.value)
            assert (other.low is None) == (score.low is None)
            if score.low is not None:
                assert (other.low, other.high) == pytest.approx((score.low, score.high))


def test_confusion_counts_copies_as_scores_do():
    table = frame(60)
    table["weight"] = np.where(table["label"] == "mel", 3.0, 1.0)
    scores, (confusion,) = outcome_of(table)
    counts = np.array(confusion.counts)
    accuracy = next(s for s in scores if s.metric == "accuracy" and s.seed == 0)
    assert counts.sum() == table["weight"].sum()
    assert counts.trace() / counts.sum() == pytest.approx(accuracy.value)
    assert accuracy.n == table["image_id"].nunique()


def test_places_of_a_plan():
    from skinbench.records import DerivedCell, Plan

    cells = [Cell(row=name, fold=0, seed=0, fit=name) for name in ("a", "b", "c")]
    derived = [
        DerivedCell(
            cell=Cell(row=name, fold=0, seed=0, fit=None),
            kind="mean_probability",
            options={},
            members=members,
        )
        for name, members in (("ab", ("a@0.0", "b@0.0")), ("abc", ("ab@0.0", "c@0.0")))
    ]
    plan = Plan(
        suite="s",
        rows=(),
        cells=tuple(cells),
        derived=tuple(derived),
        fits={},
        evaluations=tuple(
            Evaluation(
                cell=cell.name, dataset="d", split="s", condition="none", balanced=cell.row != "c"
            )
            for cell in cells
        ),
        nodes=(),
    )
    assert balanced_places(plan) == {(row, "d", "none") for row in ("a", "b", "ab")}
    assert balanced_name("none") == "class-balanced"
    assert balanced_name("blur@3") == "blur@3, class-balanced"


def test_what_is_undefined_stays_so_under_fractional_weights():
    """All images decided for one class: nothing of 1e-17 stands where nothing is."""
    n = 90
    labels = np.arange(n) % 3
    one = dataclasses.replace(
        BY_HAND,
        image_ids=np.array([f"i{k}" for k in range(n)], dtype=object),
        groups=np.array([f"g{k}" for k in range(n)], dtype=object),
        folds=np.zeros(n, dtype=np.int64),
        labels=labels,
        decisions=np.full(n, 2),
        probabilities=np.tile([0.1, 0.2, 0.7], (n, 1)),
        weights=np.where(labels == 0, 0.1, 0.3) * (1 + labels / 7),
    )
    found = values(balanced_images(one))
    undefined = [("negative_predictive_value", 2), ("matthews", None), ("precision", 0)]
    assert all(np.isnan(found[item][0]) for item in undefined)
    assert found["cohen_kappa", None][0] == pytest.approx(0, abs=1e-9)
    assert found["specificity", 2][0] == 0
