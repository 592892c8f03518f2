"""Shift, scale and turn an image by random amounts; what becomes free is black."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from skinbench.records.entries import AugmentEntry

if TYPE_CHECKING:
    import torch


def build(options: Mapping[str, object]) -> torch.nn.Module:
    """Module for [B, 3, H, W] in [0, 1]; a draw per image.

    `shift` is a share of the side, `scale` a share of 1, `degrees` the angle; each uniform
    in +-.
    """
    from kornia import augmentation

    shift, scale, degrees, probability = (
        float(cast(float, options[name])) for name in ("shift", "scale", "degrees", "p")
    )
    module = augmentation.RandomAffine(
        degrees, translate=(shift, shift), scale=(1.0 - scale, 1.0 + scale), p=probability
    )
    return cast("torch.nn.Module", module)


ENTRY = AugmentEntry(
    version=1, build=build, options={"shift": 0.1, "scale": 0.1, "degrees": 15.0, "p": 0.5}
)
