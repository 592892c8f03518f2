"""Techniques that choose which train images an epoch has."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.records import NamedSpec, TechniqueEntry

LABELS = np.repeat([0, 1, 3], [60, 20, 5])[np.random.default_rng(0).permutation(85)]
"""Class 2 of 4 has no image."""


def copies(name, labels=LABELS, seed=0, **options):
    return registry.techniques.get(name).copies(labels, 4, options, seed)


def drawn(labels, seed):
    entry = registry.techniques.get("class_balanced")
    return entry.draw(np.asarray(labels), 4, {}, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("ratio", "kept"), [(1.0, [5, 5, 0, 5]), (2.5, [12, 12, 0, 5]), (100, [60, 20, 0, 5])]
)
def test_undersampling_to_a_ratio_of_the_smallest_class(ratio, kept):
    found = copies("undersampling", ratio=ratio)
    assert set(found) <= {0, 1}
    assert np.bincount(LABELS, weights=found, minlength=4).tolist() == kept


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=60),
    ratio=st.floats(1, 10),
    seed=st.integers(0, 2**40),
)
@settings(max_examples=60)
def test_undersampling_keeps_the_smallest_class_whole(labels, ratio, seed):
    labels = np.array(labels)
    found = copies("undersampling", labels, seed, ratio=ratio)
    there, kept = np.bincount(labels, minlength=4), np.bincount(labels, found, minlength=4)
    least = there[there > 0].min()
    assert (kept == np.minimum(there, np.floor(round(ratio * least, 9)))).all()


def test_a_fixed_subset_has_as_many_of_each_class():
    assert np.bincount(LABELS, copies("balanced_subset"), 4).tolist() == [5, 5, 0, 5]
    assert np.bincount(LABELS, copies("balanced_subset", per_class=3), 4).tolist() == [3, 3, 0, 3]
    assert np.array_equal(copies("balanced_subset", seed=4), copies("balanced_subset", seed=4))
    assert not np.array_equal(copies("balanced_subset", seed=4), copies("balanced_subset", seed=5))


def test_smaller_subsets_are_parts_of_larger_ones():
    three, five = copies("balanced_subset", per_class=3), copies("balanced_subset", per_class=5)
    assert (three <= five).all()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("undersampling", {"ratio": 0.5}, "ratio is 0.5; expected 1 or more"),
        ("undersampling", {"ratio": float("nan")}, "ratio is nan"),
        ("balanced_subset", {"per_class": 6}, "the smallest class has 5 train images"),
        ("balanced_subset", {"per_class": 0}, "a whole number"),
        ("balanced_subset", {"per_class": True}, "a whole number"),
    ],
)
def test_options_that_cannot_be(name, options, words):
    with pytest.raises(UsageError, match=words):
        copies(name, **options)


@given(labels=st.lists(st.sampled_from([0, 1, 3]), min_size=1, max_size=50), seed=st.integers(0, 9))
@settings(max_examples=60)
def test_an_epoch_has_as_many_images_as_train(labels, seed):
    found = drawn(labels, seed)
    assert len(found) == len(labels)
    assert found.min() >= 0
    assert found.max() < len(labels)
    assert np.array_equal(found, drawn(labels, seed))


def test_classes_are_drawn_alike_and_so_are_the_images_of_a_class():
    found = np.concatenate([drawn(LABELS, seed) for seed in range(200)])
    times = np.bincount(found, minlength=85)
    n = len(found)
    for code, size in ((0, 60), (1, 20), (3, 5)):
        mine = times[code == LABELS]
        assert mine.sum() == pytest.approx(n / 3, abs=5 * np.sqrt(n * 2 / 9))
        assert np.abs(mine - n / 3 / size).max() < 5 * np.sqrt(n / 3 / size)
    assert (times > 0).all()  # no image of the large class is left out for good


def test_one_technique_has_one_sampler():
    copying = registry.techniques.get("oversampling").copies
    drawing = registry.techniques.get("class_balanced").draw
    with pytest.raises(ValueError, match="not both"):
        TechniqueEntry(version=1, copies=copying, draw=drawing)
    assert list(inspect.signature(drawing).parameters) == ["labels", "n_classes", "options", "rng"]


@pytest.mark.torch
def test_epochs_differ_and_repeat():
    from skinbench.learn.batches import drawn_order

    chosen = NamedSpec(name="class_balanced")
    first = drawn_order(chosen, LABELS, 4, 7, 1)
    assert np.array_equal(first, drawn_order(chosen, LABELS, 4, 7, 1))
    assert not np.array_equal(first, drawn_order(chosen, LABELS, 4, 7, 2))
    assert not np.array_equal(first, drawn_order(chosen, LABELS, 4, 8, 1))


@pytest.mark.torch
@pytest.mark.parametrize("given_", [[], [85], [-1], [[1, 2]]])
def test_a_plug_in_that_draws_nonsense_is_refused(monkeypatch, given_):
    from skinbench.learn.batches import drawn_order

    entry = TechniqueEntry(version=1, draw=lambda *_: np.array(given_, dtype=np.int64))
    monkeypatch.setattr(registry.techniques, "get", lambda _: entry)
    with pytest.raises(
        UsageError, match="technique odd: its draw must give positions from 0 to 84"
    ):
        drawn_order(NamedSpec(name="odd"), LABELS, 4, 0, 1)
