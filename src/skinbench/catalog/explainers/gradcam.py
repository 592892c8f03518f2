"""Grad-CAM (Selvaraju 2017): a layer's maps weighted by the mean gradient of the class's logit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skinbench.catalog.explainers._layer import (
    Heat,
    Reshape,
    activations_and_gradients,
    to_heat,
)
from skinbench.records.entries import ExplainerEntry

if TYPE_CHECKING:
    import torch


def explain(
    network: torch.nn.Module,
    target_layer: torch.nn.Module,
    reshape: Reshape,
    batch: torch.Tensor,
    metadata: torch.Tensor | None,
    classes: torch.Tensor,
) -> Heat:
    """Heat [B, H, W] in [0, 1] for one class per image; zeros where the map is flat.

    Args:
        network: called as network(batch, metadata) -> logits [B, C].
        target_layer: its output is weighted by its gradient.
        reshape: output -> [B, C, h, w], where it has another layout.
        batch: [B, 3, H, W] float32, normalised.
        metadata: [B, M] float32, or None.
        classes: class index per image [B].
    """
    maps, gradients = activations_and_gradients(
        network, target_layer, reshape, batch, metadata, classes
    )
    cam = (gradients.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1)
    height, width = batch.shape[-2:]
    return to_heat(cam, (height, width))


ENTRY = ExplainerEntry(version=2, explain=explain)
