"""Guided Grad-CAM (Selvaraju 2017): Grad-CAM times guided backpropagation to each pixel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from skinbench.catalog.explainers import gradcam
from skinbench.catalog.explainers._layer import Heat, Reshape, attributions_to_heat, still
from skinbench.errors import UsageError
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
    """Heat [B, H, W] in [0, 1]. Arguments are those of Grad-CAM.

    Raises:
        UsageError: the network has no ReLU whose gradient could be guided.
    """
    import torch

    heat = gradcam.explain(network, target_layer, reshape, batch, metadata, classes)
    with still(network), _guided(network):
        pixels = batch.detach().clone().requires_grad_(True)
        logits = network(pixels, metadata)
        (gradient,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), pixels)
    weighted = gradient * torch.from_numpy(heat).to(gradient)[:, None]
    return attributions_to_heat(weighted)


@contextmanager
def _guided(network: torch.nn.Module) -> Iterator[None]:
    """Let only positive gradients back through ReLUs (Springenberg 2015)."""
    from torch import nn

    def cut(_module: object, gradients: Any, _outputs: object) -> Any:
        return (gradients[0].clamp(min=0.0),)

    found = [module for module in network.modules() if isinstance(module, (nn.ReLU, nn.ReLU6))]
    if not found:
        raise UsageError(
            "explainer guided_gradcam: the network has no ReLU to guide; take gradcam or "
            "integrated_gradients"
        )
    handles = [module.register_full_backward_hook(cut) for module in found]
    before = [(module, module.inplace) for module in found]
    for module in found:
        module.inplace = False  # a hooked module may not change its input
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        for module, flag in before:
            module.inplace = flag


ENTRY = ExplainerEntry(version=1, explain=explain)
