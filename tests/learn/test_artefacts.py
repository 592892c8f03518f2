"""Artefacts on drawn skin: where they are found, and which heat is flagged."""

from __future__ import annotations

import numpy as np
import pytest

from skinbench import registry
from skinbench.learn.artefacts import artefact_flags, artefact_regions
from skinbench.records import ARTEFACTS

pytestmark = pytest.mark.torch  # of the same extra: opencv
SIDE = 128


def skin(count=4):
    """Smooth skin with a soft round lesion."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    lesion = 1 / (1 + np.exp((np.hypot(x, y) - 0.22) * 40))[..., None]
    one = np.array([225, 180, 155]) * (1 - lesion) + np.array([95, 60, 45]) * lesion
    noise = np.random.default_rng(0).normal(0, 3, (count, SIDE, SIDE, 3))
    return np.clip(one + noise, 0, 255).astype(np.uint8)


def with_condition(name, strength):
    images = skin()
    entry = registry.conditions.get(name)
    ids = ([f"i{n}" for n in range(len(images))],) if entry.by_image else ()
    return images, entry.apply(images, strength, *ids)


def test_clean_skin_and_a_lesion_are_no_artefact():
    found = artefact_regions(skin())
    assert set(found) == set(ARTEFACTS)
    assert not found["vignette"].any()
    assert found["lines"].mean() < 0.002
    assert found["corners"].mean() == pytest.approx(1 - np.pi / 4, abs=0.01)


@pytest.mark.parametrize(("name", "least"), [("hair", 0.95), ("ruler", 0.8)])
def test_drawn_hairs_and_rulers_are_found(name, least):
    images, marked = with_condition(name, 3)
    changed = np.abs(marked.astype(int) - images).max(axis=3) > 60
    found = artefact_regions(marked)["lines"]
    assert (found & changed).sum() / changed.sum() > least
    near = np.abs(marked.astype(int) - images).max(axis=3) > 8
    assert (found & near).sum() / found.sum() > 0.8


def test_a_drawn_vignette_is_found_and_a_black_lesion_is_none():
    images, marked = with_condition("vignette", 3)
    black = marked.max(axis=3) < 20
    found = artefact_regions(marked)["vignette"]
    assert (found & black).sum() / black.sum() > 0.99
    images[:, 50:70, 50:70] = 0
    assert not artefact_regions(images)["vignette"].any()


def test_heat_is_flagged_for_what_it_lies_on():
    _, marked = with_condition("vignette", 4)
    _, ruled = with_condition("ruler", 4)
    corners = np.zeros((4, SIDE, SIDE), np.float32)
    corners[:, :12, :12] = 1
    centre = np.zeros_like(corners)
    centre[:, 50:70, 50:70] = 1
    assert artefact_flags(corners, marked) == [("corners", "vignette")] * 4
    assert artefact_flags(centre, marked) == [()] * 4
    on_ticks = artefact_regions(ruled)["lines"].astype(np.float32)
    assert all("lines" in flags for flags in artefact_flags(on_ticks, ruled))
    assert artefact_flags(np.ones_like(corners), marked) == [()] * 4, "even heat is on everything"
    assert artefact_flags(np.zeros_like(corners), marked) == [()] * 4, "a flat map is on nothing"
    assert artefact_flags(corners[:0], marked[:0]) == []
