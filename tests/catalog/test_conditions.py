"""Altered test images: the same ones every time, each on its own, worse with every strength."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from PIL import Image

from skinbench import registry

NAMES = [n for n in registry.conditions.names() if registry.conditions.get(n).apply is not None]
SIZE = 64
IDS = ["a", "b", "c", "d"]
ISSUE = {
    "zoom", "rotation", "brightness", "colour_cast", "blur", "jpeg", "hair", "ruler", "vignette",
}  # fmt: skip


@pytest.fixture(scope="module")
def images():
    """Four smooth skins with a dark spot off the centre."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    made = []
    for _ in IDS:
        base = generator.uniform(130, 170, size=3)
        rough = generator.normal(0, 6, size=(SIZE, SIZE, 1))
        spot = np.exp(-((x - 0.4) ** 2 + (y - 0.55) ** 2) / 0.02)[..., None]
        made.append(np.clip(base + rough - 90 * spot, 0, 255))
    return np.rint(made).astype(np.uint8)


def altered(name, images, strength, ids=IDS):
    entry = registry.conditions.get(name)
    return entry.apply(images, strength, ids) if entry.by_image else entry.apply(images, strength)


def test_all_of_them_are_there():
    assert set(NAMES) >= ISSUE


@pytest.mark.parametrize("name", NAMES)
def test_every_strength_changes_more_than_the_one_below(name, images):
    before = images.copy()
    costs = []
    for strength in range(1, 6):
        found = altered(name, images, strength)
        assert found.dtype == np.uint8
        assert found.shape == images.shape
        costs.append(float(np.abs(found.astype(int) - images).mean()))
    assert np.array_equal(images, before), "what was given is left alone"
    assert costs[0] > 0
    assert costs == sorted(costs)
    assert costs[-1] > 1.5 * costs[0]


@pytest.mark.parametrize("name", NAMES)
def test_each_image_is_altered_on_its_own_and_the_same_every_time(name, images):
    whole = altered(name, images, 3)
    assert np.array_equal(altered(name, images, 3), whole)
    order = [2, 0, 3, 1]
    turned = altered(name, images[order], 3, [IDS[i] for i in order])
    assert np.array_equal(turned, whole[order])
    assert np.array_equal(altered(name, images[1:2], 3, IDS[1:2]), whole[1:2])


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_does(name):
    assert registry.conditions.get(name).note


DRAWN = [name for name in NAMES if registry.conditions.get(name).by_image]


@pytest.mark.parametrize("name", DRAWN)
def test_marks_differ_from_image_to_image_and_follow_from_the_id(name):
    plain = np.full((8, SIZE, SIZE, 3), 200, dtype=np.uint8)
    ids = [f"image{n}" for n in range(8)]
    found = altered(name, plain, 3, ids)
    assert len({item.tobytes() for item in found}) == 8
    assert np.array_equal(altered(name, plain[:1], 3, ids[5:6]), found[5:6])
    darker = found.min(axis=(1, 2, 3))
    assert (darker < 120).all(), "every image has its marks"


def test_hairs_of_a_lower_strength_are_among_those_of_a_higher():
    plain = np.full((1, SIZE, SIZE, 3), 200, dtype=np.uint8)
    few, many = (altered("hair", plain, strength, ["a"]) for strength in (1, 5))
    assert (many <= few).all()


def test_the_same_hairs_at_every_size():
    small, large = (
        altered("hair", np.full((1, side, side, 3), 200, np.uint8), 5, ["a"])[0, :, :, 0]
        for side in (64, 256)
    )
    shrunk = np.asarray(Image.fromarray(large).resize((64, 64), Image.Resampling.BOX))
    assert np.corrcoef(small.ravel(), shrunk.ravel())[0, 1] > 0.9


def test_a_quarter_turn_is_a_quarter_turn(images):
    turned = altered("rotation", images, 5)
    assert np.abs(turned.astype(int) - np.rot90(images, axes=(1, 2))).max() <= 1


def test_zooming_enlarges_the_middle():
    dot = np.zeros((1, 65, 65, 3), dtype=np.uint8)
    dot[:, 24:41, 24:41] = 255
    wide = altered("zoom", dot, 4, ["a"])[0, 32, :, 0]
    assert (wide > 127).sum() == pytest.approx(17 * 1.5, abs=1)
    assert wide[32] == 255


def test_colours_shift_to_red_and_corners_go_dark(images):
    cast = altered("colour_cast", images, 3).astype(float).mean(axis=(0, 1, 2))
    plain = images.astype(float).mean(axis=(0, 1, 2))
    assert cast / plain == pytest.approx([1.13, 1.0, 0.87], abs=0.01)
    frame = altered("vignette", images, 5)
    assert frame[:, 0, 0].max() == 0
    middle = slice(SIZE // 2 - 8, SIZE // 2 + 8)
    assert np.array_equal(frame[:, middle, middle], images[:, middle, middle])


def test_ids_are_asked_for_only_where_they_are_used():
    for name in NAMES:
        entry = registry.conditions.get(name)
        assert len(inspect.signature(entry.apply).parameters) == (3 if entry.by_image else 2)
