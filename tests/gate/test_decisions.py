import numpy as np
import pandas as pd
import pytest

from skinbench.errors import BaselineError, UsageError
from skinbench.gate import Check, judge, make_baseline, parse_decision
from tests.gate.runs import run
from tests.score.drawn import table

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
    verdict, _ = judged(item, item, parse_decision("bcc:youden"))
    assert verdict.outcome == "missing"
    assert "has no class bcc to decide by" in verdict.checks[0].reason
