"""Paired tests against their definitions, published figures and other programs."""

import itertools
import math
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skinbench.score import paired_tests
from skinbench.score.images import pool
from skinbench.score.paired_tests import (
    auc_test,
    bootstrap_test,
    holm,
    placements,
    sign_flip_p,
)
from tests.score.drawn import frame, predictions, table

BINARY = ("poor", "good")


def images_of(labels, scores, groups=None, classes=BINARY, folds=None):
    data = table(
        np.asarray(labels), np.column_stack([1 - scores, scores]),
        range(len(labels)) if groups is None else groups, classes,
    )  # fmt: skip
    if folds is not None:
        data = data.assign(fold=np.asarray(folds, np.int32))
    return pool(classes, [predictions(data, classes)])["ham", "none"]


def test_sign_flips_are_all_counted():
    generator = np.random.default_rng(0)
    for _ in range(20):
        sums = generator.integers(-3, 4, size=9)
        flips = np.array(list(itertools.product([-1, 1], repeat=9)))
        every = np.abs((flips * np.abs(sums)).sum(axis=1))
        expected = (every >= abs(sums.sum())).mean()
        assert sign_flip_p(sums) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("only_left", "only_right"), [(0, 0), (1, 0), (6, 16), (12, 12), (40, 90)])
def test_single_images_give_exact_mcnemar(only_left, only_right):
    mcnemar = pytest.importorskip("statsmodels.stats.contingency_tables").mcnemar
    sums = np.array([1] * only_left + [-1] * only_right + [0] * 30)
    found = mcnemar([[30, only_left], [only_right, 7]], exact=True)
    assert sign_flip_p(sums) == pytest.approx(float(found.pvalue), rel=1e-9)


def test_published_mcnemar():
    # Fagerland, Lydersen and Laake 2013 (BMC Med Res Methodol 13:91), table 1: 1 against 7
    # discordant pairs, exact conditional p = 0.0703.
    assert sign_flip_p([1] + [-1] * 7) == pytest.approx(0.0703, abs=5e-5)


def test_lesions_not_images_are_the_evidence():
    alone = sign_flip_p([1] * 12 + [-1] * 2)
    in_lesions = sign_flip_p([3] * 4 + [-2])  # the same images in five lesions
    assert alone < 0.02
    assert in_lesions > 0.1


def test_drawn_flips_and_the_normal_limit_agree_with_counted_ones(monkeypatch):
    sums = np.array([2, 1, 1, 1, -1, 3, 1, 1, -2, 1, 1, 2])
    exact = sign_flip_p(sums)
    assert sign_flip_p(sums * 0.5) == pytest.approx(exact, abs=0.01)
    many = np.random.default_rng(1).choice([-1, 1, 2], size=900)
    counted = sign_flip_p(many)
    monkeypatch.setattr(paired_tests, "MOST_SUMS", 100)
    assert sign_flip_p(many) == pytest.approx(counted, rel=0.1)


def drawn_scores(n=150, seed=3):
    generator = np.random.default_rng(seed)
    labels = (generator.random(n) < 0.35).astype(int)
    scores = np.round(generator.random((2, n)) * 0.6 + 0.25 * labels, 2)  # ties
    return labels, np.clip(scores, 0, 1)


def delong_by_definition(labels, scores):
    """DeLong 1988 written out: one kernel for every pair of images."""
    positive, negative = scores[:, labels == 1], scores[:, labels == 0]
    wins = positive[:, :, None] - negative[:, None, :]
    kernel = (wins > 0) + 0.5 * (wins == 0)
    ten, one = np.cov(kernel.mean(axis=2)), np.cov(kernel.mean(axis=1))
    return kernel.mean(axis=(1, 2)), ten / positive.shape[1] + one / negative.shape[1]


def test_one_image_a_lesion_is_delong():
    labels, scores = drawn_scores()
    aucs, covariance = delong_by_definition(labels, scores)
    universe = np.unique(images_of(labels, scores[0]).groups)
    left, right = (placements([images_of(labels, s)], 1, universe) for s in scores)
    assert (left.auc, right.auc) == pytest.approx(tuple(aucs), abs=1e-6)  # float32 probabilities
    assert left.variance == pytest.approx(covariance[0, 0], rel=1e-6)
    contrast = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    expected = 2 * stats.norm.sf(abs(aucs[0] - aucs[1]) / math.sqrt(contrast))
    found = auc_test(left, right)
    assert found.p == pytest.approx(expected, rel=1e-6)
    assert found.name == "DeLong"


