"""Swap rows and columns of an image with probability p."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from skinbench.records.entries import AugmentEntry

if TYPE_CHECKING:
    import torch


def build(options: Mapping[str, object]) -> torch.nn.Module:
    """Module for [B, 3, S, S] in [0, 1]; a draw per image."""
    import torch

    probability = float(cast(float, options.get("p", 0.5)))

    class Transpose(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            chosen = torch.rand(len(images)).to(images.device) < probability
            return torch.where(chosen[:, None, None, None], images.transpose(2, 3), images)

    return Transpose()


ENTRY = AugmentEntry(version=1, build=build, options={"p": 0.5})
