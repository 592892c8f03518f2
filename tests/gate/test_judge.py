from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skinbench.errors import UnknownNameError, UsageError
from skinbench.gate import DEFAULT_CHECKS, Check, judge, make_baseline, matching_rows, may_update
from skinbench.records.resampling import Resamples
from skinbench.store import from_plain, to_plain
from tests.gate.paired_data import tango
from tests.gate.runs import TWO, damage, plain_run, run, two_class
from tests.score.drawn import frame, row

FEW = Resamples(replicates=200)


def against(candidate, baseline, checks=DEFAULT_CHECKS, policy=None, **options):
    kept = make_baseline(baseline.scorecard, baseline.predictions, policy or checks)
    return judge(
        candidate.scorecard, candidate.predictions, kept, checks, resampling=FEW, **options
    )


def of(verdict, metric="recall"):
    (check,) = [item for item in verdict.checks if item.metric == metric]
    return check


def single(right_mel, right_nv, **options):
    return run({"a@0.0": two_class(right_mel, right_nv)}, classes=TWO, **options)


def flags(n, wrong):
    return [index >= wrong for index in range(n)]


def test_a_run_passes_against_itself():
    item = plain_run()
    verdict = against(item, item)
    assert (verdict.outcome, verdict.exit_code) == ("passed", 0)
    assert [check.outcome for check in verdict.checks] == ["passed", "passed"]
    assert verdict.decision_rule == "argmax"
    assert may_update(verdict)
    recall = of(verdict)
    assert recall.difference == 0
    assert recall.candidate == recall.baseline
    assert recall.n == recall.n_positive


def nudged(data):
    """Another model that decides alike."""
    return data.assign(p_mel=data["p_mel"] * np.float32(0.9999))


def test_the_same_predictions_to_the_bit_are_the_same_model():
    item = plain_run(n=700)  # too few lesions to rule out a loss of 5 points
    recall = of(against(item, item))
    assert (recall.outcome, recall.low, recall.high) == ("passed", 0, 0)
    assert "the predictions are the baseline's own, to the bit" in recall.reason
    assert 30 <= recall.n_groups < 52
    assert recall.passes_unchanged < 0.8, "of another model that is as good"
    near = of(against(run({"grid/a@0.0": nudged(frame(700))}), item))
    assert near.difference == 0
    assert near.outcome == "inconclusive", "equal decisions alone are a draw of luck"
    hard = single(flags(40, 4), flags(50, 0))
    assert of(against(hard, hard)).outcome == "inconclusive", "two values are no model"


def test_damaged_melanoma_predictions_regress():
    verdict = against(run({"grid/a@0.0": damage(frame(1600))}), plain_run())
    assert (verdict.outcome, verdict.exit_code) == ("regressed", 3)
    assert of(verdict).outcome == "regressed"
    assert of(verdict).high < 0
    assert of(verdict, "specificity").outcome == "passed"
    assert not may_update(verdict)


def test_bounds_by_hand_through_the_whole_gate():
    # of 100 melanomas 10 were missed; now 18 are: 8 more, the others the same
    verdict = against(single(flags(100, 18), flags(200, 0)), single(flags(100, 10), flags(200, 0)))
    recall = of(verdict)
    assert recall.difference == pytest.approx(-0.08)
    assert (recall.low, recall.high) == pytest.approx(tango(100, 0, 8, 1.6448536269514722))
    assert recall.outcome == "regressed"
    assert (recall.n, recall.n_positive, recall.n_groups) == (100, 100, 100)
    assert (recall.baseline, recall.candidate) == (0.9, 0.82)
    assert recall.reason.startswith("recall of mel 0.820 after 0.900: difference between -0.136")


