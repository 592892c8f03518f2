"""Draw each epoch anew, as many images as train has, every class with equal probability."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import TechniqueEntry


def draw(
    labels: npt.NDArray[np.int64],
    n_classes: int,
    options: Mapping[str, object],  # noqa: ARG001 -- none
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Positions of one epoch in the order of training [N], with replacement.

    For each position a class that train has, all alike, then one of its images, all alike. No
    image is left out for good: over the epochs every one of a large class has its turn.

    Args:
        labels: class of each train image [N].
        n_classes: C.
        options: none.
        rng: of this epoch.
    """
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels, minlength=n_classes)
    starts = np.cumsum(counts) - counts
    classes = rng.choice(np.flatnonzero(counts), size=len(labels))
    within = (rng.random(len(labels)) * counts[classes]).astype(np.int64)
    return np.asarray(order[starts[classes] + within], dtype=np.int64)


ENTRY = TechniqueEntry(version=1, draw=draw)
