import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skinbench import registry
from skinbench.errors import PredictionsError
from skinbench.records import CellOutcome
from skinbench.records.resampling import Resamples
from skinbench.score.intervals import Method
from skinbench.score.scorecard import score_rows
from skinbench.store import canonical_json
from tests.score.drawn import CLASSES, cell, decided, frame, predictions, row, softmax, table


def find(scores, metric, class_=None, **where):
    options = {"seed": None, "slice": None, "condition": "none", **where}
    found = [
        score
        for score in scores
        if score.metric == metric
        and score.class_ == class_
        and all(getattr(score, name) == value for name, value in options.items())
    ]
    assert len(found) == 1
    return found[0]


def one(data, classes=CLASSES, **options):
    options = {"resamples": Resamples(replicates=200), **options}
    return score_rows(
        [row(classes=classes)], {cell().name: predictions(data, classes)}, [cell()], **options
    )


def outcome(name="grid/a", fold=0, seed=0, status="done", reason=""):
    return CellOutcome(
        cell=f"{name}@{fold}.{seed}",
        row=name,
        fold=fold,
        seed=seed,
        fit="f",
        status=status,
        reason=reason,
    )


def test_one_cell_by_hand():
    labels, decisions = [0] * 30 + [1] * 70, [0] * 24 + [1] * 6 + [1] * 63 + [0] * 7
    scores, confusions = one(decided(labels, decisions, classes=("mel", "nv")), ("mel", "nv"))
    recall = find(scores, "recall", "mel")
    assert recall.value == 0.8
    assert (recall.n, recall.n_positive, recall.n_groups) == (100, 30, 30)
    assert recall.low is not None
    assert recall.high is not None
    assert recall.low < 0.8 < recall.high
    assert recall.sd_seeds is None
    assert recall.reason == ""
    specificity = find(scores, "specificity", "mel")
    assert specificity.value == 0.9
    assert specificity.n_groups == 70
    assert find(scores, "precision", "mel").value == pytest.approx(24 / 31)
    assert find(scores, "precision", "mel").n_groups == 31
    assert find(scores, "accuracy").value == pytest.approx(0.87)
    assert confusions[0].counts == ((24, 6), (7, 63))
    assert {score.seed for score in scores} == {0, None}


def test_only_labelled_test_rows_are_scored():
    data = frame(200)
    val = data.assign(split="val", image_id=data["image_id"] + "v")
    null = data.iloc[:7].assign(label=None, image_id=data["image_id"].iloc[:7] + "n")
    zero = data.iloc[:5].assign(weight=0.0, image_id=data["image_id"].iloc[:5] + "z")
    scores, confusions = one(data)
    mixed, same = one(pd.concat([val, data, null, zero]))
    assert confusions == same
    assert [s.value for s in scores] == [s.value for s in mixed]
    accuracy = find(mixed, "accuracy")
    assert accuracy.n == 200
    assert "7 images without a label left out" in accuracy.reason


def test_undefined_is_none_with_a_reason():
    scores, _ = one(decided([0] * 40, [0] * 40, classes=("mel", "nv")), ("mel", "nv"))
    recall = find(scores, "recall", "nv")
    assert (recall.value, recall.low, recall.high, recall.n_positive) == (None, None, None, 0)
    assert recall.reason == "no image of this class"
    assert find(scores, "auroc", "nv").value is None
    assert find(scores, "macro_auroc").value is None
    assert find(scores, "balanced_accuracy").value == 1.0
    assert "no image of nv" in find(scores, "balanced_accuracy").reason


def test_few_lesions_have_no_interval():
    scores, _ = one(decided([0] * 9 + [1] * 60, [0] * 69, classes=("mel", "nv")), ("mel", "nv"))
    recall = find(scores, "recall", "mel")
    assert recall.value == 1.0
    assert recall.low is None
    assert "9 lesion groups" in recall.reason