@pytest.mark.parametrize(
    ("n", "before", "after", "outcome"),
    [
        (1000, 100, 100, "passed"),
        (1000, 100, 120, "passed"),  # two points fewer: worse within the margin
        (1000, 100, 300, "regressed"),
        (60, 6, 8, "inconclusive"),
        (60, 8, 6, "passed"),
        (60, 2, 20, "regressed"),
        (29, 0, 0, "missing"),
        (30, 0, 0, "inconclusive"),  # no image changed: 30 cannot rule out a loss of 5 points
        (51, 0, 0, "inconclusive"),
        (52, 0, 0, "passed"),
    ],
)
def test_outcomes(n, before, after, outcome):
    checks = [Check(metric="recall", class_="mel", margin=0.05)]
    verdict = against(
        single(flags(n, after), flags(50, 0)), single(flags(n, before), flags(50, 0)), checks
    )
    assert of(verdict).outcome == outcome
    assert verdict.outcome == outcome
    assert verdict.exit_code == {"passed": 0, "regressed": 3}.get(outcome, 4)
    if after == 120:
        assert "worse within the margin" in of(verdict).reason
    if n == 52:
        assert "52 lesion groups are few for this margin" in of(verdict).reason
    if n >= 60:
        assert "are few" not in of(verdict).reason
    if outcome == "missing":
        assert "29 lesion groups" in of(verdict).reason


@pytest.mark.parametrize("metric", ["melanoma_called_benign", "called_benign"])
def test_melanoma_called_benign_is_recall_turned_round_where_there_are_two_classes(metric):
    before, after = single(flags(100, 10), flags(200, 0)), single(flags(100, 18), flags(200, 0))
    checks = [
        Check(class_="mel", margin=0.05, floor=0.7),
        Check(metric=metric, class_="mel", margin=0.05, floor=0.3),
    ]
    recall, benign = against(after, before, checks).checks
    assert (benign.baseline, benign.candidate) == pytest.approx((0.1, 0.18))
    assert (benign.difference, benign.low, benign.high) == pytest.approx(
        (-recall.difference, -recall.high, -recall.low)
    )
    assert (benign.own_low, benign.own_high) == pytest.approx(
        (1 - recall.own_high, 1 - recall.own_low)
    )
    assert benign.outcome == recall.outcome == "regressed"
    assert "ceiling 0.3: its upper bound is at or below" in benign.reason
    assert against(before, after, checks).outcome == "passed"


def test_lesions_are_counted_not_images():
    def clustered(wrong):
        lesions = list(np.repeat(range(20), 10)) + list(range(100, 200))
        right = [lesion >= wrong for lesion in np.repeat(range(20), 10)]
        data = two_class(right, [True] * 100)
        data["group_id"] = [f"l{lesion}" for lesion in lesions]
        return run({"a@0.0": data}, classes=TWO)

    verdict = against(clustered(0), clustered(0))
    assert verdict.outcome == "missing"
    assert "20 lesion groups" in of(verdict).reason


# --- what is not there never passes -------------------------------------------------------


def test_a_missing_row_never_passes():
    verdict = against(plain_run("grid/b"), plain_run("grid/a"))
    assert (verdict.outcome, verdict.exit_code) == ("missing", 4)
    assert "the run has no row grid/a" in verdict.checks[0].reason
    assert any("row grid/b is not in the baseline" in note for note in verdict.notes)


def test_a_failed_cell_never_passes():
    tables = {"a@0.0": frame(400), "a@1.0": frame(400, fold=1)}
    verdict = against(run(tables, failed=["a@1.0"]), run(tables))
    assert (verdict.outcome, verdict.exit_code) == ("missing", 4)
    assert "cell a@1.0 failed: boom" in verdict.checks[0].reason


def test_a_failed_seed_beside_a_whole_one_never_passes():
    one, two = {"a@0.0": frame(400)}, {"a@0.0": frame(400), "a@0.1": frame(400, seed=1)}
    verdict = against(run(two, failed=["a@0.1"]), run(one))
    assert (verdict.outcome, verdict.exit_code) == ("missing", 4)
    assert "cell a@0.1 failed: boom" in verdict.checks[0].reason


def test_done_cells_without_predictions_never_pass():
    item = plain_run()
    kept = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS)
    verdict = judge(item.scorecard, {}, kept)
    assert (verdict.outcome, verdict.exit_code) == ("missing", 4)


def test_an_absent_class_never_passes():
    item = single([], flags(100, 0))
    verdict = against(item, item)
    assert (verdict.outcome, verdict.exit_code) == ("missing", 4)
    assert of(verdict).outcome == "missing"


