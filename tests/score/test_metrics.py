"""Every metric: equal to scikit-learn where it has it, and the invariances that all share."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.score.evaluate import request, requests
from skinbench.score.replicates import ReplicateSet
from tests.score import oracles

N_CLASSES = 4
CODES = oracles.CODES


def drawn(seed=0, n=300, ties=False, absent=None):
    generator = np.random.default_rng(seed)
    labels = generator.choice(N_CLASSES, size=n, p=[0.1, 0.2, 0.3, 0.4])
    if absent is not None:
        labels[labels == absent] = (absent + 1) % N_CLASSES
    logits = generator.normal(size=(n, N_CLASSES)) * 1.5
    logits[np.arange(n), labels] += 1
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if ties:
        probabilities = np.round(probabilities * 5) + 0.25
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    weights = generator.integers(1, 5, size=n)
    lesions = generator.integers(0, n // 2, size=n)
    return labels, probabilities.astype(np.float32).astype(np.float64), weights, lesions


def value(name, labels, probabilities, index, weights=None, groups=None, **options):
    groups = np.arange(len(labels)) if groups is None else groups
    replicates = ReplicateSet(
        labels, probabilities, groups, replicates=0, seed=0, weights=weights, classes=CODES,
        **options,
    )  # fmt: skip
    return registry.metrics.get(name).compute(replicates, index)[0]


def binary(function, **options):
    def compute(labels, probabilities, weights, index):
        decided = probabilities.argmax(axis=1) == index
        return function(labels == index, decided, sample_weight=weights, **options)

    return compute


def decided(function, **options):
    def compute(labels, probabilities, weights, index):
        return function(labels, probabilities.argmax(axis=1), sample_weight=weights, **options)

    return compute


def scored(function):
    def compute(labels, probabilities, weights, index):
        return function(labels == index, probabilities[:, index], sample_weight=weights)

    return compute


def macro_auroc(labels, probabilities, weights, _):
    values = [
        sk.roc_auc_score(labels == index, probabilities[:, index], sample_weight=weights)
        for index in range(N_CLASSES)
        if (labels == index).any()
    ]
    return np.mean(values)


def macro_specificity(labels, probabilities, weights, _):
    decisions = probabilities.argmax(axis=1)
    values = [
        sk.recall_score(labels != index, decisions != index, sample_weight=weights)
        for index in range(N_CLASSES)
        if (labels == index).any()
    ]
    return np.mean(values)


def brier(labels, probabilities, weights, _):
    truth = np.eye(N_CLASSES)[labels]
    return np.average(((probabilities - truth) ** 2).sum(axis=1), weights=weights)


def log_loss(labels, probabilities, weights, _):
    # scikit-learn wants rows that sum to 1 in double precision, and takes float32's clip from it
    return sk.log_loss(
        labels,
        probabilities.astype(np.float32),
        sample_weight=weights,
        labels=list(range(N_CLASSES)),
    )


ORACLES = {
    "accuracy": decided(sk.accuracy_score),
    "balanced_accuracy": decided(sk.balanced_accuracy_score),
    "macro_f1": decided(sk.f1_score, average="macro"),
    "weighted_f1": decided(sk.f1_score, average="weighted"),
    "macro_precision": decided(sk.precision_score, average="macro", zero_division=0),
    "weighted_precision": decided(sk.precision_score, average="weighted", zero_division=0),
    "macro_specificity": macro_specificity,
    "precision": binary(sk.precision_score, zero_division=np.nan),
    "recall": binary(sk.recall_score, zero_division=np.nan),
    "specificity": binary(sk.recall_score, pos_label=False, zero_division=np.nan),
    "f1": binary(sk.f1_score, zero_division=np.nan),
    "auroc": scored(sk.roc_auc_score),
    "average_precision": scored(sk.average_precision_score),
    "macro_auroc": macro_auroc,
    "brier": brier,
    "log_loss": log_loss,
    **oracles.ORACLES,
}
NAMES = registry.metrics.names()


APPROXIMATE = {"log_loss": 1e-6, "calibration_slope": 1e-6, "calibration_intercept": 1e-6}
"""The oracle of log loss computes in float32, those of the curve end within a tolerance."""


def indices(name):
    return [index for _, index in requests(CODES, [name])]


def test_every_built_in_metric_has_an_oracle():
    assert set(NAMES) == set(ORACLES)


@pytest.mark.parametrize("name", sorted(ORACLES))
@pytest.mark.parametrize("weighted", [False, True, "fractions"])
@pytest.mark.parametrize("ties", [False, True])
def test_equal_to_scikit_learn(name, weighted, ties):
    for seed in range(3):
        labels, probabilities, weights, _ = drawn(seed, ties=ties)
        used = {False: np.ones(len(labels)), True: weights, "fractions": weights / 3}[weighted]
        for index in indices(name):
            expected = ORACLES[name](labels, probabilities, used, index)
            found = value(name, labels, probabilities, index, used)
            assert found == pytest.approx(expected, abs=APPROXIMATE.get(name, 1e-9))


ABSENT = (
    "balanced_accuracy", "macro_f1", "weighted_f1", "macro_auroc", "macro_precision",
    "weighted_precision", "macro_specificity",
)  # fmt: skip


@pytest.mark.parametrize("name", ABSENT)
def test_an_absent_class_drops_out_as_in_scikit_learn(name):
    labels, probabilities, weights, _ = drawn(absent=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = ORACLES[name](labels, probabilities, weights, None)
    assert value(name, labels, probabilities, None, weights) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["recall", "auroc", "average_precision"])
def test_no_image_of_the_class_is_undefined_not_zero(name):
    labels, probabilities, *_ = drawn(absent=1)
    assert np.isnan(value(name, labels, probabilities, 1))
    assert registry.metrics.get(name).undefined


def test_undefined_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2]])
    assert np.isnan(value("precision", [0, 0], probabilities, 1))
    assert np.isnan(value("f1", [0, 0], probabilities, 1))
    assert np.isnan(value("specificity", [0, 0], probabilities, 0))
    assert np.isnan(value("auroc", [0, 0], probabilities, 0))
    assert np.isnan(value("macro_auroc", [0, 0], probabilities, None))
    assert value("f1", [1, 1], probabilities, 0) == 0  # decided, never true: defined


def test_by_hand():
    labels = [1, 1, 1, 0, 0, 0, 0]
    positive = np.array([0.9, 0.6, 0.2, 0.6, 0.4, 0.1, 0.1])
    probabilities = np.column_stack([1 - positive, positive])
    found = {
        name: value(name, labels, probabilities, 1)
        for name in ("recall", "specificity", "precision", "f1", "auroc", "average_precision")
    }
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["specificity"] == pytest.approx(3 / 4)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["f1"] == pytest.approx(2 / 3)
    # pairs: 0.9 beats 4; 0.6 beats 3 and ties 1; 0.2 beats 2
    assert found["auroc"] == pytest.approx((4 + 3.5 + 2) / 12)
    # thresholds .9: P 1; .6: P 2/3; .2: P 3/5, each with a third of the recall
    assert found["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert value("accuracy", labels, probabilities, None) == pytest.approx(5 / 7)
    assert value("balanced_accuracy", labels, probabilities, None) == pytest.approx(
        (2 / 3 + 3 / 4) / 2
    )
    errors = np.array([0.1, 0.4, 0.8, 0.6, 0.4, 0.1, 0.1])
    assert value("brier", labels, probabilities, None) == pytest.approx(2 * np.mean(errors**2))
    assert value("log_loss", labels, probabilities, None) == pytest.approx(
        -np.mean(np.log(1 - errors))
    )


def test_log_loss_is_clipped_at_float32s_spacing():
    probabilities = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert value("log_loss", [1, 1], probabilities, None) == pytest.approx(23 * np.log(2))


# --- what every metric inherits, also one that is added later ------------------------------


def both(name, **changes):
    labels, probabilities, weights, lesions = drawn(3, ties=True)
    for index in indices(name):
        yield labels, probabilities, weights, lesions, index


def replicated(name, labels, probabilities, lesions, index, replicates=60, weights=None):
    made = ReplicateSet(
        labels, probabilities, lesions, replicates=replicates, seed=4, weights=weights,
        classes=CODES,
    )  # fmt: skip
    return registry.metrics.get(name).compute(made, index)


@pytest.mark.parametrize("name", NAMES)
def test_permuting_rows_changes_nothing(name):
    for labels, probabilities, _, lesions, index in both(name):
        order = np.random.default_rng(1).permutation(len(labels))
        first = replicated(name, labels, probabilities, lesions, index)
        again = replicated(name, labels[order], probabilities[order], lesions[order], index)
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("k", [2, 3, 7])
def test_repeating_rows_under_the_same_lesions_changes_nothing(name, k):
    for labels, probabilities, _, lesions, index in both(name):
        first = replicated(name, labels, probabilities, lesions, index)
        again = replicated(
            name,
            np.repeat(labels, k),
            np.repeat(probabilities, k, axis=0),
            np.repeat(lesions, k),
            index,
        )
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_is_as_many_copies(name):
    for labels, probabilities, weights, lesions, index in both(name):
        first = replicated(name, labels, probabilities, lesions, index, weights=weights)
        again = replicated(
            name,
            np.repeat(labels, weights),
            np.repeat(probabilities, weights, axis=0),
            np.repeat(lesions, weights),
            index,
        )
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", NAMES)
def test_the_scale_of_weights_changes_nothing(name):
    for labels, probabilities, weights, lesions, index in both(name):
        first = replicated(name, labels, probabilities, lesions, index, weights=weights)
        for factor in (5, 0.5):
            again = replicated(
                name, labels, probabilities, lesions, index, weights=weights * factor
            )
            np.testing.assert_array_equal(first, again)
        rough = replicated(name, labels, probabilities, lesions, index, weights=weights * 0.3)
        np.testing.assert_allclose(first, rough, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in NAMES if registry.metrics.get(n).exact])
def test_a_replicate_is_the_metric_of_the_drawn_images(name):
    for labels, probabilities, _, lesions, index in both(name):
        made = ReplicateSet(labels, probabilities, lesions, replicates=5, seed=4, classes=CODES)
        values = registry.metrics.get(name).compute(made, index)
        for number in (0, 2, 5):
            counts = made.weights[number]
            drawn_labels = np.repeat(made.labels, counts)
            drawn_probabilities = np.repeat(made.probabilities, counts, axis=0)
            assert values[number] == pytest.approx(
                value(name, drawn_labels, drawn_probabilities, index), abs=1e-12, nan_ok=True
            )


NEITHER = (
    "calibration_slope", "calibration_intercept", "calibration_error", "top_label_error",
    "positive_likelihood_ratio",
)  # fmt: skip
"""Best in the middle; not moved by what is mixed in here; or without end in a perfect model."""


@pytest.mark.parametrize("name", [n for n in NAMES if n not in NEITHER])
def test_a_better_model_is_on_the_better_side(name):
    labels, probabilities, *_ = drawn(5)
    truth = np.eye(N_CLASSES)[labels]
    better, worse = 0.5 * probabilities + 0.5 * truth, 0.5 * probabilities + 0.125
    perfect = 0.98 * truth + 0.005
    entry = registry.metrics.get(name)
    for index in indices(name):
        low, high, best = (value(name, labels, p, index) for p in (worse, better, perfect))
        if not entry.higher_is_better:
            low, high, best = -low, -high, -best
        assert low <= high <= best


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_set_is_undefined(name):
    for index in indices(name):
        assert np.isnan(value(name, [], np.zeros((0, N_CLASSES)), index))


@pytest.mark.parametrize("name", NAMES)
def test_shape_and_description(name):
    entry = registry.metrics.get(name)
    labels, probabilities, _, lesions = drawn()
    for index in indices(name):
        found = replicated(name, labels, probabilities, lesions, index, replicates=30)
        assert found.shape == (31,)
        assert found.dtype == np.float64
    assert entry.title
    assert entry.undefined
    assert registry.metrics.describe(name)


def test_the_two_partial_areas_are_tied():
    """auc_sens_80 = pauc_80 + 0.8 (1 - FPR at recall 0.8), each by its own program."""
    for seed in range(5):
        labels, probabilities, weights, _ = drawn(seed, ties=seed % 2 == 1)
        for index in range(N_CLASSES):
            asked = (labels, probabilities, weights, index)
            tied = oracles.pauc_80(*asked) + 0.8 * (1 - oracles.fpr_at_80(*asked))
            assert oracles.auc_sens_80(*asked) == pytest.approx(tied, abs=1e-12)
            found = value("auc_sens_80", labels, probabilities, index, weights)
            assert found == pytest.approx(tied, abs=1e-12)


def test_partial_areas_of_the_best_and_the_worst():
    labels = np.array([0, 0, 1, 1, 1])
    best = np.array([[0.9, 0.1]] * 2 + [[0.1, 0.9]] * 3)
    assert value("auc_sens_80", labels, best, 1) == 1
    assert value("pauc_80", labels, best, 1) == pytest.approx(0.2)
    assert value("auc_sens_80", labels, 1 - best, 1) == 0
    assert value("pauc_80", labels, 1 - best, 1) == pytest.approx(0, abs=1e-15)
    even = np.full((5, 2), 0.5)  # the diagonal: a triangle, and a trapezium
    assert value("pauc_80", labels, even, 1) == pytest.approx(0.2 * 0.2 / 2)
    assert value("auc_sens_80", labels, even, 1) == pytest.approx(0.2 * 0.9)


def test_recall_at_a_specificity_that_no_threshold_has():
    labels = np.array([0, 0, 0, 1, 1])
    scores = np.array([0.9, 0.2, 0.1, 0.8, 0.7])
    both_ = np.column_stack([1 - scores, scores])
    assert value("recall_at_specificity_90", labels, both_, 1) == 0
    assert value("specificity_at_recall_90", labels, both_, 1) == pytest.approx(2 / 3)


def test_what_is_called_benign_by_hand():
    decided = [0, 1, 3, 2, 1, 1]  # of mel: mel, nv, bcc, bkl; of bcc: nv; of nv: nv
    probabilities = np.eye(4)[decided]
    labels = [0, 0, 0, 0, 3, 1]
    assert value("called_benign", labels, probabilities, 0) == 0.5
    assert value("melanoma_called_benign", labels, probabilities, 0) == 0.5
    assert value("called_benign", labels, probabilities, 3) == 1
    made = ReplicateSet(
        [0, 1], np.eye(2), ["a", "b"], replicates=0, seed=0, classes=("mel", "rest")
    )
    assert np.isnan(registry.metrics.get("melanoma_called_benign").compute(made, 0)[0])


def test_metrics_about_some_classes():
    assert requests(CODES, ["melanoma_called_benign"]) == [("melanoma_called_benign", 0)]
    assert requests(CODES, ["called_benign"]) == [("called_benign", 0), ("called_benign", 3)]
    assert request("melanoma_called_benign", None, CODES) == ("melanoma_called_benign", 0)
    with pytest.raises(UsageError, match="of which these classes have mel, bcc"):
        request("called_benign", None, CODES)
    with pytest.raises(UsageError, match="have none"):
        request("melanoma_called_benign", "nv", ("nv", "bkl"))


KUMAR = {(0, 0): 0.24866530379712182, (0, 3): 0.17400475041737945, (1, 0): 0.21902426025607455}
"""unbiased_l2_ce of uncertainty-calibration 0.1.4 (MIT), equal bins, on `drawn(seed)`, class."""
KUMAR_TOP = {0: 0.169873211979866, 1: 0.22059133996566138}
"""plugin_ce(power=1) of the top label, the same."""


@pytest.mark.parametrize(("seed", "index"), KUMAR)
def test_debiased_error_of_its_authors_library(seed, index):
    labels, probabilities, *_ = drawn(seed)
    found = value("calibration_error", labels, probabilities, index)
    assert found == pytest.approx(KUMAR[seed, index], abs=1e-12)


@pytest.mark.parametrize("seed", KUMAR_TOP)
def test_top_label_error_of_the_same_library(seed):
    labels, probabilities, *_ = drawn(seed)
    found = value("top_label_error", labels, probabilities, None)
    assert found == pytest.approx(KUMAR_TOP[seed], abs=1e-12)


@pytest.mark.parametrize("name", ["calibration_slope", "calibration_intercept"])
def test_one_step_is_all_but_the_refit(name):
    labels, probabilities, _, lesions = drawn(2, n=900)
    made = ReplicateSet(labels, probabilities, lesions, replicates=40, seed=4, classes=CODES)
    quick = registry.metrics.get(name).compute(made, 2)
    refit = np.array(
        [
            value(name, made.labels, made.probabilities, 2, made.weights[r] + 1e-12)
            for r in range(41)
        ]
    )
    assert quick[0] == pytest.approx(refit[0], abs=1e-9)
    assert np.std(refit[1:]) > 5 * np.abs(quick - refit).max()


def test_calibrated_predictions_have_slope_one_and_no_error():
    generator = np.random.default_rng(0)
    p = generator.uniform(0.02, 0.98, 40_000)
    labels = (generator.random(len(p)) < p).astype(int)
    both_ = np.column_stack([1 - p, p])
    assert value("calibration_slope", labels, both_, 1) == pytest.approx(1, abs=0.03)
    assert value("calibration_intercept", labels, both_, 1) == pytest.approx(0, abs=0.04)
    assert value("calibration_error", labels, both_, 1) < 0.01
    odds = (p / (1 - p)) ** 2 * np.e  # twice too steep, and too high by one
    steep = np.column_stack([1 / (1 + odds), odds / (1 + odds)])
    assert value("calibration_slope", labels, steep, 1) == pytest.approx(0.5, abs=0.02)
    assert value("calibration_intercept", labels, steep, 1) < -0.5
    assert value("calibration_error", labels, steep, 1) > 0.1


def test_slopes_that_do_not_exist():
    labels = np.array([0, 0, 1, 1])
    apart = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9]])
    assert np.isnan(value("calibration_slope", labels, apart, 1))
    assert np.isnan(value("calibration_slope", labels, np.full((4, 2), 0.5), 1))
    assert np.isnan(value("calibration_slope", np.zeros(4, int), apart, 1))
    assert value("calibration_intercept", labels, np.full((4, 2), 0.5), 1) == pytest.approx(0)


def test_a_threshold_rise_never_raises_recall():
    labels, probabilities, *_ = drawn(8, ties=True)
    positive = (labels == 2).astype(int)
    recalls = []
    for threshold in np.linspace(0, 1.01, 60):
        decisions = (probabilities[:, 2] >= threshold).astype(int)
        both_ = np.column_stack([1 - probabilities[:, 2], probabilities[:, 2]])
        recalls.append(value("recall", positive, both_, 1, decisions=decisions))
    assert recalls[0] == 1
    assert recalls[-1] == 0
    assert np.all(np.diff(recalls) <= 0)
