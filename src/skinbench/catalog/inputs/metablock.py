"""MetaBlock (Pacheco and Krohling 2021): metadata gate groups of image features."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from skinbench.errors import UsageError
from skinbench.records.entries import InputEntry

if TYPE_CHECKING:
    import torch


def build(
    n_features: int, n_metadata: int, n_classes: int, options: Mapping[str, object]
) -> torch.nn.Module:
    """sigmoid(tanh(f(m) * v) + g(m)) of features v [B, F] -> logits [B, C].

    Pacheco and Krohling, An Attention-Based Mechanism to Combine Images and Metadata in Deep
    Learning Models Applied to Skin Cancer Classification, IEEE JBHI 25(9), 2021: f and g are
    each a dense layer of metadata m [B, M] with batch normalisation, one value for a map of
    features. As in the authors' code the pooled vector is cut into maps of `map_size` (32)
    features; where F is no multiple of it, their greatest common divisor is taken. The result
    lies in 0..1 and is no identity at first: the paper asks for none.

    Raises:
        UsageError: `map_size` is no whole number of 1 or more.
    """
    import torch
    from torch import nn

    size = options["map_size"]
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise UsageError(f"input metablock: map_size is a whole number from 1, got {size!r}")
    width = math.gcd(size, n_features)
    maps = n_features // width

    class MetaBlockHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gate = nn.Sequential(nn.Linear(n_metadata, maps), nn.BatchNorm1d(maps))
            self.shift = nn.Sequential(nn.Linear(n_metadata, maps), nn.BatchNorm1d(maps))
            self.classifier = nn.Linear(n_features, n_classes)

        def modulate(self, features: torch.Tensor, metadata: torch.Tensor) -> torch.Tensor:
            cut = features.reshape(len(features), maps, width)
            gate, shift = self.gate(metadata)[:, :, None], self.shift(metadata)[:, :, None]
            return torch.sigmoid(torch.tanh(gate * cut) + shift).flatten(1)

        def forward(self, features: torch.Tensor, metadata: torch.Tensor) -> torch.Tensor:
            return self.classifier(self.modulate(features, metadata))  # type: ignore[no-any-return]

    return MetaBlockHead()


ENTRY = InputEntry(
    version=1,
    uses_image=True,
    uses_metadata=True,
    build=build,
    options={"fields": ["age", "sex", "site"], "map_size": 32},
)
