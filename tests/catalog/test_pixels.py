"""What networks see in place of an image."""

from __future__ import annotations

import numpy as np
import pytest

from skinbench import registry
from skinbench.errors import UsageError

IMAGES = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), dtype=np.uint8)
HEAT = np.zeros((3, 4, 4), dtype=np.float32)
HEAT[0, :, 2:] = 1.0
HEAT[1] = 0.25  # flat, and so is the third
CAM = registry.pixels.get("cam_overlay")


def overlay(images=IMAGES, heat=HEAT, size=8, **options):
    return CAM.make(images, heat, size, {**CAM.options, **options})


def test_an_overlay_by_hand():
    from matplotlib import colormaps

    made, flat = overlay(strength=0.5)
    cold, hot = (np.array(colormaps["jet"](x)[:3]) * 255 for x in (0.0, 1.0))
    assert made[0, 0, 0] == pytest.approx(np.rint(0.5 * IMAGES[0, 0, 0] + 0.5 * cold), abs=1)
    assert made[0, 0, 7] == pytest.approx(np.rint(0.5 * IMAGES[0, 0, 7] + 0.5 * hot), abs=1)
    assert flat.tolist() == [False, True, True]
    assert np.array_equal(made[1:], IMAGES[1:])


def test_a_map_is_stretched_to_its_own_range():
    faint, _ = overlay(heat=HEAT * 0.1)
    assert np.array_equal(faint[0], overlay()[0][0])


def test_strength_nought_is_the_image_and_images_stand_alone():
    assert np.array_equal(overlay(strength=0)[0], IMAGES)
    both = overlay()[0]
    assert np.array_equal(overlay(IMAGES[:1], HEAT[:1])[0], both[:1])
    assert not np.array_equal(overlay(colours="plasma")[0], both)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colours": "jett"}, "did you mean 'jet'"),
        ({"strength": 1.5}, "1.5 is not within 0..1"),
        ({"strength": "much"}, "a number in 0..1"),
    ],
)
def test_options_that_cannot_be(options, said):
    with pytest.raises(UsageError, match=said):
        overlay(**options)


# --- regions ----------------------------------------------------------------------------


CROP, MASKED = registry.pixels.get("region_crop"), registry.pixels.get("region_mask")
SQUARE = np.zeros((1, 16, 16), dtype=np.float32)
SQUARE[0, 4:8, 6:12] = 0.9
STEPS = np.arange(16 * 16 * 3, dtype=np.uint16).reshape(1, 16, 16, 3).astype(np.uint8)


def region(entry, images=STEPS, maps=SQUARE, size=16, **options):
    return entry.make(images, maps, size, {**entry.options, **options})


def test_a_crop_by_hand():
    """The box is 4 x 6: a square of 6, centred, one row above the box and one below."""
    made, whole = region(CROP, size=6, margin=0)
    assert whole.tolist() == [False]
    assert np.array_equal(made[0], STEPS[0, 3:9, 6:12])
    wider, _ = region(CROP, size=10, margin=1 / 3)
    assert np.array_equal(wider[0], STEPS[0, 1:11, 4:14])


def test_a_crop_is_moved_into_the_image_and_never_larger():
    corner = np.zeros((1, 16, 16), dtype=np.float32)
    corner[0, :4, :4] = 1
    made, _ = region(CROP, maps=corner, size=8, margin=0.5)
    assert np.array_equal(made[0], STEPS[0, :8, :8])
    everything, whole = region(CROP, maps=corner, size=16, margin=5)
    assert np.array_equal(everything, STEPS)
    assert not whole.any(), "the lesion was found; its square is the whole image"


def test_a_crop_of_a_larger_source_keeps_what_it_shows():
    """The map is read at 16 px, the source at 32: the square is twice as large there."""
    source = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3), dtype=np.uint8)
    made, _ = region(CROP, images=source, size=12, margin=0)
    assert np.array_equal(made[0], source[0, 6:18, 12:24])


def test_a_masked_image_by_hand():
    found = SQUARE[0] > 0.5
    made, whole = region(MASKED, margin=0, fill=7)
    assert whole.tolist() == [False]
    assert np.array_equal(made[0][found], STEPS[0][found])
    assert (made[0][~found] == 7).all()
    wider, _ = region(MASKED, margin=2 / 16, fill=7)
    assert np.array_equal(wider[0, 2, 6:12], STEPS[0, 2, 6:12])
    assert (wider[0, 1] == 7).all()


@pytest.mark.parametrize("entry", [CROP, MASKED], ids=["crop", "mask"])
def test_where_nothing_is_found_the_whole_image_is_seen(entry):
    speck = np.zeros((1, 16, 16), dtype=np.float32)
    speck[0, 3, 3] = 1
    for maps, options in (
        (np.zeros_like(speck), {}),
        (np.full_like(speck, 0.5), {}),
        (speck, {"least": 0.01}),
    ):
        made, whole = region(entry, maps=maps, **options)
        assert whole.tolist() == [True]
        assert np.array_equal(made, STEPS)
    assert region(entry, maps=speck, least=0)[1].tolist() == [False]


def test_of_several_regions_the_largest_counts():
    two = SQUARE.copy()
    two[0, 13:15, 1:3] = 1
    for entry in (CROP, MASKED):
        assert np.array_equal(region(entry, maps=two)[0], region(entry)[0])


@pytest.mark.parametrize(
    ("entry", "options", "said"),
    [
        (CROP, {"margin": -0.1}, r"region_crop: margin is a number in 0\.\.5"),
        (CROP, {"least": "some"}, "least is a number"),
        (MASKED, {"threshold": 2}, r"region_mask: threshold is a number in 0\.\.1"),
        (MASKED, {"fill": 300}, "fill is a grey value"),
    ],
)
def test_region_options_that_cannot_be(entry, options, said):
    with pytest.raises(UsageError, match=said):
        region(entry, **options)