def test_an_empty_policy_or_no_matching_row_never_passes():
    item = plain_run()
    kept = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS)
    empty = judge(item.scorecard, item.predictions, kept, [])
    assert (empty.outcome, empty.exit_code, empty.checks) == ("missing", 4, ())
    none = judge(
        item.scorecard, item.predictions, kept, [Check(rows="p9/*", class_="mel", margin=0.05)]
    )
    assert (none.outcome, none.exit_code) == ("missing", 4)
    reason = "no row of the baseline or of the run matches 'p9/*'; known: grid/a"
    assert none.checks[0].reason == reason


def test_only_optional_checks_never_pass():
    item = plain_run()
    verdict = against(item, item, [Check(class_="mel", margin=0.05, required=False)])
    assert verdict.outcome == "missing"
    assert verdict.checks[0].outcome == "passed"


def test_no_test_images_never_pass():
    item = plain_run()
    empty = run({"grid/a@0.0": frame(1600).iloc[:0]})
    assert against(empty, item).outcome == "missing"
    unlabelled = run({"grid/a@0.0": frame(1600).assign(label=None)})
    assert against(unlabelled, item).exit_code == 4


def test_an_undefined_metric_never_passes():
    # nothing is decided for mel: its precision is undefined
    nothing = single([False] * 60, flags(100, 0))
    checks = [Check(metric="precision", class_="mel", margin=0.05)]
    verdict = against(nothing, nothing, checks)
    assert (verdict.outcome, verdict.exit_code) == ("missing", 4)
    bad = run({"a@0.0": frame(900, fold=0), "a@1.0": frame(60, fold=1)})
    keep = bad.predictions["a@1.0"].frame
    assert (keep["label"] != "vasc").any()
    auroc = [Check(metric="auroc", class_="mel", margin=0.05)]
    without = frame(200, fold=1)
    without = without[without["label"] != "mel"]
    item = run({"a@0.0": frame(900), "a@1.0": without}, metrics=("auroc",))
    verdict = against(item, item, auroc)
    assert (verdict.outcome, verdict.exit_code) == ("missing", 4)
    assert "undefined" in verdict.checks[0].reason


@pytest.mark.parametrize("metric", ["average_precision", "f1", "log_loss", "macro_auroc"])
def test_nan_from_a_metric_never_passes(monkeypatch, metric):
    from skinbench import registry

    item = plain_run()
    per_class = registry.metrics.get(metric).per_class
    check = Check(metric=metric, class_="mel" if per_class else None, margin=0.9)
    kept = make_baseline(item.scorecard, item.predictions, [check])
    fine = judge(item.scorecard, item.predictions, kept, resampling=FEW)
    assert fine.outcome == "passed"
    entry = registry.metrics.get(metric)
    broken = replace(
        entry, compute=lambda replicates, index: np.full(len(replicates._range), np.nan)
    )
    monkeypatch.setitem(registry.metrics._loaded, metric, broken)
    verdict = judge(item.scorecard, item.predictions, kept, resampling=FEW)
    assert (verdict.outcome, verdict.exit_code) == ("missing", 4)
    assert verdict.checks[0].reason == f"undefined: {entry.undefined}"


# --- refused ------------------------------------------------------------------------------


def reordered(data, seed=0):
    return data.sample(frac=1, random_state=seed)


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        (lambda d: d.iloc[1:], {}, "1 test image is missing (the first is i0_00000)"),
        (lambda d: d.assign(image_id=d["image_id"] + "x"), {}, "600 test images are new"),
        (lambda d: d.assign(fold=1), {}, "in other folds"),
        (lambda d: d.assign(label=["nv", *d["label"][1:]]), {}, "labels of 1 image differ"),
        (lambda d: d.assign(group_id=["z", *d["group_id"][1:]]), {}, "lesion ids of 1 image"),
        (lambda d: d.assign(weight=[2.0] + [1.0] * (len(d) - 1)), {}, "weights of 1 image differ"),
        (lambda d: d, {"split_digest": "s2"}, "is not the split of the baseline"),
        (lambda d: d, {"classes": None}, "classes differ"),
    ],
)
def test_another_test_set_is_refused(change, options, words):
    base = frame(600)
    base.loc[0, "label"] = "bkl"
    data = change(base.copy())
    if "classes" in options:
        from tests.score.drawn import CLASSES

        options = {"classes": CLASSES[::-1]}
    candidate = run({"a@0.0": data}, **options)
    verdict = against(candidate, run({"a@0.0": base}))
    assert (verdict.outcome, verdict.exit_code) == ("refused", 4)
    assert words in verdict.checks[0].reason


