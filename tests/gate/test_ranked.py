"""AUROC and balanced accuracy in the gate: by hand, by other ways, and how often they err."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from skinbench.gate import Check, judge, make_baseline
from skinbench.gate.means import class_pairs, mean_bounds
from skinbench.gate.paired import SeedVariance
from skinbench.gate.ranked import PairedAuc, auc_against_floor, paired_auc, ranked_bounds
from skinbench.score.evaluate import replicate_values
from skinbench.score.images import ScoredImages
from skinbench.score.intervals import percentile
from tests.gate.runs import damage, plain_run, run
from tests.prove import gate_ranked
from tests.score.drawn import frame


def images(seed=0, shift=1.5, n=400, lesion=2, noise=0):
    """Two classes; a lesion's images share half of their score."""
    generator = np.random.default_rng(seed)
    codes = np.repeat(np.arange(n // lesion), lesion)
    labels = (generator.random(n // lesion) < 0.4).astype(np.int64)[codes]
    score = shift * labels + generator.normal(size=n // lesion)[codes] + generator.normal(size=n)
    score = score + noise * np.random.default_rng([seed, 1]).normal(size=n)
    p = special.expit(score - shift / 2)
    both = np.column_stack([1 - p, p])
    return ScoredImages(
        dataset="", condition="none", classes=("nv", "mel"),
        image_ids=np.array([f"i{index:04}" for index in range(n)], dtype=object),
        groups=np.array([f"g{code:04}" for code in codes], dtype=object),
        labels=labels, decisions=both.argmax(axis=1), probabilities=both, weights=np.ones(n),
        folds=np.zeros(n, dtype=np.int64),
    )  # fmt: skip


def delong(first, second):
    """Variance of the difference of two AUROCs, one image a group, as DeLong et al. print it."""
    parts = []
    for one in (first, second):
        score, truth = one.probabilities[:, 1], one.labels == 1
        wins = (score[truth][:, None] > score[~truth][None]).astype(float)
        parts.append((wins.mean(axis=1), wins.mean(axis=0)))
    over = [np.cov([parts[0][side], parts[1][side]]) for side in (0, 1)]
    sizes = (len(parts[0][0]), len(parts[0][1]))
    return sum((c[0, 0] + c[1, 1] - 2 * c[0, 1]) / n for c, n in zip(over, sizes, strict=True))


def test_the_variance_seen_is_delongs_with_one_image_a_lesion():
    first, second = images(lesion=1, noise=1.0), images(lesion=1)
    pair, own = paired_auc([first], [second], 1)
    assert pair.spread == pytest.approx(delong(first, second), rel=1e-9)
    assert float(pair.squared_error(pair.difference)) == pytest.approx(pair.spread, rel=1e-12)
    assert own.auc == pair.candidate < pair.baseline


def test_bounds_are_where_the_score_test_just_rejects():
    pair, _ = paired_auc([images(noise=1.0)], [images()], 1)
    bounds = ranked_bounds(pair, 0.05)
    critical = float(special.stdtrit(pair.groups - 1, 0.95))
    for bound in (bounds.low, bounds.high):
        error = float(np.sqrt(pair.squared_error(bound)))
        assert abs(pair.difference - bound) == pytest.approx(critical * error, rel=1e-6)
    assert bounds.low < bounds.difference < bounds.high
    statistic = pair.difference / float(np.sqrt(pair.squared_error(0.0)))
    assert bounds.p_regressed == pytest.approx(stats.t.cdf(statistic, pair.groups - 1))


def test_bounds_are_near_the_bootstraps_where_those_hold():
    first, second = images(n=1600, noise=1.0), images(n=1600)
    pair, _ = paired_auc([first], [second], 1)
    values = [
        replicate_values(one, [("auroc", 1)], replicates=2000, seed=0)["auroc", 1]
        for one in (first, second)
    ]
    theirs = percentile(values[0] - values[1], 0.9)
    ours = ranked_bounds(pair, 0.05)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.003)


def test_a_lucky_draw_does_not_look_precise():
    pair = PairedAuc(
        candidate=0.975, baseline=0.98, variances=(4e-5, 4e-5), covariance=2e-5, groups=100
    )
    assert float(pair.squared_error(-0.03)) > 1.1 * pair.spread
    assert float(pair.squared_error(pair.difference)) == pair.spread


def test_equal_rankings_and_perfect_ones():
    one = images()
    pair, _ = paired_auc([one], [one], 1)
    bounds = ranked_bounds(pair, 0.05)
    assert (bounds.low, bounds.high, bounds.p_regressed) == (0, 0, 1)
    perfect = replace(one, probabilities=np.column_stack([1.0 - one.labels, one.labels]))
    pair, own = paired_auc([perfect], [one], 1)
    assert np.isfinite(pair.squared_error(np.linspace(-1, 1, 9))).all()
    assert auc_against_floor(own, 0.9, 0.05).low == 1


def test_a_floor_is_held_against_the_logit_interval():
    _, own = paired_auc([images()], [images()], 1)
    edge = auc_against_floor(own, 0.5, 0.05).low
    assert auc_against_floor(own, edge, 0.05).p_regressed == pytest.approx(0.95)
    seeds = SeedVariance(candidate=own.variance, baseline=9.0, seeds=3)
    assert auc_against_floor(own, 0.5, 0.05, seeds).low < edge, "retraining widens it"


def test_seeds_widen_the_bounds():
    pair, _ = paired_auc([images(noise=1.0)], [images()], 1)
    seeds = SeedVariance(candidate=pair.spread, baseline=pair.spread, seeds=3)
    for plain, wide in ((ranked_bounds(pair, 0.05), ranked_bounds(pair, 0.05, seeds)),):
        assert wide.low < plain.low
        assert wide.high > plain.high
    classes = class_pairs([images(noise=1.0)], [images()])
    assert mean_bounds(classes, 0.05, seeds).low < mean_bounds(classes, 0.05).low


def test_the_mean_of_one_class_is_bonett_and_prices_interval():
    # 12 gained and 20 lost of 100 independent images; their adjustment adds 1 of each.
    base = images(lesion=1, n=100)
    truth = replace(base, labels=np.zeros(100, dtype=np.int64))
    before, after = np.zeros(100, dtype=np.int64), np.zeros(100, dtype=np.int64)
    before[:12], after[12:32] = 1, 1
    (item,) = class_pairs([replace(truth, decisions=after)], [replace(truth, decisions=before)])
    assert item.independent == pytest.approx(100)
    found = mean_bounds([item], 0.05)
    gained, lost, n = 13 / 102, 21 / 102, 102
    error = np.sqrt((gained + lost - (gained - lost) ** 2) / n * 100 / 99)
    reach = stats.t.ppf(0.95, 99) * error
    assert found.low == pytest.approx(gained - lost - reach, rel=1e-9)
    assert found.high == pytest.approx(gained - lost + reach, rel=1e-9)
    assert found.difference == pytest.approx(-0.08)


def test_a_class_in_which_nothing_changed_still_counts_its_lesions():
    one = images(n=600)
    bounds = mean_bounds(class_pairs([one], [one]), 0.05)
    assert bounds.low < 0 < bounds.high
    fewer = images(n=120)
    assert mean_bounds(class_pairs([fewer], [fewer]), 0.05).low < bounds.low


@pytest.mark.parametrize(
    "check", [Check(metric="auroc", class_="mel", margin=0.05),
              Check(metric="balanced_accuracy", margin=0.05)], ids=lambda check: check.metric
)  # fmt: skip
def test_copies_of_rows_and_their_order_change_nothing(check):
    def verdict(order=None, weight=1, times=1):
        both = []
        for data in (damage(frame(1600), share=0.6), frame(1600)):
            data = data if order is None else data.iloc[order]
            data = data.assign(weight=np.float32(weight))
            again = [data.assign(image_id=data["image_id"] + f"_{k}") for k in range(times)]
            both.append(run({"grid/a@0.0": pd.concat(again, ignore_index=True)}))
        kept = make_baseline(both[1].scorecard, both[1].predictions, [check])
        return judge(both[0].scorecard, both[0].predictions, kept).checks[0]

    plain = verdict()
    assert plain.outcome == "regressed"
    shuffled = verdict(np.random.default_rng(0).permutation(1600))
    for other in (shuffled, verdict(weight=3), verdict(times=3)):
        found = [getattr(other, name) for name in ("difference", "low", "high", "n_groups")]
        assert found == [getattr(plain, name) for name in ("difference", "low", "high", "n_groups")]


def test_a_floor_of_balanced_accuracy_stands_beside_its_margin():
    item = plain_run()
    checks = [Check(metric="balanced_accuracy", margin=0.05, floor=0.2)]
    other = run({"grid/a@0.0": damage(frame(1600), share=0.1)})
    kept = make_baseline(item.scorecard, item.predictions, checks)
    (found,) = judge(other.scorecard, other.predictions, kept).checks
    assert 0.2 < found.own_low < found.candidate < found.own_high
    assert found.low < found.difference < found.high


@pytest.mark.parametrize(("recall", "correlation"), [(0.8, 0.9), (0.95, 0.9)])
def test_wrong_verdicts_are_as_rare_as_promised(recall, correlation):
    noise = 3 * np.sqrt(0.05 * 0.95 / 250)
    for found in (
        gate_ranked.aurocs(recall, correlation, 0.9, 0.02, 250),
        gate_ranked.balanced(recall, correlation, 0.02, 250),
    ):
        assert found["falsely regressed"] <= 0.06 + noise
        assert found["falsely passed"] <= 0.07 + noise
        assert found["falsely passed otherwise"] >= found["falsely passed"]


def test_the_simulation_judges_as_the_gate_does():
    generator = np.random.default_rng(0)
    test = gate_ranked.Ranked(generator)
    scores = generator.normal(size=(2, len(test.codes))) + test.labels
    sides = []
    for own in special.expit(scores):
        one = images(n=len(test.codes), lesion=1)
        groups = np.array([f"g{code:04}" for code in test.codes], dtype=object)
        sides.append(
            replace(one, labels=test.labels, groups=groups,
                    probabilities=np.column_stack([1 - own, own]))
        )  # fmt: skip
    fast, slow = test.pair(*scores), paired_auc([sides[0]], [sides[1]], 1)[0]
    assert fast.difference == pytest.approx(slow.difference, rel=1e-9)
    assert fast.spread == pytest.approx(slow.spread, rel=1e-9)
    assert fast.groups == slow.groups


def test_it_runs_and_writes_only_when_asked(tmp_path, capsys):
    path = tmp_path / "a.json"
    assert gate_ranked.main(["--simulations", "4", "--json", str(path)]) in (0, 1)
    assert "falsely passed" in path.read_text()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 * 2 * 2 * 3 + 1
    assert "by the percentile bootstrap" in lines[-1]
