from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from skinbench.records.resampling import Resamples
from skinbench.score.evaluate import left_out_values, replicate_values
from skinbench.score.images import pool
from skinbench.score.intervals import (
    Basis,
    Method,
    bca,
    chosen_interval,
    clopper_pearson,
    interval,
    logit_auc,
    percentile,
    wilson,
)
from skinbench.score.paired_tests import placements
from skinbench.score.proportions import GroupSums, effective_n, group_sums, hits
from skinbench.score.scorecard import score_rows
from tests.score.drawn import cell, decided, frame, predictions, row, table
from tests.score.test_metrics import drawn


def sums(hit, images):
    return GroupSums(hits=np.array(hit, float), images=np.array(images, float))


def test_wilson_by_hand():
    # Newcombe 1998, table I: 81 of 263 and 15 of 148, method 3
    assert wilson(81 / 263, 263, 0.95) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15 / 148, 148, 0.95) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0.0, 20, 0.95) == pytest.approx((0, 0.1611), abs=5e-5)
    assert wilson(1 / 29, 29, 0.95) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert wilson(1.0, 20, 0.95)[1] == 1.0


def test_percentile_leaves_the_data_itself_out():
    values = np.array([100.0, *np.arange(1001.0)])
    found = percentile(values, 0.95)
    assert (found.low, found.high) == pytest.approx((25, 975))


def test_percentile_says_when_it_is_often_undefined():
    values = np.linspace(0, 1, 101)
    values[1:6] = np.nan
    assert percentile(values, 0.95).low == pytest.approx(0.07, abs=0.02)
    values[6] = np.nan
    found = percentile(values, 0.95)
    assert found.low is None
    assert "undefined in 6% of the bootstrap resamples" in found.reason
    assert "no bootstrap" in percentile(values[:1], 0.95).reason
    assert "same value" in percentile(np.ones(101), 0.95).reason


def test_effective_n_is_n_for_single_images_and_groups_for_copies():
    share, n = effective_n([sums([1, 0, 1, 1], [1, 1, 1, 1])])
    assert (share, n) == (0.75, pytest.approx(4))
    share, n = effective_n([sums([2, 0, 2, 2], [2, 2, 2, 2])])
    assert (share, n) == (0.75, pytest.approx(4))
    # by hand: p = 4/7, variance = sum (S_g - p n_g)^2 / 49 = (6/7)^2 + (9/7)^2 + (3/7)^2 over 49
    share, n = effective_n([sums([2, 1, 1], [2, 4, 1])])
    variance = ((6 / 7) ** 2 + (9 / 7) ** 2 + (3 / 7) ** 2) / 49
    assert (share, n) == (pytest.approx(4 / 7), pytest.approx((4 / 7) * (3 / 7) / variance))


def test_effective_n_never_exceeds_the_images():
    # both lesions have one hit of two: the sums vary less than independent images would
    assert effective_n([sums([1, 1, 1, 2], [2, 2, 2, 2])])[1] <= 8


def test_all_right_counts_a_lesion_once():
    assert effective_n([sums([3, 2, 1], [3, 2, 1])]) == (1.0, pytest.approx(36 / 14))
    assert effective_n([sums([0, 0], [3, 3])]) == (0.0, pytest.approx(2))


def test_without_images_there_is_nothing():
    share, n = effective_n([sums([], [])])
    assert np.isnan(share)
    assert n == 0
    assert np.isnan(effective_n([])[0])


def test_seeds_are_averaged_by_lesion():
    first, second = sums([1, 0, 1, 0], [1, 1, 1, 1]), sums([0, 1, 0, 1], [1, 1, 1, 1])
    share, n = effective_n([first, second])
    assert share == 0.5
    assert n == 4  # no variance between lesions is left; the images are the limit


def test_the_rule_by_number_of_groups():
    values = np.array([0.8, *np.linspace(0.7, 0.9, 200)])
    part = [sums([1] * 8 + [0] * 2, [1] * 10)]
    none = interval(values, 0.95, n_groups=9, share=part)
    assert none.low is None
    assert "9 lesion groups, at least 10 are needed" in none.reason
    few = interval(values, 0.95, n_groups=10, share=part)
    assert (few.low, few.high) == pytest.approx(wilson(0.8, 10, 0.95, freedom=9))
    assert few.name == "Wilson"
    enough = [sums([1] * 30 + [0] * 20, [1] * 50)]
    fewer = interval(values, 0.95, n_groups=49, share=enough)
    assert fewer.name == "Wilson"
    many = interval(values, 0.95, n_groups=50, share=enough)
    assert (many.low, many.high) == pytest.approx(tuple(np.quantile(values[1:], [0.025, 0.975])))
    other = interval(values, 0.95, n_groups=20)
    assert (other.low, other.high, other.name) == (many.low, many.high, "")


