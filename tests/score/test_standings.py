"""Which rows are separable: families, the best, ranks; and ranks over datasets."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skinbench.errors import UsageError
from skinbench.records import Score
from skinbench.records.resampling import Resamples
from skinbench.score.dataset_ranks import critical_difference, friedman, rank_over_datasets
from skinbench.score.evidence import Evidence
from skinbench.score.on_val import val_values
from skinbench.score.scorecard import score_rows
from skinbench.score.standings import (
    Chosen,
    best_p_values,
    choose_on_val,
    rank_intervals,
    stand_rows,
)
from tests.score.drawn import CLASSES, cell, frame, predictions, row

METRICS = ("recall:mel", "auroc:mel", "balanced_accuracy", "log_loss")
SKILLS = {"weak": 0.5, "fair": 1.5, "same": 1.5, "good": 3.0}


def scored(skills=None, **changes):
    """Families of rows of different skill on one test set."""
    skills = SKILLS if skills is None else skills
    rows, cells, tables = [], [], {}
    for index, (name, skill) in enumerate(skills.items()):
        rows.append(row(name=name))
        cells.append(cell(name))
        made = frame(500, seed=1 if name == "same" else index, skill=skill)
        tables[cells[-1].name] = predictions(changes.get(name, made))
    evidence = Evidence(metrics=METRICS)
    score_rows(rows, tables, cells, resamples=Resamples(replicates=500),
               metrics=("recall", "auroc", "balanced_accuracy",
               "log_loss"), evidence=evidence)  # fmt: skip
    return rows, cells, tables, evidence


def by_row(family):
    return {item.row: item for item in family.standings}


def families(reference="fair", **changes):
    rows, _, _, evidence = scored(**changes)
    chosen = {} if reference is None else {
        ("by_lesion", CLASSES): Chosen(row=reference, how="the suite's reference")
    }  # fmt: skip
    found = stand_rows(rows, evidence, chosen, level=0.95)
    return {family.metric: family for family in found}


def test_rows_against_the_reference():
    found = families()
    assert list(found) == ["recall", "auroc", "balanced_accuracy", "log_loss"]
    for metric, family in found.items():
        items = by_row(family)
        assert (family.reference, family.correction, family.compared) == ("fair", "Holm", 3)
        assert items["fair"].verdict == "reference"
        assert items["same"].verdict == "not separable"
        assert items["same"].p_adjusted == 1.0
        assert items["weak"].verdict == "worse"
        assert items["good"].verdict == "better"
        assert items["good"].p <= items["good"].p_adjusted
        low, high = items["good"].low, items["good"].high
        assert (low > 0) if metric != "log_loss" else (high < 0)
    assert by_row(found["recall"])["good"].test == "sign flips by lesion"
    assert by_row(found["auroc"])["good"].test.startswith("Obuchowski")
    assert by_row(found["log_loss"])["good"].test == "paired bootstrap by lesion"


def test_ranks_exclude_what_is_separable():
    for family in families().values():
        items = by_row(family)
        ranks = {name: (item.rank_low, item.rank_high) for name, item in items.items()}
        assert ranks["good"] == (1, 1)
        assert ranks["weak"] == (4, 4)
        assert ranks["fair"] == ranks["same"] == (2, 3)


def test_without_a_reference_the_best_is_compared_with():
    family = families(reference=None)["auroc"]
    items = by_row(family)
    assert (family.reference, family.correction) == ("", "max-t")
    assert items["good"].verdict == "not separable"
    assert {items[name].verdict for name in ("weak", "fair", "same")} == {"worse"}
    assert items["fair"].difference == pytest.approx(items["fair"].value - items["good"].value)
    assert items["good"].difference > 0


def test_other_images_are_not_compared():
    other = frame(500, seed=3, skill=3.0)
    other["image_id"] = "x" + other["image_id"]
    items = by_row(families(good=other)["recall"])
    assert items["good"].verdict == "not compared"
    assert "other test images" in items["good"].reason
    assert items["weak"].verdict == "worse"
    assert (items["weak"].rank_low, items["good"].rank_low) == (3, None)


def test_a_reference_that_cannot_be_compared_with_is_said():
    few = frame(500, seed=1)
    few = few[few["label"] != "mel"]
    family = families(fair=few)["recall"]
    assert family.reference == ""
    assert "fair, the suite's reference: undefined" in family.chosen
    assert by_row(family)["fair"].verdict == "not compared"


def test_few_lesions_are_not_compared():
    tables = {}
    for name, (index, skill) in zip(SKILLS, enumerate(SKILLS.values()), strict=True):
        part = frame(500, seed=index, skill=skill)
        keep = part.loc[part["label"] == "mel", "group_id"].unique()[:9]
        tables[name] = part[(part["label"] != "mel") | part["group_id"].isin(keep)]
    items = by_row(families(**tables)["recall"])
    assert items["weak"].reason == "9 lesion groups, at least 10 are needed"


def test_best_on_val_and_nothing_else():
    rows, cells, tables, _ = scored()
    for name, part in tables.items():
        test = part.frame.copy()
        val = test.assign(split="val", image_id="v" + test["image_id"])
        # On val the weak row is the best, by being given the truth.
        if name.startswith("weak"):
            for code in CLASSES:
                val[f"p_{code}"] = (val["label"] == code).astype(np.float32)
        tables[name] = predictions(pd.concat([test, val], ignore_index=True))
    values = val_values(rows, tables, cells, "balanced_accuracy")
    assert values["weak"] == 1.0
    chosen = choose_on_val(rows, values, "balanced_accuracy")
    assert chosen == Chosen(row="weak", how="best on val by balanced accuracy")
    assert choose_on_val(rows, {"fair": 0.3, "good": 0.2, "same": 0.2}, "log_loss").row == "same"
    assert choose_on_val(rows, dict.fromkeys(values), "balanced_accuracy") is None


def test_no_val_no_value():
    rows, cells, tables, _ = scored()
    assert set(val_values(rows, tables, cells, "balanced_accuracy").values()) == {None}


def test_comparison_with_the_best_is_dunnetts():
    """Independent normal means: the best's critical values are Dunnett's one-sided ones."""
    generator = np.random.default_rng(4)
    means = np.array([0.0, 0.32, 0.5])
    n, replicates = 60, 4000
    data = means + generator.standard_normal((n, 3))
    draws = np.sqrt(1 / n) * generator.standard_normal((replicates, 3))
    values = np.column_stack([data.mean(axis=0), (data.mean(axis=0) + draws).T])
    found = best_p_values(values)
    for index in range(3):
        others = [data[:, j] for j in range(3) if j != index]
        oracle = stats.dunnett(*others, control=data[:, index], alternative="greater",
                               rng=np.random.default_rng(0))  # fmt: skip
        assert found[index] == pytest.approx(oracle.pvalue.min(), abs=0.03)


def test_ranks_hold_all_together():
    """Four equal rows and one better: all true ranks are covered in 95 % or more."""
    generator = np.random.default_rng(5)
    truth, covered = np.array([0.0, 0, 0, 0, 3.0]), 0
    for _ in range(300):
        values = truth + generator.standard_normal(5)
        values = np.column_stack([values, (values + generator.standard_normal((400, 5))).T])
        ranks = rank_intervals(values, 0.95)
        covered += all(low <= 2 and high == 5 for low, high in ranks[:4]) and ranks[4][0] == 1
    assert covered / 300 > 0.92


def test_rows_that_no_resample_tells_apart_share_their_ranks():
    constant = np.ones((3, 101)) * np.array([[0.2], [0.2], [0.9]])
    assert rank_intervals(constant, 0.95) == [(2, 3), (2, 3), (1, 1)]
    assert best_p_values(constant)[2] == 1.0
    assert best_p_values(constant)[0] < 0.05


# Demsar 2006 (JMLR 7:1-30), table 6: AUC of C4.5 and three variants on 14 datasets. On `voting`
# its ranks tell apart two values that are both printed as 0.975: the better has a digit more here.
DEMSAR = {
    "c4.5": [.763, .599, .954, .628, .882, .936, .661, .583, .775, 1.0, .940, .619, .972, .957],
    "+m": [.768, .591, .971, .661, .888, .931, .668, .583, .838, 1.0, .962, .666, .981, .978],
    "+cf": [.771, .590, .968, .654, .886, .916, .609, .563, .866, 1.0, .965, .614, .9751, .946],
    "+m+cf": [.798, .569, .967, .657, .898, .931, .685, .625, .875, 1.0, .962, .669, .975, .970],
}  # fmt: skip


def demsar():
    return {
        name: {f"d{index:02d}": value for index, value in enumerate(values)}
        for name, values in DEMSAR.items()
    }


def test_friedman_on_demsars_example():
    found = friedman(demsar(), metric="balanced_accuracy")
    ranks = {item.row: item.rank for item in found.ranks}
    assert ranks == pytest.approx(
        {"c4.5": 3.143, "+m": 2.0, "+cf": 2.893, "+m+cf": 1.964}, abs=5e-4
    )
    assert [item.row for item in found.ranks] == ["+m+cf", "+m", "+cf", "c4.5"]
    assert found.critical_difference == pytest.approx(1.25, abs=5e-3)
    squares = sum(rank**2 for rank in ranks.values())
    uncorrected = 12 * 14 / (4 * 5) * (squares - 4 * 25 / 4)
    assert uncorrected == pytest.approx(9.28, abs=5e-3)  # as in print; ours corrects for ties
    oracle = stats.friedmanchisquare(*DEMSAR.values())
    assert (found.statistic, found.p) == pytest.approx((oracle.statistic, oracle.pvalue))
    assert found.statistic > uncorrected
    reverse = friedman(demsar(), metric="log_loss")
    assert reverse.ranks[0].row == "c4.5"


def test_nemenyi_as_scikit_posthocs():
    posthocs = pytest.importorskip("scikit_posthocs")
    table = np.array(list(DEMSAR.values())).T
    p = np.asarray(posthocs.posthoc_nemenyi_friedman(table))
    ranks = {item.row: item.rank for item in friedman(demsar(), metric="accuracy").ranks}
    for level in (0.8, 0.9, 0.95):
        limit = critical_difference(4, 14, level)
        for i, first in enumerate(DEMSAR):
            for j, second in enumerate(DEMSAR):
                apart = abs(ranks[first] - ranks[second]) > limit
                assert apart == (p[i, j] < 1 - level)


def test_published_critical_values():
    # Demsar 2006, table 5a: q at 0.05 for 2, 3, 5 and 10 classifiers.
    for rows, q in ((2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)):
        limit = critical_difference(rows, 6, 0.95)
        assert limit / np.sqrt(rows * (rows + 1) / 36) == pytest.approx(q, abs=1.1e-3)


def test_too_few_datasets_or_rows_are_refused():
    few = {name: dict(list(values.items())[:4]) for name, values in demsar().items()}
    found = friedman(few, metric="accuracy")
    assert found.ranks == ()
    assert found.p is None
    assert found.reason == "no ranks over datasets: 4 datasets, at least 5 are needed"
    two = dict(list(demsar().items())[:2])
    assert "2 rows, at least 3" in friedman(two, metric="accuracy").reason
    uneven = {**demsar(), "c4.5": few["c4.5"]}
    with pytest.raises(UsageError, match="scored on"):
        friedman(uneven, metric="accuracy")


def test_ranks_over_datasets_read_scores_of_datasets_alone():
    scores = [
        Score(row=name, metric="accuracy", value=value, n=9, dataset=dataset)
        for name, values in demsar().items()
        for dataset, value in values.items()
    ]
    zero = {"row": "+m", "metric": "accuracy", "value": 0.0, "n": 9, "dataset": "d00"}
    seeds = [Score(**zero, seed=1), Score(**zero, condition="blur@1")]
    rows = [row(name=name) for name in (*DEMSAR, "elsewhere")]
    (found,) = rank_over_datasets(rows, [*scores, *seeds], "accuracy", level=0.95)
    assert [item.row for item in found.ranks] == ["+m+cf", "+m", "+cf", "c4.5"]
    assert rank_over_datasets(rows, scores[:4], "accuracy", level=0.95) == ()


def test_ranks_that_were_asked_for_and_cannot_be_are_refused_in_words():
    scores = [
        Score(row="a", metric="accuracy", value=0.5, n=9, dataset=f"d{n}", seed=seed)
        for n in range(2)
        for seed in (None, 0, 1, 2, 3, 4)
    ]
    (found,) = rank_over_datasets([row(name="a")], scores, "accuracy", level=0.95, asked=True)
    assert found.ranks == ()
    assert found.reason == (
        "no ranks over datasets: the rows were scored on 2 datasets at most, at least 5 are "
        "needed; seeds and folds share their images and are no datasets"
    )
    (none,) = rank_over_datasets([], [], "accuracy", level=0.95, asked=True)
    assert "0 datasets at most" in none.reason
