"""Grad-CAM++ (Chattopadhay 2018): Grad-CAM with weights that count each place by itself."""

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

EPSILON = 1e-6
"""Keeps the quotient finite where a gradient is 0; pytorch-grad-cam's value."""


def explain(
    network: torch.nn.Module,
    target_layer: torch.nn.Module,
    reshape: Reshape,
    batch: torch.Tensor,
    metadata: torch.Tensor | None,
    classes: torch.Tensor,
) -> Heat:
    """Heat [B, H, W] in [0, 1] by equation 19 of the paper, the class's score taken as its logit.

    Arguments are those of Grad-CAM.
    """
    maps, gradients = activations_and_gradients(
        network, target_layer, reshape, batch, metadata, classes
    )
    square = gradients**2
    below = 2 * square + maps.sum(dim=(2, 3), keepdim=True) * square * gradients + EPSILON
    alpha = (square / below).where(gradients != 0, gradients.new_zeros(()))
    weights = (gradients.clamp(min=0) * alpha).sum(dim=(2, 3), keepdim=True)
    height, width = batch.shape[-2:]
    return to_heat((weights * maps).sum(dim=1), (height, width))


ENTRY = ExplainerEntry(version=1, explain=explain)
