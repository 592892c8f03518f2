import numpy as np
import pandas as pd
import pytest

from skinbench.errors import BaselineError, UsageError
from skinbench.gate import Check, judge, make_baseline, parse_decision
from skinbench.gate.decisions import choose_threshold, decision_rule
from tests.gate.runs import run
from tests.score.drawn import table

TWO = ("mel", "nv")
SCORES = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05])
MEL = np.array([True, True, False, True, False, True, False, True, False, False])


@pytest.mark.parametrize(
    ("policy", "value", "threshold"),
    [
        ("sensitivity", 1.0, 0.2),
        ("sensitivity", 0.8, 0.4),  # 4 of 5 melanomas reach 0.4
        ("sensitivity", 0.61, 0.4),  # 3 of 5 would be 0.6
        ("sensitivity", 0.6, 0.6),
        ("sensitivity", 0.01, 0.9),
        ("specificity", 1.0, 0.8),  # no nevus reaches 0.8
        ("specificity", 0.8, 0.6),
        ("specificity", 0.1, 0.1),
        ("youden", None, 0.2),  # 1 + 2/5 against 4/5 + 3/5 at 0.4: the first of equals
    ],
)
def test_thresholds_by_hand(policy, value, threshold):
    rule = decision_rule("mel", policy, value)
    assert choose_threshold(SCORES, MEL, rule) == threshold


def test_a_specificity_that_no_score_reaches_decides_nothing():
    rule = decision_rule("mel", "specificity", 1.0)
    limit = choose_threshold(np.array([0.3, 0.9]), np.array([True, False]), rule)
    assert limit > 0.9


@pytest.mark.parametrize("labels", [[False, False], [True, True]])
def test_val_without_the_class_or_without_others_fixes_nothing(labels):
    rule = decision_rule("mel", "youden", None)
    with pytest.raises(UsageError, match="do not tell where mel begins"):
        choose_threshold(np.array([0.3, 0.9]), np.array(labels), rule)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("mel:sensitivity=0.9", "mel at sensitivity 0.9 of its own val"),
        ("mel:youden", "mel at the best sensitivity + specificity of its own val"),
        ("mel:threshold=0.31", "mel from 0.31 on, as given"),
    ],
)
def test_rules_as_typed(text, title):
    assert parse_decision(text).title == title
    assert parse_decision("argmax") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mel", "expected argmax or CLASS:POLICY=VALUE"),
        (":youden", "expected argmax"),
        ("mel:sensitivty=0.9", "unknown policy 'sensitivty'"),
        ("mel:sensitivity", "sensitivity is None"),
        ("mel:sensitivity=1.5", "expected above 0 and at most 1"),
        ("mel:threshold=x", "threshold is nan"),
        ("mel:youden=0.5", "takes no value"),
    ],
)
def test_rules_that_make_no_sense(text, words):
    with pytest.raises(UsageError, match=words):
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


RULE = parse_decision("mel:sensitivity=0.9")
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
    assert verdict.decision_rule == "mel at sensitivity 0.9 of its own val"
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
    assert "the baseline decides by another rule: mel at sensitivity 0.9 of its own val" in (
        by_argmax.notes
    )


def test_without_val_nothing_is_chosen():
    item, bare = cells(), cells(val=False)
    verdict, _ = judged(bare, item)
    assert (verdict.outcome, verdict.exit_code) == ("missing", 4)
    assert "cell a@0.0: no val rows to fix the threshold of mel on" in verdict.checks[0].reason
    with pytest.raises(BaselineError, match=r"cannot be a baseline: cell a@0\.0: no val rows"):
        judged(item, bare)
    given = parse_decision("mel:threshold=0.5")
    assert judged(bare, bare, given, given)[0].outcome == "passed"


def test_a_rule_about_a_class_that_the_row_lacks_is_missing():
    item = cells()
    verdict, _ = judged(item, item, parse_decision("bcc:youden"))
    assert verdict.outcome == "missing"
    assert "has no class bcc to decide by" in verdict.checks[0].reason
