from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skinbench.errors import BaselineError, UnknownNameError, UsageError
from skinbench.gate import (
    Check,
    judge,
    make_baseline,
    may_update,
    parse_decision,
    read_baseline,
    verdict_to_markdown,
    write_baseline,
)
from skinbench.store import to_plain
from tests.gate.runs import Run, run
from tests.score.drawn import row, table

TWO = ("mel", "nv")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("mel:recall=0.9", "mel at recall 0.9 on val"),
        ("mel:youden", "mel at Youden's J on val"),
        ("mel:cost=20/1", "mel at a miss costs 20, a false alarm 1"),
        ("mel:threshold=0.31", "mel from 0.31 on, as given"),
    ],
)
def test_rules_as_typed(text, title):
    assert parse_decision(text).title == title
    assert parse_decision("argmax") is None


@pytest.mark.parametrize(
    "text",
    [
        "mel",
        ":youden",
        "mel:recal=0.9",
        "mel:recall",
        "mel:recall=1.5",
        "mel:recall=0",
        "mel:threshold=x",
        "mel:youden=0.5",
        "mel:cost=20",
        "mel:cost=0/1",
    ],
)
def test_rules_that_make_no_sense(text):
    with pytest.raises(UsageError, match=r"expected argmax, CLASS:recall=0\.9"):
        parse_decision(text)


def cells(shift=0.0, val=True, seed=0):
    """Two folds whose scores differ in scale, so that each needs its own threshold."""
    frames = {}
    for fold in (0, 1):
        generator = np.random.default_rng(fold)  # images and labels; scores follow the seed
        labels = generator.choice([0, 1], p=[0.3, 0.7], size=400)
        noise = np.random.default_rng([seed, fold]).normal(size=400)
        logit = (1.5 * (labels == 0) + noise - shift) * (1 + fold) - 2 * fold
        p = 1 / (1 + np.exp(-logit))
        data = table(labels, np.stack([p, 1 - p], axis=1), range(400), TWO, fold=fold)
        parts = [data]
        if val:
            other = data.assign(
                split="val", image_id=data["image_id"] + "v", group_id=data["group_id"] + "v"
            )
            parts.append(other)
        frames[f"a@{fold}.0"] = pd.concat(parts, ignore_index=True)
    return run(frames, classes=TWO)


RULE = parse_decision("mel:recall=0.9")
CHECKS = [
    Check(class_="mel", margin=0.05),
    Check(metric="specificity", class_="mel", margin=0.05),
]


def judged(new, old, rule=RULE, before=RULE):
    kept = make_baseline(old.scorecard, old.predictions, CHECKS, decision=before)
    return judge(new.scorecard, new.predictions, kept, CHECKS, decision=rule), kept


def test_each_cell_is_decided_by_the_threshold_of_its_own_val():
    item = cells()
    verdict, kept = judged(item, item)
    recall = verdict.checks[0]
    # Val has the scores of test here, so that every fold keeps exactly what was asked for.
    for fold, entry in kept["rows"][0]["threshold"].items():
        frame = item.predictions[f"a@{fold}.0"].frame
        mel = frame[(frame["split"] == "test") & (frame["label"] == "mel")]["p_mel"]
        assert 0.9 <= (mel >= entry).mean() < 0.91
    assert 0.9 <= recall.candidate < 0.91
    assert recall.outcome == "passed"
    assert verdict.decision_rule == "mel at recall 0.9 on val"
    assert kept["decision_rule"] == verdict.decision_rule
    assert kept["scores"] == [], "those of the scorecard are by argmax"
    assert any("row a: threshold 0." in note and "the baseline's" in note for note in verdict.notes)


def test_the_threshold_belongs_to_the_model():
    # All logits are shifted: worthless by the old model's threshold, unchanged by its own.
    new, old = cells(shift=2), cells()
    own, _ = judged(new, old)
    assert own.outcome == "passed"
    assert own.checks[0].difference == 0
    by_argmax, _ = judged(new, old, rule=None)
    assert by_argmax.checks[0].outcome == "regressed"
    assert "the baseline decides by another rule: mel at recall 0.9 on val" in (by_argmax.notes)


def test_without_val_nothing_is_chosen():
    item, bare = cells(), cells(val=False)
    verdict, _ = judged(bare, item)
    assert (verdict.outcome, verdict.exit_code) == ("missing", 4)
    assert (
        "no val images to choose it on (threshold of mel, fold 0, seed 0)"
        in verdict.checks[0].reason
    )
    with pytest.raises(BaselineError, match="cannot be a baseline: no val images"):
        judged(item, bare)
    given = parse_decision("mel:threshold=0.5")
    assert judged(bare, bare, given, given)[0].outcome == "passed"


def test_a_rule_about_a_class_that_the_row_lacks_is_missing():
    item = cells()
    verdict, _ = judged(two_spaces(), item, parse_decision("bcc:youden"))
    assert verdict.outcome == "missing"
    assert "has no class bcc to decide by" in verdict.checks[0].reason


