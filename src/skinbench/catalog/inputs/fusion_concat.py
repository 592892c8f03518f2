"""Image features and metadata side by side, through one dense layer of 64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from skinbench.records.entries import InputEntry

if TYPE_CHECKING:
    import torch

WIDTH = 64


def build(
    n_features: int,
    n_metadata: int,
    n_classes: int,
    options: Mapping[str, object],  # noqa: ARG001 -- `fields` acts when the table is encoded
) -> torch.nn.Module:
    """Features [B, F] ++ metadata [B, M] -> Dense 64 ReLU -> logits [B, C]."""
    import torch
    from torch import nn

    class ConcatHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.joint = nn.Sequential(nn.Linear(n_features + n_metadata, WIDTH), nn.ReLU())
            self.classifier = nn.Linear(WIDTH, n_classes)

        def forward(self, features: torch.Tensor, metadata: torch.Tensor) -> torch.Tensor:
            joined = self.joint(torch.cat([features, metadata], dim=1))
            return self.classifier(joined)  # type: ignore[no-any-return]

    return ConcatHead()


ENTRY = InputEntry(
    version=1,
    uses_image=True,
    uses_metadata=True,
    build=build,
    options={"fields": ["age", "sex", "site"]},
)