def test_unequal_seeds_are_refused():
    one = run({"a@0.0": frame(400)})
    two = run({"a@0.0": frame(400), "a@0.1": frame(400, seed=1)})
    verdict = against(two, one)
    assert (verdict.outcome, verdict.exit_code) == ("refused", 4)
    assert "seeds differ: 0, 1 here, 0 in the baseline" in verdict.checks[0].reason


def test_row_order_is_no_difference():
    item = plain_run()
    candidate = run({"grid/a@0.0": reordered(frame(1600))})
    assert against(candidate, item) == against(item, item)


def test_other_data_digest_is_noted_not_refused():
    verdict = against(plain_run(data_digest="d2"), plain_run())
    assert verdict.outcome == "passed"
    assert any("ham" in note and "digest" in note for note in verdict.notes)


# --- names --------------------------------------------------------------------------------


def test_unknown_names_are_usage_errors():
    item = plain_run()
    kept = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS)

    def ask(**options):
        judge(item.scorecard, item.predictions, kept, [Check(margin=0.05, **options)])

    with pytest.raises(UnknownNameError, match="did you mean 'mel'"):
        ask(class_="mell")
    with pytest.raises(UnknownNameError, match="did you mean 'recall'"):
        ask(metric="recal", class_="mel")
    with pytest.raises(UsageError, match="name one of akiec"):
        ask(metric="recall")
    with pytest.raises(UsageError, match="leave out class"):
        ask(metric="accuracy", class_="mel")
    assert UnknownNameError.exit_code == 2


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"margin": 0.0},
        {"margin": -0.1},
        {"margin": float("nan")},
        {"margin": float("inf")},
        {"floor": float("nan")},
        {"margin": 0.05, "alpha": 0.0},
        {"margin": 0.05, "alpha": 0.5},
        {"margin": 0.05, "slice": "female"},
    ],
)
def test_checks_that_make_no_sense(options):
    item = plain_run(n=200)
    kept = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS)
    with pytest.raises(UsageError, match="recall of mel"):
        judge(item.scorecard, item.predictions, kept, [Check(class_="mel", **options)])


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("sexx=male", "unknown slice 'sexx'; did you mean 'sex'. .known: age, dx_type, .*, sex,"),
        ("zone=back", "unknown slice 'zone'; known: age, dx_type, .*, sex, site,"),
        ("sex=", "expected name=value"),
    ],
)
def test_unknown_slices_are_usage_errors(name, hint):
    item = plain_run(n=200)
    check = Check(class_="mel", margin=0.05, slice=name)
    kept = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS)
    with pytest.raises(UsageError, match=hint):
        judge(item.scorecard, item.predictions, kept, [check])
    with pytest.raises(UsageError, match=hint):
        make_baseline(item.scorecard, item.predictions, [check])


def test_plain_rows_only_by_name():
    rows = [row("a/x"), row("a/y"), row("majority", kind="plain")]
    assert [r.name for r in matching_rows(Check(rows="*"), rows)] == ["a/x", "a/y"]
    assert [r.name for r in matching_rows(Check(rows="a/*"), rows)] == ["a/x", "a/y"]
    assert [r.name for r in matching_rows(Check(rows="majority"), rows)] == ["majority"]
    assert matching_rows(Check(rows="major*"), rows) == []


def test_plain_rows_stand_outside_the_default_policy():
    tables = {"a@0.0": frame(600), "majority@0.0": frame(600, skill=0)}
    item = run(tables, kinds={"majority": "plain"})
    verdict = against(item, item)
    assert {check.row for check in verdict.checks} == {"a"}
    named = against(item, item, [Check(rows="majority", class_="mel", margin=0.05)])
    assert {check.row for check in named.checks} == {"majority"}