def obuchowski_by_definition(labels, scores, groups):
    """Obuchowski 1997, equations 4 to 7, with loops."""
    positive, negative = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)

    def kernel(i, j):
        return 1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0

    ten = {i: np.mean([kernel(i, j) for j in negative]) for i in positive}
    one = {j: np.mean([kernel(i, j) for i in positive]) for j in negative}
    auc, m, n = np.mean(list(ten.values())), len(positive), len(negative)
    ids = list(dict.fromkeys(groups))
    first = [sum(ten[i] - auc for i in positive if groups[i] == g) for g in ids]
    second = [sum(one[j] - auc for j in negative if groups[j] == g) for g in ids]
    with_first = sum(any(groups[i] == g for i in positive) for g in ids)
    with_second = sum(any(groups[j] == g for j in negative) for g in ids)
    s10 = with_first / ((with_first - 1) * m) * np.sum(np.square(first))
    s01 = with_second / ((with_second - 1) * n) * np.sum(np.square(second))
    s11 = len(ids) / (len(ids) - 1) * np.sum(np.multiply(first, second))
    return s10 / m + s01 / n + 2 * s11 / (m * n)


def test_clusters_with_both_labels_are_obuchowskis():
    labels, scores = drawn_scores(80)
    groups = np.random.default_rng(5).integers(0, 30, size=80)
    images = images_of(labels, scores[0], groups)
    found = placements([images], 1, np.unique(images.groups))
    names = [f"l0_{group:05d}" for group in groups]
    expected = obuchowski_by_definition(labels, images.probabilities[:, 1], names)
    assert found.variance == pytest.approx(expected, rel=1e-9)
    assert auc_test(found, found).name.startswith("Obuchowski")


def test_repeating_every_image_changes_no_auc_test():
    labels, scores = drawn_scores(60)
    once = images_of(labels, scores[0])
    twice = images_of(np.tile(labels, 2), np.tile(scores[0], 2), list(range(60)) * 2)
    universe = np.unique(once.groups)
    left, right = placements([once], 1, universe), placements([twice], 1, universe)
    assert right.auc == pytest.approx(left.auc, rel=1e-12)
    assert right.variance == pytest.approx(left.variance, rel=1e-9)


def test_folds_are_ranked_apart():
    labels, scores = drawn_scores(120)
    folds = np.repeat([0, 1], 60)
    shifted = np.where(folds == 0, scores[0] * 0.1, scores[0])  # scales that do not compare
    plain, moved = (images_of(labels, s, folds=folds) for s in (scores[0], shifted))
    universe = np.unique(plain.groups)
    left, right = placements([plain], 1, universe), placements([moved], 1, universe)
    assert right.auc == pytest.approx(left.auc, abs=1e-6)
    assert right.variance == pytest.approx(left.variance, rel=1e-4)
    halves = [placements([images_of(labels[h], scores[0][h])], 1, universe) for h in
              (slice(0, 60), slice(60, 120))]  # fmt: skip
    assert left.auc == pytest.approx(np.mean([half.auc for half in halves]))
    one_class = images_of(np.where(folds == 0, 0, labels), scores[0], folds=folds)
    assert auc_test(placements([one_class], 1, universe), left).p is None


PROC = """
suppressMessages(library(pROC)); data(aSAH)
write.csv(aSAH[, c("outcome", "s100b", "wfns", "ndka")], "{path}", row.names = FALSE)
"""
PROC_AUCS = {
    "s100b": (0.73136856368563685, 0.0026686824571724378),
    "wfns": (0.82367886178861793, 0.0014699147088236264),
    "ndka": (0.61195799457994582, 0.0031908105493913021),
}
PROC_P = {"wfns": 0.02717578222918815, "ndka": 0.16429517522305448}
"""pROC 1.18 under R 4.2 on its example aSAH: AUC and variance by DeLong, p against s100b."""


