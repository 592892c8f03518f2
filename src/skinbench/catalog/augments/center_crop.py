"""Keep the centre of every image, in training, validation and prediction alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from skinbench.records.entries import AugmentEntry

if TYPE_CHECKING:
    import torch


def build(options: Mapping[str, object]) -> torch.nn.Module:
    """Module for [B, 3, S, S] -> the centre, `share` of each side.

    With `resize` it is brought back to S x S; without, the network sees round(share * S) pixels
    a side. `restore` puts a map [B, h, w] of the centre back into its place in [B, S, S], zero
    around it.

    Raises:
        ValueError: share is not in (0, 1].
    """
    import torch
    from torch.nn import functional

    share, resize = float(cast(float, options["share"])), bool(options["resize"])
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share is {share:g}; expected more than 0 and at most 1")

    def place(size: int) -> slice:
        side = max(round(share * size), 1)
        start = (size - side) // 2
        return slice(start, start + side)

    def scaled(images: torch.Tensor, size: int) -> torch.Tensor:
        return functional.interpolate(images, (size, size), mode="bilinear", align_corners=False)

    class CenterCrop(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            size = images.shape[-1]
            kept = images[..., place(size), place(size)]
            return scaled(kept, size) if resize and kept.shape[-1] != size else kept

        def restore(self, maps: torch.Tensor, size: int) -> torch.Tensor:
            whole = maps.new_zeros((len(maps), size, size))
            here = place(size)
            whole[:, here, here] = scaled(maps[:, None], here.stop - here.start)[:, 0]
            return whole

    return CenterCrop()


ENTRY = AugmentEntry(
    version=1, build=build, options={"share": 2 / 3, "resize": True}, everywhere=True
)
