"""The image alone: one linear layer on the encoder's features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from skinbench.records.entries import InputEntry

if TYPE_CHECKING:
    import torch


def build(
    n_features: int,
    n_metadata: int,  # noqa: ARG001 -- the image input reads none
    n_classes: int,
    options: Mapping[str, object],  # noqa: ARG001 -- and has no options
) -> torch.nn.Module:
    """Features [B, F] -> Linear -> logits [B, C]."""
    from torch import nn

    class ImageHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.classifier = nn.Linear(n_features, n_classes)

        def forward(
            self, features: torch.Tensor, metadata: torch.Tensor | None = None
        ) -> torch.Tensor:
            del metadata
            return self.classifier(features)  # type: ignore[no-any-return]

    return ImageHead()


ENTRY = InputEntry(version=1, uses_image=True, uses_metadata=False, build=build)