def test_checks_travel_as_json():
    check = Check(rows="a*", metric="f1", class_="mel", slice="sex=female", margin=0.1, floor=0.5)
    plain = to_plain(check)
    assert plain["class"] == "mel"
    assert from_plain(Check, plain) == check


# --- other metrics, floors, slices, seeds --------------------------------------------------


@pytest.mark.parametrize("metric", ["auroc", "average_precision", "f1", "precision"])
def test_any_metric_of_a_class(metric):
    check = [Check(metric=metric, class_="mel", margin=0.08)]
    item = plain_run(n=1500)
    assert against(item, item, check).outcome == "passed"
    worse = run({"grid/a@0.0": damage(frame(1500), 0.6, into="df")})
    if metric != "precision":
        assert against(worse, item, check).outcome == "regressed"


@pytest.mark.parametrize(
    "metric", ["accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "brier", "log_loss"]
)
def test_any_metric_over_all_classes(metric):
    check = [Check(metric=metric, margin=0.05)]
    good, bad = plain_run(n=1500), plain_run(n=1500, skill=0.3)
    assert against(good, good, check).outcome == "passed"
    verdict = against(bad, good, check)
    assert verdict.outcome == "regressed"
    lower_is_better = metric in ("brier", "log_loss")
    assert (verdict.checks[0].difference > 0) == lower_is_better
    assert verdict.checks[0].low <= verdict.checks[0].difference <= verdict.checks[0].high
    assert against(good, bad, check).outcome == "passed"


def test_probabilities_that_the_baseline_does_not_keep_never_pass():
    item = plain_run()
    for check in (
        Check(metric="auroc", class_="nv", margin=0.05),
        Check(metric="log_loss", margin=0.05),
        Check(metric="macro_auroc", margin=0.05),
    ):
        verdict = against(item, item, [check], policy=DEFAULT_CHECKS)
        assert verdict.outcome == "missing"
        assert "does not keep the probabilities" in verdict.checks[0].reason
        assert any("policy differs" in note for note in verdict.notes)


@pytest.mark.parametrize(
    ("wrong", "floor", "outcome"),
    [
        (10, 0.80, "passed"),
        (10, 0.93, "inconclusive"),
        (40, 0.90, "regressed"),
        (0, 0.98, "passed"),
        (0, 0.995, "inconclusive"),
        (200, 0.5, "regressed"),
    ],
)
def test_floors_of_a_share(wrong, floor, outcome):
    item = single(flags(200, wrong), flags(50, 0))
    verdict = against(item, item, [Check(class_="mel", floor=floor)])
    assert verdict.outcome == outcome
    assert f"floor {floor:g}" in verdict.checks[0].reason


def test_floors_of_other_metrics_and_ceilings():
    item = plain_run(n=1500)
    value = next(
        s.value
        for s in plain_run(n=1500, metrics=("auroc", "log_loss")).scorecard.scores
        if (s.metric, s.class_, s.seed) == ("auroc", "mel", None)
    )
    for floor, outcome in (
        (value - 0.1, "passed"),
        (value, "inconclusive"),
        (value + 0.1, "regressed"),
    ):
        assert (
            against(item, item, [Check(metric="auroc", class_="mel", floor=floor)]).outcome
            == outcome
        )
    for ceiling, outcome in ((9.0, "passed"), (0.01, "regressed")):
        verdict = against(item, item, [Check(metric="log_loss", floor=ceiling)])
        assert verdict.outcome == outcome
        assert "ceiling" in verdict.checks[0].reason


def test_margin_and_floor_together():
    item = single(flags(400, 40), flags(50, 0))
    both = lambda floor: against(item, item, [Check(class_="mel", margin=0.05, floor=floor)])  # noqa: E731
    assert both(0.8).outcome == "passed"
    assert both(0.9).outcome == "inconclusive"
    assert both(0.97).outcome == "regressed"


def test_slices():
    data = frame(2400, skill=3)
    sex = {image: ("female" if i % 2 else "male") for i, image in enumerate(data["image_id"])}
    women = data["image_id"].map(sex) == "female"
    worse = pd.concat([damage(data[women], 0.7), data[~women]])
    item, candidate = run({"a@0.0": data}), run({"a@0.0": worse})
    check = lambda name, **options: [  # noqa: E731
        Check(class_="mel", margin=0.1, slice=name, **options)
    ]
    ask = lambda name: against(candidate, item, check(name), slices={"sex": sex})  # noqa: E731
    assert ask("sex=female").outcome == "regressed"
    assert ask("sex=male").outcome == "passed"
    other = ask("sex=femal")
    assert other.outcome == "missing"
    assert other.checks[0].reason.endswith(
        "no image of the run has sex=femal; did you mean 'female'?"
    )
    assert ask("age=80").outcome == "missing"
    assert against(candidate, item, check("sex=male")).outcome == "missing"
    mine = {"camera": dict.fromkeys(sex, "old")}
    policy = check("camera=old")
    own = make_baseline(item.scorecard, item.predictions, policy, slices=mine)
    assert judge(item.scorecard, item.predictions, own, policy, slices=mine).outcome == "passed"
    optional = [*check("sex=male"), *check("age=80", required=False)]
    assert against(candidate, item, optional, slices={"sex": sex}).outcome == "passed"


def test_three_seeds_add_their_variance():
    steady = {f"a@0.{seed}": frame(1000, seed=seed) for seed in range(3)}
    again = {name: nudged(data) for name, data in steady.items()}
    same = against(run(again), run(steady))
    assert same.outcome in ("passed", "inconclusive")
    one = against(run({"a@0.0": again["a@0.0"]}), run({"a@0.0": steady["a@0.0"]}))
    assert of(same).high - of(same).low > of(one).high - of(one).low
    assert not any("retraining" in note for note in same.notes)
    assert any("retraining" in note for note in one.notes)


# --- several checks -------------------------------------------------------------------------


def test_one_regressed_check_among_passes_regresses():
    rows = {f"r{i}@0.0": frame(1600, seed=i) for i in range(4)}
    item = run(rows)
    worse = run({**rows, "r2@0.0": damage(rows["r2@0.0"], 0.8)})
    verdict = against(worse, item)
    assert verdict.outcome == "regressed"
    assert {c.row for c in verdict.checks if c.outcome == "regressed"} == {"r2"}


def test_holm_keeps_many_checks_from_crying_wolf():
    # 4 of 200 lost: p = 0.0228 alone; beside two untouched rows Holm makes it 0.07
    def three(lost):
        good = two_class(flags(200, 10), flags(60, 0))
        tables = {f"r{i}@0.0": good for i in range(3)}
        tables["r0@0.0"] = two_class(flags(200, 10 + lost), flags(60, 0))
        return run(tables, classes=TWO)

    checks = [Check(class_="mel", margin=0.02)]
    verdict = against(three(4), three(0), checks)
    assert [c.outcome for c in verdict.checks] == ["regressed", "passed", "passed"]
    assert (verdict.outcome, verdict.exit_code) == ("inconclusive", 4)
    assert any("Holm" in note for note in verdict.notes)
    alone = against(three(4), three(0), [Check(rows="r0", class_="mel", margin=0.02)])
    assert alone.outcome == "regressed"
    assert not any("Holm" in note for note in [*alone.notes, *against(three(0), three(0)).notes])


def test_regressed_wins_over_missing():
    rows = {"a@0.0": frame(1600), "b@0.0": frame(1600, seed=1)}
    verdict = against(run({"a@0.0": damage(rows["a@0.0"], 0.8)}), run(rows))
    assert (verdict.outcome, verdict.exit_code) == ("regressed", 3)


def test_an_optional_check_changes_nothing():
    item = plain_run()
    worse = run({"grid/a@0.0": damage(frame(1600))})
    checks = [
        Check(class_="nv", margin=0.05),
        Check(class_="mel", margin=0.05, required=False),
    ]
    verdict = against(worse, item, checks)
    assert verdict.outcome == "passed"
    assert verdict.checks[1].outcome == "regressed"


def test_inconclusive_may_only_warn():
    before, after = single(flags(60, 6), flags(50, 0)), single(flags(60, 8), flags(50, 0))
    verdict = against(after, before, on_inconclusive="warn")
    assert (verdict.outcome, verdict.exit_code) == ("inconclusive", 0)
    assert any("only warns" in note for note in verdict.notes)
    assert not may_update(verdict)
    gone = against(plain_run("x"), plain_run("y"), on_inconclusive="warn")
    assert gone.exit_code == 4


def test_a_recall_check_alone_is_warned_of():
    item = plain_run()
    alone = against(item, item, [Check(class_="mel", margin=0.05)])
    assert any("without its specificity" in note for note in alone.notes)
    assert not any("without its specificity" in note for note in against(item, item).notes)
    shown = Check(class_="mel", margin=0.05, slice="sex=female", required=False)
    both = [
        Check(class_="mel", margin=0.05),
        Check(metric="specificity", class_="mel", margin=0.03),
    ]
    slices = {"sex": dict.fromkeys(frame(1600)["image_id"], "female")}
    kept = make_baseline(item.scorecard, item.predictions, both, slices=slices)
    for checks, warned in (([*both, shown], False), ([*both, replace(shown, required=True)], True)):
        notes = judge(item.scorecard, item.predictions, kept, checks, slices=slices).notes
        found = [note for note in notes if "without its specificity" in note]
        assert bool(found) is warned
        assert all("recall of mel, sex=female, (*) is checked" in note for note in found)


def test_a_model_that_calls_everything_melanoma_fails_its_specificity():
    item = single(flags(200, 20), flags(400, 20))
    verdict = against(single(flags(200, 0), flags(400, 400)), item)
    assert of(verdict).outcome == "passed"
    assert of(verdict, "specificity").outcome == "regressed"
    assert verdict.exit_code == 3


def test_pooled_folds_and_fixed_sets_are_named():
    folds = run({"a@0.0": frame(400), "a@1.0": frame(400, fold=1)})
    assert any("judge the recipe" in note for note in against(folds, folds).notes)
    item = plain_run()
    assert any("these weights" in note for note in against(item, item).notes)


def test_a_new_row_is_noted_and_a_named_one_is_missing():
    item = plain_run("a")
    candidate = run({"a@0.0": frame(1600), "b@0.0": frame(1600)})
    verdict = against(candidate, item)
    assert verdict.outcome == "passed"
    assert any("row b is not in the baseline" in note for note in verdict.notes)
    kept = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS)
    named = judge(
        candidate.scorecard,
        candidate.predictions,
        kept,
        [Check(rows="b", class_="mel", margin=0.1)],
    )
    assert named.outcome == "missing"
    reason = "row b is not in the baseline; renew the baseline with --update-baseline"
    assert named.checks[0].reason == reason
    assert not may_update(named), "nothing was compared"


