from collections import Counter

import numpy as np
import pandas as pd

from skinbench.score.cases import choose_cases
from tests.score.drawn import CLASSES, decided, frame, predictions, row, table

THREE = ("bcc", "mel", "nv")


def choose(rows, frames, limit=40, classes=CLASSES):
    found = {r.name: [predictions(f, classes)] for r, f in zip(rows, frames, strict=True)}
    return choose_cases(rows, found, limit=limit)


def test_rules_by_hand():
    probabilities = [
        [0.1, 0.2, 0.7],  # mel called nv, surest
        [0.1, 0.3, 0.6],  # the same lesion: not again
        [0.1, 0.35, 0.55],  # mel called nv
        [0.6, 0.2, 0.2],  # mel called bcc
        [0.0, 0.9, 0.1],  # nv called mel
        [0.1, 0.8, 0.1],  # mel recognised, surest
        [0.3, 0.4, 0.3],  # mel recognised, least sure
        [0.0, 0.0, 1.0],  # nv recognised
        [0.9, 0.0, 0.1],  # nv called bcc
    ]
    labels = [1, 1, 1, 1, 2, 1, 1, 2, 2]
    data = table(labels, probabilities, [0, 0, 1, 2, 3, 4, 5, 6, 7], THREE)
    (found,) = choose([row(classes=THREE)], [data], classes=THREE)
    rules = {}
    for case in found.cases:
        rules.setdefault(case.rule, []).append(case.image_id[-1])
    assert rules == {
        "mel called nv, most confident first": ["0", "2"],
        "mel called something other than nv, most confident first": ["3"],
        "called mel but something else, most confident first": ["4"],
        "mel recognised, least confident first": ["6"],
        "most confident mistakes": ["8"],
        "most confident right answers": ["7"],
        "least confident right answers": ["5"],
    }
    first = found.cases[0]
    (answer,) = first.answers
    assert (first.label, answer.decided, first.group_id) == ("mel", "nv", "l0_00000")
    assert round(answer.probability, 6) == 0.7
    assert round(answer.probability_of_label, 6) == 0.2
    counts = {rule.text: (rule.images, rule.groups, len(rule.shown)) for rule in found.rules}
    assert counts["mel called nv, most confident first"] == (3, 2, 2)
    assert counts["most confident mistakes"] == (6, 5, 5)
    assert counts["mel recognised, most confident first"] == (2, 2, 2)
    assert found.images == 9


def test_rows_share_their_cases_and_disagreement_is_a_rule():
    rows = [row("a"), row("b"), row("c", split="by_image")]
    frames = [frame(600, seed=seed) for seed in (1, 2, 3)]
    first, second = choose(rows, frames, limit=31)
    assert first.rows == ("a", "b")
    assert second.rows == ("c",)
    assert (len(first.cases), len(second.cases)) == (16, 15)
    decisions = [f.set_index("image_id").filter(regex="^p_").idxmax(axis=1) for f in frames]
    for case in first.cases:
        assert [answer.row for answer in case.answers] == ["a", "b"]
        for answer, found in zip(case.answers, decisions, strict=False):
            assert f"p_{answer.decided}" == found[case.image_id]
    rules = {(rule.text, rule.row): rule for rule in first.rules}
    disagree = rules["models disagree, most answers first", ""]
    assert disagree.images == (decisions[0] != decisions[1]).sum()
    own = rules["most confident mistakes", "b"]
    labels = frames[1].set_index("image_id")["label"]
    assert own.images == (decisions[1] != "p_" + labels).sum()
    shown = [n for n, case in enumerate(first.cases) if case.answers[1].decided != case.label]
    assert sorted(own.shown) == shown, "an image counts for every rule that names it"
    assert not any(rule.row == "" for rule in second.rules)


def test_only_images_that_all_rows_judged_are_chosen():
    whole = frame(400)
    part = whole[whole["image_id"] > "i0_00200"]
    (found,) = choose([row("a"), row("b")], [whole, part])
    assert found.images == len(part)
    assert all(case.image_id > "i0_00200" for case in found.cases)


def test_limit_and_turns():
    for limit in (0, 1, 7, 40):
        (found,) = choose([row()], [frame(800)], limit=limit)
        assert len(found.cases) == limit
        assert len({case.image_id for case in found.cases}) == limit
    counts = Counter(case.rule for case in found.cases)
    assert max(counts.values()) - min(counts.values()) <= 2
    assert len(counts) > 8


def test_one_image_of_a_lesion_in_a_rule():
    (found,) = choose([row()], [frame(400, skill=0.5)], limit=400)
    pairs = Counter((case.rule, case.group_id) for case in found.cases)
    assert max(pairs.values()) == 1


def test_row_order_changes_nothing_and_val_and_conditions_are_left_out():
    data = frame(300)
    noise = pd.concat([data.assign(split="val", fold=1), data.assign(condition="blur@3")])
    mixed = pd.concat([noise, data]).sample(frac=1, random_state=0)
    assert choose([row()], [data]) == choose([row()], [mixed])


def test_an_image_that_every_fold_predicts_is_one_case():
    data = frame(60)
    other = data.assign(fold=1)
    found = choose_cases([row()], {"grid/a": [predictions(data), predictions(other)]}, limit=40)
    assert found[0].images == 60


def test_without_the_focus_class_and_without_images():
    two = ("bkl", "nv")
    data = decided([0, 1, 1], [0, 1, 0], classes=two)
    (found,) = choose([row(classes=two)], [data], classes=two)
    assert found.cases[0].rule == "most confident mistakes"
    assert choose([row()], [frame(3).iloc[:0]]) == ()
    assert choose([], []) == ()
    assert np.isfinite(found.cases[0].answers[0].probability)
