"""Age, sex and site alone, through one dense layer of 64; no pixels and no encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from skinbench.records.entries import InputEntry

if TYPE_CHECKING:
    import torch

WIDTH = 64


def build(
    n_features: int,  # noqa: ARG001 -- the metadata input reads no image
    n_metadata: int,
    n_classes: int,
    options: Mapping[str, object],  # noqa: ARG001 -- `fields` acts when the table is encoded
) -> torch.nn.Module:
    """Metadata [B, M] -> Dense 64 ReLU -> logits [B, C]."""
    from torch import nn

    class MetadataHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Sequential(nn.Linear(n_metadata, WIDTH), nn.ReLU())
            self.classifier = nn.Linear(WIDTH, n_classes)

        def forward(self, features: torch.Tensor | None, metadata: torch.Tensor) -> torch.Tensor:
            del features
            return self.classifier(self.embedding(metadata))  # type: ignore[no-any-return]

    return MetadataHead()


ENTRY = InputEntry(
    version=1,
    uses_image=False,
    uses_metadata=True,
    build=build,
    options={"fields": ["age", "sex", "site"]},
)