def test_a_new_row_or_metric_can_join_a_baseline_that_all_else_passed():
    item = plain_run("a")
    kept = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS)
    new = Check(rows="b", class_="mel", margin=0.1)
    auroc = Check(rows="a", metric="macro_auroc", margin=0.1)

    def judged(tables, *checks):
        one = run(tables)
        return judge(one.scorecard, one.predictions, kept, [*DEFAULT_CHECKS, *checks])

    both = {"a@0.0": frame(1600), "b@0.0": frame(1600)}
    verdict = judged(both, new, auroc)
    assert (verdict.outcome, verdict.exit_code) == ("missing", 4)
    assert [item.unknown_to_baseline for item in verdict.checks] == [False, False, True, True]
    assert "does not keep the probabilities that macro_auroc needs" in verdict.checks[3].reason
    assert may_update(verdict)
    assert not may_update(judged({**both, "a@0.0": damage(frame(1600))}, new))
    assert not may_update(judged({"a@0.0": frame(1600)}, new)), "the run lacks it too"


def test_two_test_sets_of_a_row_are_judged_apart():
    def both(second):
        return run({"a@0.0": pd.concat([frame(1600), second])})

    other = frame(1600, dataset="isic")
    verdict = against(both(damage(other, 0.8)), both(other))
    assert verdict.outcome == "regressed"
    recalls = [c for c in verdict.checks if c.metric == "recall"]
    assert [c.outcome for c in recalls] == ["passed", "regressed"]
    assert recalls[1].reason.startswith("on isic: ")
    gone = against(run({"a@0.0": frame(1600)}), both(other))
    assert gone.outcome == "missing"