@pytest.mark.parametrize(("wrong", "name"), [(0, "Wilson"), (19, "Wilson"), (20, "")])
def test_few_lesions_with_a_mistake_get_wilson_however_many_there_are(wrong, name):
    hit = [1] * (300 - wrong) + [0] * wrong
    values = np.array([np.mean(hit), *np.linspace(0.9, 0.99, 200)])
    found = interval(values, 0.95, n_groups=300, share=[sums(hit, [1] * 300)])
    assert found.name == name
    if name:
        expected = wilson(np.mean(hit), 300, 0.95, freedom=299)
        assert (found.low, found.high) == pytest.approx(expected, rel=1e-6)


def test_wilson_with_students_t_is_wider_and_its_limit_is_wilson():
    assert wilson(0.7, 30, 0.95, freedom=8)[0] < wilson(0.7, 30, 0.95)[0]
    assert wilson(0.7, 30, 0.95, freedom=1e9) == pytest.approx(wilson(0.7, 30, 0.95), rel=1e-6)


def test_exact_binomial_only_with_one_image_a_lesion():
    hit = [1] * 17 + [0] * 6
    values = np.array([17 / 23, *np.linspace(0.5, 0.9, 100)])
    exact = Method(small="exact")

    def found(images):
        basis = Basis(n_groups=23, share=[sums(np.multiply(hit, images), images)])
        return chosen_interval(values, 0.95, basis, exact)

    oracle = stats.binomtest(17, 23).proportion_ci(0.95, method="exact")
    single = found([1] * 23)
    assert (single.low, single.high, single.name) == (
        pytest.approx(oracle.low), pytest.approx(oracle.high), "exact binomial",
    )  # fmt: skip
    assert found([2] + [1] * 22).name == "Wilson"
    assert clopper_pearson(0, 20, 0.95) == pytest.approx((0, 0.1684), abs=5e-5)
    assert clopper_pearson(20, 20, 0.95) == pytest.approx((0.8316, 1), abs=5e-5)


def test_bca_is_scipys():
    generator = np.random.default_rng(3)
    data = generator.exponential(size=40)
    made = stats.bootstrap((data,), np.mean, method="BCa", n_resamples=999, rng=generator)
    values = np.concatenate([[data.mean()], made.bootstrap_distribution])
    left_out = np.array([np.delete(data, i).mean() for i in range(40)])
    found = bca(values, left_out, 0.95)
    expected = made.confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert found.name == "BCa"
    plain = percentile(values, 0.95)
    assert found.low > plain.low  # skewed to the right
    assert found.high > plain.high


def test_bca_says_when_it_is_degenerate():
    left_out = np.linspace(0, 1, 30)
    above = np.concatenate([[0.0], np.linspace(0.1, 1, 100)])
    assert "all resamples on one side" in bca(above, left_out, 0.95).reason
    usual = np.concatenate([[0.5], np.linspace(0, 1, 100)])
    assert "no single lesion" in bca(usual, np.full(30, 0.5), 0.95).reason
    without = np.where(left_out < 0.1, np.nan, left_out)
    assert "undefined without some lesion" in bca(usual, without, 0.95).reason
    assert "same value" in bca(np.ones(101), left_out, 0.95).reason
    for one in (bca(above, left_out, 0.95), bca(np.ones(101), left_out, 0.95)):
        assert one.low is None


def test_leaving_a_lesion_out_is_scoring_without_it():
    labels, probabilities, _, lesions = drawn(n=60)
    classes = ("a", "b", "c", "d")
    data = table(labels, probabilities, lesions, classes)
    images = pool(classes, [predictions(data, classes)])["ham", "none"]
    asked = [("accuracy", None), ("auroc", 1), ("balanced_accuracy", None)]
    found = left_out_values(images, asked)
    for place, group in enumerate(np.unique(images.groups)):
        rest = replicate_values(images.subset(images.groups != group), asked, replicates=0, seed=0)
        for item in asked:
            assert found[item][place] == pytest.approx(rest[item][0], rel=1e-12, nan_ok=True)


