"""Occlusion (Zeiler 2014) by captum: how far the class's logit falls where a patch is covered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skinbench.catalog.explainers._layer import Heat, Reshape, still, to_heat
from skinbench.errors import MissingExtraError
from skinbench.records.entries import ExplainerEntry

if TYPE_CHECKING:
    import torch

PATCHES = 8
"""A patch is an eighth of the image's side, and moves by half of itself."""


def explain(
    network: torch.nn.Module,
    target_layer: torch.nn.Module,  # noqa: ARG001 - it looks at the pixels
    reshape: Reshape,  # noqa: ARG001
    batch: torch.Tensor,
    metadata: torch.Tensor | None,
    classes: torch.Tensor,
) -> Heat:
    """Heat [B, H, W] in [0, 1]: the mean fall of the logit over the patches that cover a pixel.

    Patches are covered with 0 in normalised pixels, the mean colour of the network's training;
    where covering raises the logit, heat is 0. Arguments are those of Grad-CAM.

    Raises:
        MissingExtraError: captum is not installed.
    """
    try:
        from captum.attr import Occlusion
    except ImportError as error:
        raise MissingExtraError("occlusion", "run") from error
    import torch

    def logits(pixels: torch.Tensor, about: torch.Tensor | None) -> torch.Tensor:
        return network(pixels, about)  # type: ignore[no-any-return]

    height, width = batch.shape[-2:]
    side = max(1, min(height, width) // PATCHES)
    with still(network), torch.no_grad():
        found = Occlusion(logits).attribute(
            batch,
            sliding_window_shapes=(batch.shape[1], side, side),
            strides=(batch.shape[1], max(1, side // 2), max(1, side // 2)),
            baselines=0.0,
            target=classes,
            additional_forward_args=(metadata,),
            perturbations_per_eval=8,
        )
    return to_heat(found.mean(dim=1), (height, width))


ENTRY = ExplainerEntry(version=1, explain=explain, slow=True)
