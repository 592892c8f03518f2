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
