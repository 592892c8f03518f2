"""Score-CAM (Wang 2020): maps weighted by the logit of the image seen through each; slow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skinbench.catalog.explainers._layer import Heat, Reshape, activations, still, to_heat
from skinbench.records.entries import ExplainerEntry

if TYPE_CHECKING:
    import torch

CHANNELS = 64
"""Masked images in one pass."""


def explain(
    network: torch.nn.Module,
    target_layer: torch.nn.Module,
    reshape: Reshape,
    batch: torch.Tensor,
    metadata: torch.Tensor | None,
    classes: torch.Tensor,
) -> Heat:
    """Heat [B, H, W] in [0, 1]; as many forward passes an image as the layer has channels.

    Weights are the softmax over channels of the class's logit for the image times the enlarged
    map, scaled to 0..1, as pytorch-grad-cam does. Arguments are those of Grad-CAM.
    """
    import torch
    from torch.nn import functional

    height, width = batch.shape[-2:]
    maps = activations(network, target_layer, reshape, batch, metadata)
    cams = []
    with still(network), torch.inference_mode():
        for index, own in enumerate(maps):
            large = functional.interpolate(
                own[None], size=(height, width), mode="bilinear", align_corners=True
            )[0]
            low = large.amin(dim=(1, 2), keepdim=True)
            masks = (large - low) / (large.amax(dim=(1, 2), keepdim=True) - low + 1e-8)
            scores = []
            for part in torch.split(masks, CHANNELS):
                seen = batch[index] * part[:, None]
                about = None if metadata is None else metadata[index].expand(len(part), -1)
                scores.append(network(seen, about)[:, classes[index]])
            weights = torch.softmax(torch.cat(scores), dim=0)
            cams.append((weights[:, None, None] * own).sum(dim=0))
    return to_heat(torch.stack(cams), (height, width))


ENTRY = ExplainerEntry(version=1, explain=explain, slow=True)