def test_balanced_accuracy_with_a_small_class():
    # By hand: shares 9/10 and 1/2 of 10 and 40 lesions; 1/2 hit and 1/2 miss is added to each.
    parts = [[sums([1] * 9 + [0], [1] * 10)], [sums([1] * 20 + [0] * 20, [1] * 40)]]
    values = np.array([0.7, *np.linspace(0.6, 0.8, 100)])
    found = chosen_interval(values, 0.95, Basis(n_groups=50, classes=parts))
    shares = np.array([9.5 / 11, 0.5])
    own = shares * (1 - shares) / np.array([11, 41]) / 4
    freedom = own.sum() ** 2 / (own**2 / np.array([9, 39])).sum()
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(own.sum())
    assert (found.low, found.high) == pytest.approx((shares.mean() - reach, shares.mean() + reach))
    assert found.name == "adjusted Wald"
    large = [[sums([1] * 30 + [0] * 30, [1] * 60)]] * 2
    assert chosen_interval(values, 0.95, Basis(n_groups=120, classes=large)).name == ""


def test_auroc_of_few_lesions_is_on_the_logit_scale():
    data = frame(300, skill=2.0)
    scores, _ = score_rows([row()], {cell().name: predictions(data)}, [cell()],
                           metrics=["auroc"], resamples=Resamples(replicates=200))  # fmt: skip
    found = next(s for s in scores if s.class_ == "mel" and s.seed is None)
    classes = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    images = pool(classes, [predictions(data)])["ham", "none"]
    ranked = placements([images], 4, np.unique(images.groups))
    lesions = images.count_groups(images.labels == 4)
    # half a lesion at 0.5 beside the others
    centre = (lesions * ranked.auc + 0.25) / (lesions + 0.5)
    spread = (lesions**2 * ranked.variance + 0.5 * (0.5 - centre) ** 2) / (lesions + 0.5) ** 2
    error = np.sqrt(spread) / (centre * (1 - centre))
    reach = stats.t.ppf(0.975, lesions - 1) * error
    middle = np.log(centre / (1 - centre))
    expected = 1 / (1 + np.exp(-(middle + np.array([-reach, reach]))))
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.interval == "logit"
    assert found.n_groups == lesions
    perfect = placements([replace(images, probabilities=np.eye(7)[images.labels])], 4,
                         np.unique(images.groups))  # fmt: skip
    low, high = logit_auc(perfect, 0.95)
    assert high == 1  # of the data itself, never left out
    assert 0.05 ** (1 / lesions) - 0.1 < low < 0.05 ** (1 / lesions)  # beside the rule of three


def test_a_lost_class_is_no_resample_of_a_mean_over_classes():
    # Three lesions of df among 200: 5 % of the resamples have none.
    labels = [0] * 3 + [1] * 100 + [2] * 100
    data = decided(labels, labels, classes=("df", "mel", "nv"))
    images = pool(("df", "mel", "nv"), [predictions(data, ("df", "mel", "nv"))])["ham", "none"]
    asked = [("balanced_accuracy", None), ("macro_f1", None), ("accuracy", None)]
    found = replicate_values(images, asked, replicates=1000, seed=0)
    lost = np.isnan(found["macro_f1", None]).mean()
    assert lost == pytest.approx((1 - 3 / 203) ** 203, abs=0.02)
    assert not np.isnan(found["balanced_accuracy", None]).any()  # resampled within each class
    assert not np.isnan(found["accuracy", None]).any()


def test_an_undefined_value_has_no_interval():
    assert interval(np.full(101, np.nan), 0.95, n_groups=100).low is None


def test_hits_by_lesion_by_hand():
    data = decided([0, 0, 1, 1, 1], [0, 1, 1, 1, 0], [1, 1, 1, 2, 2], ("x", "y"))
    images = pool(("x", "y"), [predictions(data, ("x", "y"))])["ham", "none"]
    universe = np.unique(images.groups)
    expected = {
        ("recall", 1): ([1, 1], [1, 2]),
        ("specificity", 1): ([1, 0], [2, 0]),
        ("precision", 1): ([1, 1], [2, 1]),
        ("accuracy", None): ([2, 1], [3, 2]),
    }
    for (metric, index), (hit, total) in expected.items():
        share = hits(metric, images, index)
        assert share is not None
        found = group_sums(images, share, universe)
        np.testing.assert_array_equal(found.hits, hit)
        np.testing.assert_array_equal(found.images, total)
    assert hits("auroc", images, 1) is None
    assert hits("recall", images, None) is None