def test_folds_pool_decisions_and_average_rankings():
    parts = [frame(150, fold=fold, seed=fold) for fold in range(3)]
    cells = [cell(fold=fold) for fold in range(3)]
    given = {c.name: predictions(p) for c, p in zip(cells, parts, strict=True)}
    scores, confusions = score_rows([row()], given, cells, resamples=Resamples(replicates=200))
    singles = [one(part.assign(fold=0))[0] for part in parts]
    for metric, class_ in (("auroc", "mel"), ("average_precision", "nv"), ("macro_auroc", None)):
        each = [find(single, metric, class_).value for single in singles]
        assert find(scores, metric, class_).value == pytest.approx(np.mean(each))
    whole, pooled = one(pd.concat(parts).assign(fold=0))
    assert find(scores, "recall", "mel") == find(whole, "recall", "mel")
    assert find(scores, "brier") == find(whole, "brier")
    assert find(scores, "auroc", "mel").value != find(whole, "auroc", "mel").value
    assert confusions[0].counts == pooled[0].counts
    assert find(scores, "accuracy").n == 450


def test_a_ranking_metric_is_undefined_if_any_fold_is():
    first = decided([0] * 20 + [1] * 20, [0] * 40, classes=("mel", "nv"))
    second = decided([1] * 20, [1] * 20, classes=("mel", "nv"), fold=3)
    cells = [cell(fold=0), cell(fold=3)]
    given = {cells[0].name: first, cells[1].name: second}
    given = {name: predictions(data, ("mel", "nv")) for name, data in given.items()}
    scores, _ = score_rows(
        [row(classes=("mel", "nv"))], given, cells, resamples=Resamples(replicates=50)
    )
    auroc = find(scores, "auroc", "mel")
    assert auroc.value is None
    assert "in fold 3" in auroc.reason
    assert find(scores, "recall", "mel").value == 1.0


def test_a_foreign_test_set_that_every_fold_predicts_counts_each_image_once():
    data = frame(150)
    cells = [cell(fold=0), cell(fold=1)]
    given = {cells[0].name: predictions(data), cells[1].name: predictions(data.assign(fold=1))}
    scores, _ = score_rows([row()], given, cells, resamples=Resamples(replicates=100))
    single, _ = one(data, resamples=Resamples(replicates=100))
    found, expected = find(scores, "recall", "mel"), find(single, "recall", "mel")
    assert found == expected
    assert find(scores, "accuracy").n == 150


def test_seeds_are_apart_and_their_mean_has_its_own_interval():
    cells = [cell(seed=seed) for seed in range(4)]
    given = {c.name: predictions(frame(400, seed=c.seed)) for c in cells}
    scores, confusions = score_rows([row()], given, cells, resamples=Resamples(replicates=300))
    each = [find(scores, "accuracy", seed=seed) for seed in range(4)]
    mean = find(scores, "accuracy")
    assert mean.value == pytest.approx(np.mean([s.value for s in each]))
    assert mean.sd_seeds == pytest.approx(np.std([s.value for s in each], ddof=1))
    assert mean.high - mean.low < np.mean([s.high - s.low for s in each])
    assert [c.seed for c in confusions] == [0, 1, 2, 3]


def test_equal_seeds_have_the_interval_of_one():
    cells = [cell(seed=seed) for seed in range(2)]
    given = {c.name: predictions(frame(400)) for c in cells}
    scores, _ = score_rows([row()], given, cells, resamples=Resamples(replicates=100))
    for metric in ("recall", "auroc"):
        mean, first = find(scores, metric, "mel"), find(scores, metric, "mel", seed=0)
        assert replace(mean, seed=0, sd_seeds=None) == first
        assert mean.sd_seeds == 0


def test_rows_on_the_same_images_share_their_resamples():
    rows = [row("a"), row("b")]
    given = {"a@0.0": predictions(frame(300)), "b@0.0": predictions(frame(300))}
    scores, _ = score_rows(rows, given, [cell("a"), cell("b")], resamples=Resamples(replicates=100))
    a = [replace(score, row="") for score in scores if score.row == "a"]
    b = [replace(score, row="") for score in scores if score.row == "b"]
    assert a == b