def test_a_rule_about_a_class_that_no_row_knows_is_a_mistake():
    item = cells()
    with pytest.raises(UnknownNameError, match="decision rule: unknown class 'mle'; did you mean"):
        judged(item, item, parse_decision("mle:youden"))


def two_spaces():
    """The same run with a row that knows more classes."""
    item = cells()
    other = row("b", classes=(*TWO, "bcc"))
    card = replace(item.scorecard, rows=(*item.scorecard.rows, to_plain(other)))
    return Run(scorecard=card, predictions=item.predictions)


def by_rules(recall=None, specificity=None):
    return [
        replace(check, decision=rule)
        for check, rule in zip(CHECKS, (recall, specificity), strict=True)
    ]


def verdict_on(new, old, checks, rule=None, kept_with=None):
    kept = make_baseline(old.scorecard, old.predictions, kept_with or checks, decision=rule)
    return judge(new.scorecard, new.predictions, kept, checks, decision=rule)


def test_a_check_may_have_a_decision_rule_of_its_own():
    item = cells()
    checks = by_rules(specificity="mel:threshold=0.9")
    recall, specificity = verdict_on(item, item, checks, RULE).checks
    alone = verdict_on(item, item, CHECKS, RULE).checks
    assert (recall.candidate, recall.decision) == (alone[0].candidate, "")
    assert specificity.decision == "mel from 0.9 on, as given"
    given = verdict_on(item, item, CHECKS, parse_decision("mel:threshold=0.9")).checks[1]
    assert specificity.candidate == given.candidate == specificity.baseline
    assert specificity.candidate > alone[1].candidate


def test_what_decides_which_check_is_printed():
    item = cells()
    verdict = verdict_on(item, item, by_rules(recall="mel:recall=0.9"))
    assert verdict.decision_rule == "mel at recall 0.9 on val; argmax"
    assert "decision rule: argmax" in verdict.notes
    assert "decision rule of recall of mel (*): mel at recall 0.9 on val" in verdict.notes
    (threshold,) = [note for note in verdict.notes if note.startswith("row a: threshold")]
    assert "(mel at recall 0.9 on val), the baseline's 0." in threshold
    assert "recall of mel, by mel at recall 0.9 on val" in verdict_to_markdown(verdict)


def test_each_sides_threshold_comes_from_its_own_val_for_one_check_too():
    new, old = cells(shift=2), cells()
    recall, specificity = verdict_on(new, old, by_rules(recall="mel:recall=0.9")).checks
    assert recall.difference == 0, "the shift moves the threshold with it"
    assert specificity.difference != 0, "by argmax it does not"


def test_a_rule_that_the_baseline_does_not_keep_is_missing_until_it_is_renewed():
    item = cells()
    checks = by_rules(recall="mel:youden")
    verdict = verdict_on(item, item, checks, kept_with=CHECKS)
    recall, specificity = verdict.checks
    assert (verdict.outcome, specificity.outcome) == ("missing", "passed")
    assert "the baseline does not keep decisions by mel at Youden's J on val" in recall.reason
    assert may_update(verdict)
    kept = make_baseline(item.scorecard, item.predictions, CHECKS)
    renewed = make_baseline(item.scorecard, item.predictions, checks, previous=kept)
    again = judge(item.scorecard, item.predictions, renewed, checks)
    assert again.outcome == "passed"
    assert len(again.checks) == 3, "the anchor serves the check that it knows"


def test_the_rule_of_the_whole_baseline_serves_a_check_that_names_it():
    item = cells()
    kept = make_baseline(item.scorecard, item.predictions, CHECKS, decision=RULE)
    renewed = make_baseline(item.scorecard, item.predictions, CHECKS, decision=RULE, previous=kept)
    checks = by_rules("mel:recall=0.9", "mel:recall=0.9")
    verdict = judge(item.scorecard, item.predictions, renewed, checks)
    assert [check.outcome for check in verdict.checks] == ["passed"] * 4


@pytest.mark.parametrize("salt", [None, "secret"])
def test_a_baseline_with_several_rules_can_be_written_and_read(tmp_path, salt):
    item = cells()
    checks = by_rules(recall="mel:youden")
    kept = make_baseline(item.scorecard, item.predictions, checks, salt=salt)
    write_baseline(tmp_path / "b.json", kept)
    back = read_baseline(tmp_path / "b.json")
    verdict = judge(item.scorecard, item.predictions, back, salt=salt)
    assert verdict.outcome == "passed"
    assert verdict.checks[0].difference == 0


def test_recall_and_specificity_by_different_rules_do_not_guard_each_other():
    item = cells()
    apart = verdict_on(item, item, by_rules(recall="mel:youden"))
    assert any(
        "recall of mel (*), decided by mel at Youden's J on val, is checked without its specificity"
        in note
        for note in apart.notes
    )
    same = verdict_on(item, item, by_rules("mel:youden", "mel:youden"))
    assert not any("without its specificity" in note for note in same.notes)