def asah(tmp_path):
    """The data is under GPL and is not kept here: R makes it."""
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript with pROC is not installed")
    path = tmp_path / "asah.csv"
    made = subprocess.run(["Rscript", "-e", PROC.format(path=path)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"pROC is not installed: {made.stderr.strip()[:100]}")
    return pd.read_csv(path)


def test_equal_to_proc(tmp_path):
    data = asah(tmp_path)
    labels = (data["outcome"] == "Poor").to_numpy(int)
    found = {}
    for name in PROC_AUCS:
        ranks = stats.rankdata(data[name], method="dense")  # ranks keep order and ties exactly
        images = images_of(labels, ranks / 1024)
        found[name] = placements([images], 1, np.unique(images.groups))
    for name, (auc, variance) in PROC_AUCS.items():
        assert found[name].auc == pytest.approx(auc, abs=1e-9)
        assert found[name].variance == pytest.approx(variance, rel=1e-9)
    for name, p in PROC_P.items():
        assert auc_test(found["s100b"], found[name]).p == pytest.approx(p, rel=1e-9)


def test_procs_figures_hang_together():
    # Z from AUCs, variances and covariances as pROC prints them, without its data.
    covariances = {"wfns": 0.0011961556737675448, "ndka": -0.00075616493805657884}
    for name, covariance in covariances.items():
        (auc, variance), (other, its) = PROC_AUCS["s100b"], PROC_AUCS[name]
        z = (auc - other) / math.sqrt(variance + its - 2 * covariance)
        assert 2 * stats.norm.sf(abs(z)) == pytest.approx(PROC_P[name], rel=1e-9)


def test_bootstrap_test_is_the_normal_of_its_spread():
    generator = np.random.default_rng(0)
    values = np.concatenate([[0.3], 0.3 + 0.1 * generator.standard_normal(20_000)])
    assert bootstrap_test(values).p == pytest.approx(2 * stats.norm.sf(3), rel=0.1)
    assert bootstrap_test(values, paired=False).name == "unpaired bootstrap"
    assert bootstrap_test(np.zeros(50)).p == 1.0
    fixed = bootstrap_test(np.full(50, 0.2))
    assert fixed.p is None
    assert "same value" in fixed.reason
    assert bootstrap_test(np.array([np.nan, 0.1, 0.2])).p is None


def test_holm_by_hand_and_as_statsmodels():
    # Holm 1979: 0.01 * 4, 0.013 * 3, 0.014 * 2, 0.19 * 1, never below the one before.
    found = holm([0.013, None, 0.01, 0.19, 0.014])
    assert found == pytest.approx([0.04, None, 0.04, 0.19, 0.04])
    multipletests = pytest.importorskip("statsmodels.stats.multitest").multipletests
    p = np.random.default_rng(2).random(30) ** 3
    assert holm(list(p)) == pytest.approx(list(multipletests(p, method="holm")[1]))


def test_level_of_the_tests_on_clustered_lesions():
    """Both models equally good, lesions of one to five images: each test rejects about 5 %."""
    generator = np.random.default_rng(11)
    sizes = generator.choice([1, 2, 3, 5], p=[0.4, 0.4, 0.15, 0.05], size=120)
    groups = np.repeat(np.arange(120), sizes)
    universe = np.array([f"l0_{group:05d}" for group in range(120)], dtype=object)
    rejected = np.zeros(3)
    labels = (np.arange(120) < 60).astype(int)[groups]
    trials = 200
    for _ in range(trials):
        lesion = generator.standard_normal((2, 120))[:, groups]
        noise = generator.standard_normal((2, len(groups)))
        scores = stats.norm.cdf(labels + 0.95 * lesion + 0.3 * noise)
        left, right = (placements([images_of(labels, s, groups)], 1, universe) for s in scores)
        hit = (scores > 0.6).astype(int)
        difference = (hit[0] - hit[1])[labels == 1]
        sums = np.bincount(groups[labels == 1], difference)
        image_level = sign_flip_p(difference)
        rejected += [auc_test(left, right).p < 0.05, sign_flip_p(sums) < 0.05, image_level < 0.05]
    shares = rejected / trials
    assert 0.01 < shares[0] < 0.1
    assert 0.005 < shares[1] < 0.09
    assert shares[2] > 0.1  # what ignoring lesions does


def test_more_classes_and_seeds():
    made = [frame(300, seed=seed) for seed in (1, 2)]
    classes = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    both = [pool(classes, [predictions(part)])["ham", "none"] for part in made]
    universe = np.unique(both[0].groups)
    single = [placements([images], 4, universe) for images in both]
    joint = placements(both, 4, universe)
    assert joint.auc == pytest.approx(np.mean([part.auc for part in single]))
    np.testing.assert_allclose(
        joint.positives, np.mean([part.positives for part in single], axis=0)
    )