@pytest.mark.parametrize("status", ["failed", "blocked", "gone"])
def test_a_seed_with_a_missing_fold_has_no_score(status):
    cells = [outcome(fold=fold, seed=seed) for seed in range(2) for fold in range(2)]
    given = {
        c.cell: predictions(frame(120, fold=c.fold, seed=c.seed))
        for c in cells
        if c.cell != "grid/a@1.1"
    }
    if status != "gone":
        cells[3] = outcome(fold=1, seed=1, status=status, reason="out of memory")
    scores, confusions = score_rows([row()], given, cells, resamples=Resamples(replicates=50))
    assert find(scores, "recall", "mel", seed=0).value is not None
    for seed in (1, None):
        broken = find(scores, "recall", "mel", seed=seed)
        assert (broken.value, broken.n) == (None, 0)
        assert "grid/a@1.1" in broken.reason
        assert ("out of memory" in broken.reason) == (status != "gone")
    assert [c.seed for c in confusions] == [0]


def test_a_row_that_failed_wholly_is_shown_beside_the_others():
    cells = [outcome("a"), outcome("b", status="failed", reason="boom")]
    scores, _ = score_rows(
        [row("a"), row("b")],
        {"a@0.0": predictions(frame(100))},
        cells,
        resamples=Resamples(replicates=20),
    )
    failed = [score for score in scores if score.row == "b"]
    assert {score.dataset for score in failed} == {"ham"}
    assert all(score.value is None and "boom" in score.reason for score in failed)
    assert len(failed) == len([score for score in scores if score.row == "a"])


def test_a_row_without_cells_says_so():
    scores, confusions = score_rows([row("a")], {}, [], resamples=Resamples(replicates=20))
    assert {score.value for score in scores} == {None}
    assert "no cells" in scores[0].reason
    assert confusions == ()


def test_a_seed_without_a_condition_says_so():
    data = frame(80)
    cells = [cell(seed=0), cell(seed=1)]
    given = {
        cells[0].name: predictions(pd.concat([data, data.assign(condition="blur@3")])),
        cells[1].name: predictions(data),
    }
    scores, _ = score_rows([row()], given, cells, resamples=Resamples(replicates=20))
    assert find(scores, "accuracy").value is not None
    broken = find(scores, "accuracy", condition="blur@3")
    assert broken.value is None
    assert "seed 1 has no test predictions on ham under blur@3" in broken.reason


def test_order_is_stated():
    data = pd.concat(
        [
            frame(60, dataset=dataset, condition=condition)
            for dataset in ("isic", "ham")
            for condition in ("blur@3", "none", "a@1")
        ]
    )
    scores, _ = one(data, resamples=Resamples(replicates=10), metrics=["recall", "accuracy"])
    keys = list(dict.fromkeys((s.dataset, s.condition) for s in scores))
    assert keys == [(d, c) for d in ("ham", "isic") for c in ("none", "a@1", "blur@3")]
    names = [(s.metric, s.class_) for s in scores][:8]
    assert names == [*[("recall", code) for code in CLASSES], ("accuracy", None)]


def test_slices_are_scored_apart():
    data = frame(400)
    sex = {image: ("female", "male", None)[i % 3] for i, image in enumerate(data["image_id"])}
    scores, _ = one(data, slices={"sex": sex}, metrics=["accuracy", "recall"])
    women = data[[sex[image] == "female" for image in data["image_id"]]]
    alone, _ = one(women, metrics=["accuracy", "recall"])
    found = find(scores, "accuracy", slice="sex=female")
    assert found.value == find(alone, "accuracy").value
    assert found.n == len(women)
    assert {score.slice for score in scores} == {None, "sex=female", "sex=male"}


def test_permuting_and_repeating_rows_changes_nothing():
    data = frame(300)
    copies = pd.concat([data.assign(image_id=data["image_id"] + f"_{k}") for k in range(3)]).sample(
        frac=1, random_state=0
    )
    plain, tripled = (
        [(s.metric, s.class_, s.value, s.low, s.high, s.n_groups) for s in one(part)[0]]
        for part in (data, copies)
    )
    assert plain == tripled
    shuffled, _ = one(data.sample(frac=1, random_state=3))
    assert canonical_json(shuffled) == canonical_json(one(data)[0])


