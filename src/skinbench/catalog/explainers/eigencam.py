"""Eigen-CAM (Muhammad 2020): first principal component of a layer's maps, whatever the class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skinbench.catalog.explainers._layer import Heat, Reshape, activations, to_heat
from skinbench.records.entries import ExplainerEntry

if TYPE_CHECKING:
    import torch


def explain(
    network: torch.nn.Module,
    target_layer: torch.nn.Module,
    reshape: Reshape,
    batch: torch.Tensor,
    metadata: torch.Tensor | None,
    classes: torch.Tensor,  # noqa: ARG001 - it knows no class
) -> Heat:
    """Heat [B, H, W] in [0, 1]; the same for every class.

    A component has no sign of its own. It is turned so that its largest value is positive
    (Chung 2025, Seg-Eigen-CAM, equation 13). Arguments are those of Grad-CAM.
    """
    import torch

    maps = activations(network, target_layer, reshape, batch, metadata)
    places = maps.flatten(2).transpose(1, 2).double()  # [B, h * w, C]
    centred = places - places.mean(dim=1, keepdim=True)
    # The left vectors need only the small h * w by h * w product, not one over all channels.
    vectors = torch.linalg.eigh(centred @ centred.transpose(1, 2)).eigenvectors[:, :, -1]
    low, high = vectors.amin(dim=1, keepdim=True), vectors.amax(dim=1, keepdim=True)
    turned = torch.where(low.abs() > high.abs(), -vectors, vectors)
    spread = centred.abs().amax(dim=(1, 2)) > 0  # of a flat map any vector is first
    cam = (turned * spread[:, None]).view(len(maps), *maps.shape[-2:])
    height, width = batch.shape[-2:]
    return to_heat(cam, (height, width))


ENTRY = ExplainerEntry(version=1, explain=explain)
