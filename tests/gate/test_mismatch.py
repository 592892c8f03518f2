"""What differs between two test sets, in words."""

from dataclasses import replace

import numpy as np
import pytest

from skinbench.gate.mismatch import mismatch
from skinbench.score.images import ScoredImages


def images(**changes):
    n = 4
    made = ScoredImages(
        dataset="ham",
        condition="none",
        classes=("mel", "nv"),
        image_ids=np.array([f"i{index}_abcdefghijkl" for index in range(n)], dtype=object),
        groups=np.array([f"g{index}" for index in range(n)], dtype=object),
        labels=np.zeros(n, dtype=np.int64),
        decisions=np.zeros(n, dtype=np.int64),
        probabilities=np.ones((n, 2)) / 2,
        weights=np.ones(n),
        folds=np.zeros(n, dtype=np.int64),
    )
    return replace(made, **changes)


NAMES = images().image_ids


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        (images(), ""),
        (images().subset(np.array([1, 2, 3])), "1 test image is missing (the first is i0_"),
        (
            images(image_ids=np.array([*NAMES[:2], "x1", "x2"], dtype=object)),
            "2 test images are missing (the first is i2_abcdefghijkl), 2 test images are new (the "
            "first is x1)",
        ),
        (images(labels=np.array([0, 1, 0, 1])), "labels of 2 images differ from the baseline's"),
        (
            images(groups=np.array(["g0", "g1", "g2", "z"], dtype=object)),
            "lesion ids of 1 image differ from the baseline's (the first is i3_abcdefghijkl)",
        ),
        (images(weights=np.array([2.0, 1, 1, 1])), "weights of 1 image differ"),
        (images(folds=np.array([0, 0, 0, 1])), "test images are in other folds"),
    ],
)
def test_it_says_which_images_differ(ours, said):
    found = mismatch({0: ours}, {0: images()})
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_other_seeds_and_salted_ids():
    assert mismatch({0: images()}, {1: images()}) == "seeds differ: 0 here, 1 in the baseline"
    changed = images(labels=np.array([0, 0, 0, 1]))
    assert mismatch({0: changed}, {0: images()}, salted=True).endswith(
        "(the first is i3_abcdefghi)"
    )