def test_the_baselines_own_policy_is_the_default():
    item = plain_run()
    checks = [
        Check(class_="mel", margin=0.2),
        Check(metric="specificity", class_="mel", margin=0.1),
    ]
    kept = make_baseline(item.scorecard, item.predictions, checks)
    verdict = judge(item.scorecard, item.predictions, kept)
    assert [c.margin for c in verdict.checks] == [0.2, 0.1]


def test_an_older_baseline_is_noted(monkeypatch):
    import skinbench

    item = plain_run()
    kept = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS)
    monkeypatch.setattr(skinbench, "__version__", "9.9")
    verdict = judge(item.scorecard, item.predictions, kept)
    assert any("skinbench 9.9 judges a baseline of" in note for note in verdict.notes)


def test_a_row_that_gave_up_the_class_is_missing():
    item = run({"a@0.0": frame(1600), "b@0.0": frame(1600)})
    kept = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS)
    a, b = run({"a@0.0": frame(1600)}).scorecard, item.scorecard.rows[1]
    renamed = [code if code != "mel" else "melanoma" for code in b["classes"]]
    both = replace(
        item.scorecard, rows=(item.scorecard.rows[0], {**b, "classes": renamed}), cells=(*a.cells,)
    )
    verdict = judge(both, item.predictions, kept)
    assert verdict.outcome == "missing"
    assert any("has no class mel" in check.reason for check in verdict.checks)


