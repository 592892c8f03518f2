from collections import Counter

import pandas as pd

from skinbench.score.cases import choose_cases
from tests.score.drawn import CLASSES, decided, frame, predictions, row, table

THREE = ("bcc", "mel", "nv")


def test_rules_by_hand():
    probabilities = [
        [0.1, 0.2, 0.7],  # mel called nv, surest
        [0.1, 0.3, 0.6],  # the same lesion: not again
        [0.1, 0.35, 0.55],  # mel called nv
        [0.0, 0.9, 0.1],  # nv called mel
        [0.1, 0.8, 0.1],  # mel recognised, surest
        [0.3, 0.4, 0.3],  # mel recognised, least sure
        [0.0, 0.0, 1.0],  # nv recognised
        [0.9, 0.0, 0.1],  # nv called bcc
    ]
    labels = [1, 1, 1, 2, 1, 1, 2, 2]
    data = table(labels, probabilities, [0, 0, 1, 2, 3, 4, 5, 6], THREE)
    found = choose_cases(row(classes=THREE), [predictions(data, THREE)])
    rules = {}
    for case in found:
        rules.setdefault(case.rule, []).append(case.image_id[-1])
    assert rules == {
        "mel called something else, most confident first": ["0", "2"],
        "called mel but something else, most confident first": ["3"],
        "mel recognised, most confident first": ["4"],
        "mel recognised, least confident first": ["5"],
        "most confident mistakes": ["7"],
        "nv recognised, most confident first": ["6"],
    }
    first = found[0]
    assert (first.label, first.decided, first.group_id) == ("mel", "nv", "l0_00000")
    assert round(first.probability, 6) == 0.7
    assert round(first.probability_of_label, 6) == 0.2


def test_limit_and_turns():
    data = predictions(frame(800))
    for limit in (0, 1, 7, 40):
        found = choose_cases(row(), [data], limit=limit)
        assert len(found) == limit
        assert len({case.image_id for case in found}) == limit
    counts = Counter(case.rule for case in choose_cases(row(), [data], limit=40))
    assert max(counts.values()) - min(counts.values()) <= 2
    assert len(counts) > 8


def test_one_image_of_a_lesion_in_a_rule():
    for cases in [choose_cases(row(), [predictions(frame(400, skill=0.5))], limit=400)]:
        pairs = Counter((case.rule, case.group_id) for case in cases)
        assert max(pairs.values()) == 1


def test_row_order_changes_nothing_and_val_and_conditions_are_left_out():
    data = frame(300)
    noise = pd.concat([data.assign(split="val", fold=1), data.assign(condition="blur@3")])
    mixed = pd.concat([noise, data]).sample(frac=1, random_state=0)
    assert choose_cases(row(), [predictions(data)]) == choose_cases(row(), [predictions(mixed)])


def test_without_the_focus_class_and_without_images():
    two = ("bcc", "nv")
    data = decided([0, 1, 1], [0, 1, 0], classes=two)
    rules = [case.rule for case in choose_cases(row(classes=two), [predictions(data, two)])]
    assert rules[0] == "most confident mistakes"
    assert choose_cases(row(), []) == ()
    assert choose_cases(row(), [predictions(frame(3).iloc[:0])]) == ()
    assert CLASSES
