"""What the last attention of a transformer looks at (Swin, ViT), whatever the class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skinbench.catalog.explainers._layer import Heat, Reshape, still, to_heat
from skinbench.errors import UsageError
from skinbench.records.entries import ExplainerEntry

if TYPE_CHECKING:
    import torch


def explain(
    network: torch.nn.Module,
    target_layer: torch.nn.Module,  # noqa: ARG001 - the layer is the last attention
    reshape: Reshape,  # noqa: ARG001
    batch: torch.Tensor,
    metadata: torch.Tensor | None,
    classes: torch.Tensor,  # noqa: ARG001 - attention knows no class
) -> Heat:
    """Heat [B, H, W] in [0, 1]: attention that each place receives, a mean over heads.

    In Swin it comes from all places of the window, in a network with a class token from that
    token. Arguments are those of Grad-CAM.

    Raises:
        UsageError: the network has no attention, or one whose windows are not laid out as Swin's.
    """
    import torch

    blocks = [module for module in network.modules() if _attends(getattr(module, "attn", None))]
    if not blocks:
        raise UsageError(
            "explainer attention: the network has no attention to show; take gradcam or eigencam"
        )
    block: Any = blocks[-1]
    last, kept = block.attn, []
    handle = last.attn_drop.register_forward_hook(lambda *call: kept.append(call[2].detach()))
    fused, last.fused_attn = last.fused_attn, False  # the fused form never shows its weights
    try:
        with still(network), torch.inference_mode():
            network(batch, metadata)
    finally:
        handle.remove()
        last.fused_attn = fused
    weights = kept[-1].float().mean(dim=1)  # [B or B * windows, query, key]
    height, width = batch.shape[-2:]
    if hasattr(last, "window_size"):
        received = _swin(last.window_size, block.shift_size, weights, len(batch))
    else:
        received = _vit(weights)
    return to_heat(received, (height, width))


def _attends(module: Any) -> bool:
    return all(hasattr(module, name) for name in ("attn_drop", "fused_attn", "qkv"))


def _swin(
    window: tuple[int, int], shift: tuple[int, int], weights: torch.Tensor, images: int
) -> torch.Tensor:
    """Windows [B * n, k, k], as many down as across, side by side and shifted back [B, h, w]."""
    height, width = window
    across = round((len(weights) // images) ** 0.5)
    if across * across * images != len(weights):
        raise UsageError("explainer attention: the last windows do not tile a square image")
    tiles = weights.mean(dim=1).view(images, across, across, height, width)
    laid = tiles.permute(0, 1, 3, 2, 4).reshape(images, across * height, across * width)
    return laid.roll(shifts=tuple(shift), dims=(1, 2))


def _vit(weights: torch.Tensor) -> torch.Tensor:
    """Attention of the class token [B, 1 + n, 1 + n], or the mean where there is none."""
    keys = weights.shape[-1]
    side = int(keys**0.5)
    tokens = keys - side * side
    received = weights[:, 0, tokens:] if tokens else weights.mean(dim=1)
    return received.view(len(weights), side, side)


ENTRY = ExplainerEntry(version=1, explain=explain)
