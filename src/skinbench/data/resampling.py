"""Whether archives brought their images to size in different ways, which a network can see."""

from __future__ import annotations

from skinbench.records import Manifest


def resampled_apart(left: Manifest, right: Manifest) -> bool:
    """Whether one of two datasets has nothing but square images and the other has not."""
    square = [bool((m.table["width"] == m.table["height"]).all()) for m in (left, right)]
    return square[0] != square[1] and not (left.table.empty or right.table.empty)


def resampling_notes(train: Manifest, test: Manifest) -> tuple[str, ...]:
    """What a reader must know of a test on another archive's images."""
    if not resampled_apart(train, test):
        return ()
    return (
        f"{train.name} and {test.name} were resampled differently (one of them has square images "
        f"only): both are squashed to squares, and a network may tell them apart by that",
    )
