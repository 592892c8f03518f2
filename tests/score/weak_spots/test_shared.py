"""What models get wrong together, and networks that do not beat the plain baselines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from skinbench.score.images import pool
from skinbench.score.weak_spots.estimates import Settings
from skinbench.score.weak_spots.plain import against_plain
from skinbench.score.weak_spots.shared import kappa, panels, shared
from tests.score.drawn import CLASSES, decided, frame, predictions, row

SETTINGS = Settings(replicates=200, hardest=3)
MEL, NV, BCC = (CLASSES.index(code) for code in ("mel", "nv", "bcc"))


def images(data):
    return pool(CLASSES, [predictions(data)])["ham", "none"]


def panel(labels, *decisions):
    models = [
        (f"m{index}", "by_lesion", {0: images(decided(np.array(labels), np.array(item)))})
        for index, item in enumerate(decisions)
    ]
    (found,) = panels(models)
    return found


def hand():
    """Five melanomas, three models: m0 misses four of them."""
    labels = [MEL] * 5 + [NV] * 3
    return panel(
        labels,
        [MEL, NV, NV, NV, NV, NV, NV, BCC],
        [MEL, NV, MEL, MEL, NV, NV, MEL, BCC],
        [MEL, NV, NV, MEL, BCC, NV, NV, BCC],
    )


def test_misses_are_taken_apart_by_who_else_catches_them():
    first, second, third = shared(hand(), SETTINGS, "mel").errors
    assert (first.row, first.n, first.missed, first.others) == ("m0", 5, 4, 2)
    assert (first.missed_by_all, first.caught_by_one, first.caught_by_more) == (2, 1, 1)
    assert first.value == 0.5
    assert "4 lesion groups" in first.reason
    assert first.low is None
    assert (second.missed, second.missed_by_all) == (2, 2)
    assert (third.missed, third.missed_by_all, third.caught_by_one) == (3, 2, 1)


def test_the_share_missed_by_all_has_an_interval_by_lesion():
    models = [(f"m{seed}", "s", {0: images(frame(800, seed=seed, skill=1.0))}) for seed in range(3)]
    (whole,) = panels(models)
    for item in shared(whole, SETTINGS, "mel").errors:
        assert item.missed == item.missed_by_all + item.caught_by_one + item.caught_by_more
        assert item.value == item.missed_by_all / item.missed
        assert item.low < item.value < item.high


def test_agreement_has_intervals_by_lesion():
    models = [(f"m{s}", "s", {0: images(frame(800, seed=s, skill=1.0))}) for s in range(2)]
    (whole,) = panels(models)
    (found,) = shared(whole, SETTINGS, "mel").agreements
    assert found.low < found.value < found.high
    assert found.kappa_low < found.kappa < found.kappa_high


def test_nothing_missed_is_said_and_not_zero():
    item = shared(panel([MEL] * 12, [MEL] * 12, [NV] * 12), SETTINGS, "mel").errors[0]
    assert item.value is None
    assert item.reason == "no image of mel is missed"


def test_agreement_and_errors_in_common():
    first = shared(hand(), SETTINGS, "mel").agreements[0]
    assert (first.row, first.other, first.n) == ("m0", "m1", 8)
    assert first.value == 5 / 8
    assert (first.both_wrong, first.either_wrong) == (3, 6)
    one, other = hand().decisions[:2]
    assert first.kappa == pytest.approx(cohen_kappa_score(one, other), abs=1e-12)


def test_kappa_of_two_constants_is_undefined():
    table = np.zeros((2, 7, 7), dtype=int)
    table[0, 2, 2] = table[1, 2, 3] = 5
    undefined, none = kappa(table)
    assert np.isnan(undefined)
    assert none == 0.0
    found = shared(panel([MEL] * 12, [NV] * 12, [NV] * 12), SETTINGS, "mel").agreements[0]
    assert found.kappa is None
    assert found.value == 1.0


def test_images_against_the_label_are_those_on_which_all_agree():
    found = shared(hand(), SETTINGS, "mel").against_label
    assert found.count == 2
    assert [(i.image_id, i.label, i.decided, i.votes) for i in found.images] == [
        ("i0_00001", "mel", "nv", 3),
        ("i0_00007", "nv", "bcc", 3),
    ]
    assert found.value == 2 / 8
    assert found.models == ("m0", "m1", "m2")


def test_hardest_images_first():
    hardest = shared(hand(), SETTINGS, "mel").hardest
    assert [(i.image_id, i.wrong) for i in hardest] == [
        ("i0_00001", 3),
        ("i0_00004", 3),
        ("i0_00007", 3),
    ]
    everything = shared(hand(), dataclasses.replace(SETTINGS, hardest=99), None)
    assert all(item.wrong for item in everything.hardest), "what all recognise is not hard"
    assert everything.errors == ()


def test_only_models_on_the_same_images_are_put_together():
    data = frame(60)
    one, other = images(data), images(data.iloc[:50])
    assert panels([("a", "s", {0: one}), ("b", "s", {0: other})]) == []
    assert panels([("a", "s", {0: one}), ("b", "t", {0: one})]) == [], "other splits"
    relabelled = data.assign(label=data["label"].replace("mel", "nv"))
    assert panels([("a", "s", {0: one}), ("b", "s", {0: images(relabelled)})]) == []


def test_a_network_beats_the_baselines_only_where_each_interval_is_above_zero():
    majority = frame(600, seed=1, skill=0.0)
    weak, strong = frame(600, seed=2, skill=0.05), frame(600, seed=3, skill=2.5)
    sets = {
        name: {0: images(data)}
        for name, data in {"plain": majority, "weak": weak, "strong": strong}.items()
    }
    baseline = [row("plain", kind="plain")]
    (lost,) = against_plain(row("weak"), baseline, sets, SETTINGS, {})
    assert not lost.beats
    assert lost.low < 0 < lost.high
    (won,) = against_plain(row("strong"), baseline, sets, SETTINGS, {})
    assert won.beats
    assert won.low > 0
    (own,) = against_plain(row("plain"), baseline, sets, SETTINGS, {})
    assert not own.beats, "equal to the baseline is not better"
    assert own.difference == 0


def test_other_images_are_no_comparison():
    sets = {"a": {0: images(frame(60))}, "plain": {0: images(frame(50))}}
    (found,) = against_plain(row("a"), [row("plain", kind="plain")], sets, SETTINGS, {})
    assert found.difference is None
    assert not found.beats
    assert found.reason == "not judged on the same images"
