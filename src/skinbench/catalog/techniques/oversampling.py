"""Repeat train images so that every class is drawn as often as the largest one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import TechniqueEntry


def copies(
    labels: npt.NDArray[np.int64],
    n_classes: int,
    options: Mapping[str, object],  # noqa: ARG001 -- none
    seed: int,
) -> npt.NDArray[np.int64]:
    """How often each train image is drawn in an epoch [N].

    Every class present sums to the largest class's count exactly; the copies of a class
    differ by at most one, and the seed says which images get the extra one.
    """
    counts = np.bincount(labels, minlength=n_classes)
    target = int(counts.max(initial=0))
    result = np.zeros(len(labels), dtype=np.int64)
    generator = np.random.default_rng(seed)
    for code in range(n_classes):
        members = np.flatnonzero(labels == code)
        if members.size:
            result[members], extra = divmod(target, members.size)
            result[generator.permutation(members)[:extra]] += 1
    return result


ENTRY = TechniqueEntry(version=1, copies=copies)
