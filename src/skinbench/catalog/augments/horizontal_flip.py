"""Mirror an image left to right with probability p."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from skinbench.records.entries import AugmentEntry

if TYPE_CHECKING:
    import torch


def build(options: Mapping[str, object]) -> torch.nn.Module:
    """Module for [B, 3, H, W] in [0, 1]; a draw per image."""
    from kornia import augmentation

    probability = float(cast(float, options.get("p", 0.5)))
    return cast("torch.nn.Module", augmentation.RandomHorizontalFlip(p=probability))


ENTRY = AugmentEntry(version=1, build=build, options={"p": 0.5})
