"""Turn an image by a random angle about its centre; corners that become free are black."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from skinbench.records.entries import AugmentEntry

if TYPE_CHECKING:
    import torch


def build(options: Mapping[str, object]) -> torch.nn.Module:
    """Module for [B, 3, H, W] in [0, 1]; a draw per image, angle uniform in +-degrees."""
    from kornia import augmentation

    degrees = float(cast(float, options.get("degrees", 20.0)))
    probability = float(cast(float, options.get("p", 1.0)))
    return cast("torch.nn.Module", augmentation.RandomRotation(degrees=degrees, p=probability))


ENTRY = AugmentEntry(version=1, build=build, options={"degrees": 20.0, "p": 1.0})
