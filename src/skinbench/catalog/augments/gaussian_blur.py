"""Blur an image with a Gaussian of random width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from skinbench.records.entries import AugmentEntry

if TYPE_CHECKING:
    import torch


def build(options: Mapping[str, object]) -> torch.nn.Module:
    """Module for [B, 3, H, W] in [0, 1]; a width for each image, borders mirrored.

    `kernel` is the side in pixels, an odd number. The standard deviation is uniform between
    those that OpenCV gives a kernel of 3 and one of this side: 0.15 * side + 0.35 pixels.

    Raises:
        ValueError: kernel is no odd number of 3 or more.
    """
    from kornia import augmentation

    kernel = int(cast(int, options.get("kernel", 5)))
    if kernel < 3 or kernel % 2 == 0:
        raise ValueError(f"kernel is {kernel}; expected an odd number of 3 or more")
    probability = float(cast(float, options.get("p", 0.5)))
    widths = (0.15 * 3 + 0.35, 0.15 * kernel + 0.35)
    module = augmentation.RandomGaussianBlur((kernel, kernel), widths, p=probability)
    return cast("torch.nn.Module", module)


ENTRY = AugmentEntry(version=1, build=build, options={"kernel": 5, "p": 0.5})