def test_weights_move_the_value_and_not_n():
    data = frame(300)
    data.loc[data["label"] == "mel", "weight"] = 3.0
    scores, _ = one(data)
    plain, _ = one(frame(300))
    assert find(scores, "accuracy").value != find(plain, "accuracy").value
    assert find(scores, "accuracy").n == find(plain, "accuracy").n
    assert find(scores, "recall", "mel") == find(plain, "recall", "mel")


def test_other_classes_are_refused():
    data = decided([0], [0], classes=("mel", "nv"))
    with pytest.raises(PredictionsError, match="classes mel, nv"):
        score_rows([row()], {cell().name: predictions(data, ("mel", "nv"))}, [cell()])


def test_two_cells_of_one_fold_are_refused():
    cells = [outcome(fold=0), replace(outcome(fold=0), cell="grid/a@x")]
    given = {c.cell: predictions(frame(20)) for c in cells}
    with pytest.raises(PredictionsError, match="predicted twice"):
        score_rows([row()], given, cells)


def coverage(metric, class_, truth, simulate, replicates=200, sims=120):
    inside = 0
    for number in range(sims):
        scores, _ = one(
            simulate(np.random.default_rng([5, number])),
            ("mel", "nv"),
            metrics=[metric],
            resamples=Resamples(replicates=replicates),
        )
        score = find(scores, metric, class_)
        inside += score.low <= truth <= score.high
    return inside / sims


@pytest.mark.parametrize("lesions", [30, 90])
def test_recall_intervals_cover_with_clustered_lesions(lesions):
    def simulate(generator):
        # whole lesions are right or wrong: three images are worth one
        right = np.repeat(generator.random(lesions) < 0.8, 3)
        labels = np.concatenate([np.zeros(3 * lesions, int), np.ones(40, int)])
        decisions = np.concatenate([np.where(right, 0, 1), np.ones(40, int)])
        groups = np.concatenate([np.repeat(np.arange(lesions), 3), 1000 + np.arange(40)])
        return decided(labels, decisions, groups, ("mel", "nv"))

    assert 0.89 <= coverage("recall", "mel", 0.8, simulate) <= 1.0


def test_auroc_interval_covers():
    def simulate(generator):
        labels = np.repeat([0, 1], [40, 80])
        logits = np.zeros((120, 2))
        logits[:, 0] = generator.normal(size=120) + np.where(labels == 0, np.sqrt(2) * 0.841621, 0)
        return table(labels, softmax(logits), range(120), ("mel", "nv"))

    assert 0.88 <= coverage("auroc", "mel", 0.8, simulate) <= 1.0


@pytest.mark.slow  # tests/cli/test_light.py asks the commands themselves
def test_score_and_gate_load_neither_torch_nor_ray():
    code = (
        "import sys, skinbench.gate, skinbench.score.scorecard, skinbench.score.cases, "
        "skinbench.score.claims, skinbench.score.derive\n"
        "from skinbench import registry\n"
        "for kind in (registry.metrics, registry.derived):\n"
        "    [kind.get(name) for name in kind.names()]\n"
        "heavy = {'torch', 'ray', 'timm', 'kornia', 'pytorch_grad_cam', 'sklearn'}\n"
        "bad = heavy & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(bad)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=dict(os.environ), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert registry.metrics.names()


def test_bca_by_choice_keeps_the_rules_for_few():
    data = frame(600)
    scores, _ = one(data, method=Method(bootstrap="bca"))
    plain, _ = one(data)
    overall, before = find(scores, "accuracy"), find(plain, "accuracy")
    assert (overall.interval, before.interval) == ("BCa", "")
    assert overall.value == before.value
    assert abs(overall.low - before.low) < 0.01
    assert overall.low != before.low
    assert find(scores, "recall", "df") == find(plain, "recall", "df")  # few lesions: Wilson's


def test_small_classes_leave_no_hole_in_balanced_accuracy():
    scores, _ = one(frame(200))
    found = find(scores, "balanced_accuracy")
    assert found.interval == "adjusted Wald"
    assert found.low < found.value < found.high