def test_a_row_without_cells_is_missing():
    item = plain_run()
    kept = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS)
    verdict = judge(replace(item.scorecard, cells=()), item.predictions, kept)
    assert verdict.outcome == "missing"
    assert "has no cells" in verdict.checks[0].reason


def test_another_test_set_only_is_missing():
    verdict = against(run({"grid/a@0.0": frame(1600, dataset="isic")}), plain_run())
    assert (verdict.outcome, verdict.exit_code) == ("missing", 4)
    assert "no test predictions on ham" in verdict.checks[0].reason


def test_floors_with_three_seeds():
    item = run({f"a@0.{seed}": frame(1500, seed=seed) for seed in range(3)})
    for metric, floor, outcome in (("recall", 0.2, "passed"), ("auroc", 0.99, "regressed")):
        verdict = against(item, item, [Check(metric=metric, class_="mel", floor=floor)])
        assert verdict.outcome == outcome


def test_an_anchor_leaves_floors_alone():
    item = plain_run()
    checks = [Check(class_="mel", floor=0.1)]
    first = make_baseline(item.scorecard, item.predictions, checks)
    second = make_baseline(item.scorecard, item.predictions, checks, previous=first)
    assert len(judge(item.scorecard, item.predictions, second).checks) == 1


def test_scope_is_said_of_the_rows_that_are_judged():
    both = run({"a@0.0": frame(1600), "b@0.0": frame(1600), "b@0.1": frame(1600, seed=1),
                "b@0.2": frame(1600, seed=2)})  # fmt: skip
    kept = make_baseline(both.scorecard, both.predictions, DEFAULT_CHECKS)
    only = [replace(check, rows="b") for check in DEFAULT_CHECKS]
    notes = judge(both.scorecard, both.predictions, kept, only, resampling=FEW).notes
    assert not any("fewer than three seeds" in note for note in notes)


def test_a_check_below_its_bound_by_itself_says_by_how_much():
    gained, lost = flags(223, 9), [not 9 <= index < 27 for index in range(223)]
    old, new = single(gained, flags(300, 20)), single(lost, flags(300, 20))
    verdict = against(new, old, DEFAULT_CHECKS)
    assert (verdict.outcome, of(verdict).outcome) == ("inconclusive", "regressed")
    (note,) = [note for note in verdict.notes if "after Holm" in note]
    assert note == (
        "recall of mel of a is below its bound by itself (p 0.042), not after Holm over all checks "
        "(p 0.083)"
    )
