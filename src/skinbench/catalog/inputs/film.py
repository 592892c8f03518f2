"""FiLM (Perez 2018): metadata scale and shift each image feature, starting as the image alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from skinbench.records.entries import InputEntry

if TYPE_CHECKING:
    import torch


def build(
    n_features: int,
    n_metadata: int,
    n_classes: int,
    options: Mapping[str, object],  # noqa: ARG001 -- `fields` acts when the table is encoded
) -> torch.nn.Module:
    """(1 + dg(m)) * features + b(m) -> logits [B, C], with dg and b linear in metadata m [B, M].

    Perez et al., FiLM: Visual Reasoning with a General Conditioning Layer, AAAI 2018: the scale
    is learnt as its difference from 1, so that it does not begin by switching features off. dg
    and b begin at zero here, so that a fit's first step sees the image alone. The paper
    modulates feature maps; here it is the encoder's vector [B, F], which frozen encoders have
    in the store, too: for a vector that is the mean over a map, both are the same.
    """
    from torch import nn

    class FilmHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Linear(n_metadata, n_features)
            self.shift = nn.Linear(n_metadata, n_features)
            self.classifier = nn.Linear(n_features, n_classes)
            for layer in (self.scale, self.shift):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)

        def modulate(self, features: torch.Tensor, metadata: torch.Tensor) -> torch.Tensor:
            return (1.0 + self.scale(metadata)) * features + self.shift(metadata)  # type: ignore[no-any-return]

        def forward(self, features: torch.Tensor, metadata: torch.Tensor) -> torch.Tensor:
            return self.classifier(self.modulate(features, metadata))  # type: ignore[no-any-return]

    return FilmHead()


ENTRY = InputEntry(
    version=1,
    uses_image=True,
    uses_metadata=True,
    build=build,
    options={"fields": ["age", "sex", "site"]},
)
