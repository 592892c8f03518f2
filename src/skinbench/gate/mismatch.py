"""Why two sides cannot be paired, in words that say where to look."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from skinbench.errors import counted, one_line
from skinbench.score.images import ScoredImages

_PARTS = {"labels": "labels", "groups": "lesion ids", "weights": "weights"}
_SHOWN = 12
"""Characters of a salted id."""


def mismatch(
    candidate: Mapping[int, ScoredImages],
    baseline: Mapping[int, ScoredImages],
    *,
    salted: bool = False,
) -> str:
    """Why two sides cannot be paired, or "" where they can.

    Args:
        candidate: by seed, sorted by image id and fold.
        baseline: likewise.
        salted: ids are hashes, which are shown by their first 12 digits.
    """
    if sorted(candidate) != sorted(baseline):
        ours, theirs = (", ".join(map(str, sorted(side))) for side in (candidate, baseline))
        return f"seeds differ: {ours} here, {theirs} in the baseline"
    length = _SHOWN if salted else None
    for seed in sorted(candidate):
        if found := _images(candidate[seed], baseline[seed], length):
            return found
    return ""


def _images(ours: ScoredImages, theirs: ScoredImages, length: int | None) -> str:
    """What differs for one seed."""
    found = {*ours.image_ids.tolist()}, {*theirs.image_ids.tolist()}
    counts = {"missing": found[1] - found[0], "new": found[0] - found[1]}
    said = [
        f"{counted(len(ids), 'test image')} {'is' if len(ids) == 1 else 'are'} {name} (the first "
        f"is {one_line(min(ids))[:length]})"
        for name, ids in counts.items()
        if ids
    ]
    if said:
        return ", ".join(said)
    if len(ours) != len(theirs) or np.any(ours.folds != theirs.folds):
        return "test images are in other folds than the baseline's"
    for name, words in _PARTS.items():
        differs = np.asarray(getattr(ours, name) != getattr(theirs, name))
        if differs.any():
            return _differs(words, ours.image_ids[differs], length)
    return ""


def _differs(words: str, ids: npt.NDArray[np.object_], length: int | None) -> str:
    first = one_line(str(ids[0]))[:length]
    distinct = len(set(ids.tolist()))
    return (
        f"{words} of {counted(distinct, 'image')} differ from the baseline's (the first is {first})"
    )
