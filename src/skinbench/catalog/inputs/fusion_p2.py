"""Fusion of Shimbre 2025: flattened image vector ++ 64-d metadata embedding -> logits."""

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
    """Metadata [B, M] -> Dense 64 ReLU; features [B, F] ++ it [B, F + 64] -> logits [B, C].

    Section 3.5: the image's vector goes into the concatenation as the encoder flattens it, and
    one dense layer follows. The paper states neither the activation of the 64 neurons (ReLU is
    taken) nor which 7 features it feeds them: of the columns that its Figure 3 shows, all but
    age, sex and site are ids or give the diagnosis away, so M is as wide as `fields` encode.
    """
    import torch
    from torch import nn

    class FlatFusionHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.metadata = nn.Sequential(nn.Linear(n_metadata, WIDTH), nn.ReLU())
            self.classifier = nn.Linear(n_features + WIDTH, n_classes)

        def forward(self, features: torch.Tensor, metadata: torch.Tensor) -> torch.Tensor:
            both = torch.cat([features, self.metadata(metadata)], dim=1)
            return self.classifier(both)  # type: ignore[no-any-return]

    return FlatFusionHead()


ENTRY = InputEntry(
    version=1,
    uses_image=True,
    uses_metadata=True,
    build=build,
    options={"fields": ["age", "sex", "site"]},
)
