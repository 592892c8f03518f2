"""Multiply an image's values by a random factor, clipped to [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from skinbench.records.entries import AugmentEntry

if TYPE_CHECKING:
    import torch


def build(options: Mapping[str, object]) -> torch.nn.Module:
    """Module for [B, 3, H, W] in [0, 1]; a factor uniform in 1 +- limit for each image.

    About zero, as in Albumentations' RandomContrast, not about the image's mean.
    """
    from kornia import augmentation

    limit = float(cast(float, options.get("limit", 0.2)))
    probability = float(cast(float, options.get("p", 1.0)))
    module = augmentation.RandomContrast(contrast=(1.0 - limit, 1.0 + limit), p=probability)
    return cast("torch.nn.Module", module)


ENTRY = AugmentEntry(version=1, build=build, options={"limit": 0.2, "p": 1.0})
