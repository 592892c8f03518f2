"""Flips and quarter turns, each view as likely; a frozen network stores its features of each.

A network that is trained sees a view drawn anew for each image and batch. Features of a frozen
one are computed once for every view of every train image, and an epoch draws one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from skinbench.errors import UsageError
from skinbench.records.entries import AugmentEntry

if TYPE_CHECKING:
    import torch

Moves = tuple[bool, bool, bool]
"""Whether rows and columns are swapped, then rows turned round, then columns."""

VIEWS: Mapping[str, Moves] = {
    "none": (False, False, False),
    "hflip": (False, False, True),
    "vflip": (False, True, False),
    "rot180": (False, True, True),
    "transpose": (True, False, False),
    "rot90": (True, True, False),
    "rot270": (True, False, True),
    "transverse": (True, True, True),
}
"""The eight views of a square; the first four are the two flips and what they make together.
`rot90` is a quarter turn against the clock."""


def views(options: Mapping[str, object]) -> tuple[str, ...]:
    """Names of the views that `views` means: 4, 8, or a list of names.

    Raises:
        UsageError: another number, an unknown name, a name twice, or none.
    """
    asked = options["views"]
    if isinstance(asked, int) and not isinstance(asked, bool) and asked in (4, 8):
        return tuple(VIEWS)[:asked]
    names = tuple(asked) if isinstance(asked, list | tuple) else ()
    if not names or len(set(map(str, names))) < len(names) or not set(names) <= set(VIEWS):
        raise UsageError(
            f"dihedral: views is {asked!r}; expected 4, 8, or a list of some of "
            f"{', '.join(VIEWS)}, each once"
        )
    return cast("tuple[str, ...]", names)


def view(images: npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.uint8]:
    """One view of images [B, S, S, 3], pixel by pixel the same values."""
    swapped, rows, columns = VIEWS[name]
    seen = images.swapaxes(1, 2) if swapped else images
    seen = seen[:, ::-1] if rows else seen
    return np.ascontiguousarray(seen[:, :, ::-1] if columns else seen)


def build(options: Mapping[str, object]) -> torch.nn.Module:
    """Module for [B, 3, S, S]; one of the views for each image, all alike."""
    import torch

    moves = [VIEWS[name] for name in views(options)]

    class Dihedral(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            drawn = torch.randint(len(moves), (len(images),))
            chosen = torch.tensor(moves)[drawn].to(images.device)[:, :, None, None, None]
            seen = torch.where(chosen[:, 0], images.transpose(2, 3), images)
            seen = torch.where(chosen[:, 1], seen.flip(2), seen)
            return torch.where(chosen[:, 2], seen.flip(3), seen)

    return Dihedral()


ENTRY = AugmentEntry(version=1, build=build, options={"views": 4}, views=views, view=view)
