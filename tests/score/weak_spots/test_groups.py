"""Subgroups: values, gaps, the floor and the worst of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from skinbench.score.evaluate import replicate_values
from skinbench.score.images import pool
from skinbench.score.intervals import percentile
from skinbench.score.proportions import GroupSums
from skinbench.score.weak_spots.estimates import Settings, newcombe
from skinbench.score.weak_spots.groups import group_scores, slice_notes
from tests.score.drawn import CLASSES, decided, frame, predictions

SETTINGS = Settings(replicates=200, floor=10)
PLACE = ("row", "ham")


def images(data):
    return pool(CLASSES, [predictions(data)])["ham", "none"]


def thirds(data):
    """Subgroup a, b, c or none by image, with no regard to the lesion."""
    names = ["a", "b", "c", None]
    drawn = np.random.default_rng(5).choice(4, size=len(data), p=[0.5, 0.2, 0.1, 0.2])
    return {i: names[k] for i, k in zip(data["image_id"], drawn, strict=True) if names[k]}


def found(data, values, settings=SETTINGS, focus="mel", name="sex"):
    return group_scores(PLACE, [images(data)], {name: values}, settings, focus)


def test_value_and_gap_are_those_of_the_images_themselves():
    data = frame(2400)
    values = thirds(data)
    whole = images(data)
    index = CLASSES.index("mel")
    column = np.array([values.get(i) for i in whole.image_ids], dtype=object)
    mel = whole.labels == index
    scores, _ = found(data, values)
    recalls = {item.group: item for item in scores if item.metric == "recall"}
    assert set(recalls) == {"a", "b", "c"}
    for group, item in recalls.items():
        own = mel & (column == group)
        rest = mel & (column != group) & np.array([c is not None for c in column])
        assert item.n == own.sum()
        assert item.n_groups == len(set(whole.groups[own]))
        right = whole.decisions == index
        assert item.value == pytest.approx(right[own].mean(), abs=1e-12)
        assert item.gap == pytest.approx(right[own].mean() - right[rest].mean(), abs=1e-12)


def test_both_sides_of_a_gap_share_their_resamples():
    data = frame(2400)
    values = thirds(data)
    whole = images(data)
    universe = np.unique(whole.groups)
    asked = ("recall", CLASSES.index("mel"))
    column = np.array([values.get(i) for i in whole.image_ids], dtype=object)

    def resampled(mask):
        return replicate_values(
            whole.subset(mask), [asked], replicates=200, seed=0, universe=universe
        )[asked]

    known = np.array([c is not None for c in column])
    difference = resampled(column == "a") - resampled((column != "a") & known)
    expected = percentile(difference, 0.95)
    (item,) = [s for s in found(data, values)[0] if s.metric == "recall" and s.group == "a"]
    assert item.n_groups >= 50, "else Newcombe's interval stands"
    assert (item.gap_low, item.gap_high) == (expected.low, expected.high)


def test_ranking_metrics_are_taken_by_the_same_resamples():
    data = frame(900)
    values = thirds(data)
    settings = dataclasses.replace(SETTINGS, metrics=("auroc:mel", "recall:mel"))
    scores, _ = found(data, values, settings)
    (item,) = [s for s in scores if s.metric == "auroc" and s.group == "a"]
    whole = images(data)
    part = whole.subset(np.array([values.get(i) == "a" for i in whole.image_ids]))
    asked = ("auroc", CLASSES.index("mel"))
    expected = replicate_values(
        part, [asked], replicates=200, seed=0, universe=np.unique(whole.groups)
    )[asked]
    assert item.value == expected[0]
    assert (item.low, item.high) == tuple(np.quantile(expected[1:], [0.025, 0.975]))


def test_below_the_floor_there_is_no_number_but_how_many_there_are():
    data = frame(900)
    settings = dataclasses.replace(SETTINGS, floor=40)
    scores, worst = found(data, thirds(data), settings)
    (item,) = [s for s in scores if s.metric == "recall" and s.group == "c"]
    assert 0 < item.n_groups < 40
    assert item.value is item.low is item.gap is None
    assert item.reason == f"{item.n_groups} lesion groups, fewer than the floor of 40"
    (one,) = [w for w in worst if w.metric == "recall"]
    assert one.group != "c"
    assert one.below_floor >= 1


def test_the_worst_group_is_the_lowest_and_its_bounds_are_wider():
    data = frame(2400, skill=2.0)
    values = thirds(data)
    scores, worst = found(data, values)
    recalls = {s.group: s for s in scores if s.metric == "recall"}
    (one,) = [w for w in worst if w.metric == "recall"]
    lowest = min(recalls.values(), key=lambda item: item.value)
    assert (one.group, one.value, one.compared) == (lowest.group, lowest.value, 3)
    assert one.low <= lowest.low
    assert one.high >= lowest.high
    assert one.high - one.low > lowest.high - lowest.low
    assert one.gap_high - one.gap_low > lowest.gap_high - lowest.gap_low


def test_one_group_alone_has_no_worst():
    data = frame(300)
    one = dict.fromkeys(data["image_id"], "all")
    assert found(data, one) == ([], [])
    two = {**one, data["image_id"][0]: "other"}
    _, worst = found(data, two)
    assert {w.reason for w in worst} == {"1 subgroup with a value"}
    assert {w.group for w in worst} == {None}


def test_dx_type_is_compared_within_a_class():
    labels = np.repeat([CLASSES.index("nv"), CLASSES.index("mel")], [80, 40])
    decisions = labels.copy()
    decisions[:20] = CLASSES.index("mel")  # half of the histology nevi
    data = decided(labels, decisions)
    ways = ["histo"] * 40 + ["follow_up"] * 40 + ["histo"] * 40
    values = dict(zip(data["image_id"], ways, strict=True))
    scores, _ = found(data, values, name="dx_type")
    assert {(s.metric, s.class_) for s in scores} == {("recall", "nv")}
    by = {s.group: s for s in scores}
    assert by["histo"].value == 0.5
    assert by["histo"].gap == -0.5
    assert by["histo"].n == 40
    assert by["follow_up"].value == 1.0
    assert by["histo"].gap_low < -0.5 < by["histo"].gap_high < 0, "all right on one side"


def test_means_over_other_classes_have_no_gap():
    labels = np.repeat([0, 1, 2], [40, 40, 40])
    data = decided(labels, labels)
    values = dict(zip(data["image_id"], ["x"] * 80 + ["y"] * 40, strict=True))
    settings = dataclasses.replace(SETTINGS, metrics=("balanced_accuracy",))
    scores, _ = found(data, values, settings)
    assert {s.gap for s in scores} == {None}
    assert {s.gap_reason for s in scores} == {
        "only one side has akiec, bcc, bkl: means over other classes"
    }


def test_order_and_repetition_leave_no_trace():
    data = frame(700)
    values = thirds(data)
    expected = found(data, values)
    assert found(data.sample(frac=1, random_state=1), values) == expected
    copies = pd.concat([data.assign(image_id=data["image_id"] + f"/{k}") for k in range(3)])
    repeated = {f"{i}/{k}": v for i, v in values.items() for k in range(3)}
    numbers = [(s.value, s.low, s.high, s.gap, s.gap_low, s.gap_high) for s in expected[0]]
    found_ = found(copies, repeated)[0]
    assert [(s.value, s.low, s.high, s.gap, s.gap_low, s.gap_high) for s in found_] == numbers


@pytest.mark.parametrize(
    ("left", "right", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_newcombe_as_published(left, right, low, high):
    """Newcombe 1998, Stat Med 17:873, table II, method 10."""

    def sums(hits, n):
        return [GroupSums(hits=np.repeat([1.0, 0.0], [hits, n - hits]), images=np.ones(n))]

    found_ = newcombe(sums(*left), sums(*right), 0.95)
    assert (found_.low, found_.high) == pytest.approx((low, high), abs=5e-5)


def test_what_no_dataset_says_is_said():
    known = {"sex": {"i": "female"}, "fitzpatrick": {"i": "I-II"}}
    (note,) = slice_notes({"sex": known["sex"]}, ("sex", "fitzpatrick"), {})
    assert note == "Fitzpatrick skin type: no dataset of this run says it of any image"
    (note,) = slice_notes(known, ("sex", "fitzpatrick"), {"fitzpatrick": ["ham"]})
    assert note == "Fitzpatrick skin type: not said of any image of ham"
