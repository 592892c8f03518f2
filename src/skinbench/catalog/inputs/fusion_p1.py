"""Fusion of Sadvakassov 2026: 64-d image vector ++ 64-d metadata embedding -> dense 64."""

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
    """Dense 64 ReLU on each side, 128 joined -> Dense 64 ReLU -> logits [B, C].

    The paper states 64 dimensions of the image vector but not the layer that makes them;
    a dense layer with ReLU is taken, as on the metadata side.
    """
    import torch
    from torch import nn

    class FusionHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.image = nn.Sequential(nn.Linear(n_features, WIDTH), nn.ReLU())
            self.metadata = nn.Sequential(nn.Linear(n_metadata, WIDTH), nn.ReLU())
            self.joint = nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.ReLU())
            self.classifier = nn.Linear(WIDTH, n_classes)

        def forward(self, features: torch.Tensor, metadata: torch.Tensor) -> torch.Tensor:
            both = torch.cat([self.image(features), self.metadata(metadata)], dim=1)
            return self.classifier(self.joint(both))  # type: ignore[no-any-return]

    return FusionHead()


ENTRY = InputEntry(
    version=1,
    uses_image=True,
    uses_metadata=True,
    build=build,
    options={"fields": ["age", "sex", "site"]},
)
