"""What a network computes at one layer, and how a class's logit depends on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

Heat = npt.NDArray[np.float32]
Reshape = Callable[..., Any] | None


@contextmanager
def still(network: torch.nn.Module) -> Iterator[None]:
    """Parameters without gradients and the network in eval mode, for the time of a call."""
    import torch

    before = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    training = network.training
    network.eval()
    for parameter, _ in before:
        parameter.requires_grad_(False)
    try:
        with torch.enable_grad():
            yield
    finally:
        for parameter, flag in before:
            parameter.requires_grad_(flag)
        network.train(training)


def activations(
    network: torch.nn.Module,
    layer: torch.nn.Module,
    reshape: Reshape,
    batch: torch.Tensor,
    metadata: torch.Tensor | None,
) -> torch.Tensor:
    """Output of a layer [B, C, h, w], without gradients."""
    import torch

    with still(network), torch.no_grad():
        kept, _ = _forward(network, layer, batch, metadata)
    return _nchw(kept, reshape)


def activations_and_gradients(
    network: torch.nn.Module,
    layer: torch.nn.Module,
    reshape: Reshape,
    batch: torch.Tensor,
    metadata: torch.Tensor | None,
    classes: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Output of a layer and the gradient of each image's class logit to it, both [B, C, h, w].

    The backward pass ends at the layer: what lies before it is computed once and never
    differentiated, which is most of a network.
    """
    import torch

    with still(network):
        kept, logits = _forward(network, layer, batch, metadata)
        (gradient,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), kept)
    return _nchw(kept.detach(), reshape), _nchw(gradient, reshape)


def _forward(
    network: torch.nn.Module,
    layer: torch.nn.Module,
    batch: torch.Tensor,
    metadata: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    kept: list[torch.Tensor] = []

    def cut(_module: object, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        leaf = output.detach().requires_grad_(torch.is_grad_enabled())
        kept.append(leaf)
        return leaf.clone()  # what follows may change its input in place

    handle = layer.register_forward_hook(cut)
    try:
        logits = network(batch, metadata)
    finally:
        handle.remove()
    return kept[-1], logits


def _nchw(output: torch.Tensor, reshape: Reshape) -> torch.Tensor:
    return output if reshape is None else reshape(output)


def to_heat(cam: torch.Tensor, size: tuple[int, int]) -> Heat:
    """A map [B, h, w] as heat [B, H, W] in [0, 1]: what is negative is 0, then each to its range.

    The order of steps (cut, scale, enlarge bilinearly, scale) is pytorch-grad-cam's.
    """
    from torch.nn import functional

    scaled = _scale(cam.float().nan_to_num(0.0, 0.0, 0.0).clamp(min=0.0))
    large = functional.interpolate(
        scaled[:, None], size=size, mode="bilinear", align_corners=False
    )[:, 0]
    heat: Heat = _scale(large).clamp(0.0, 1.0).cpu().numpy()
    return heat


def _scale(maps: torch.Tensor) -> torch.Tensor:
    """Each map to 0..1; a flat one becomes zeros."""
    low = maps.amin(dim=(1, 2), keepdim=True)
    return (maps - low) / (1e-7 + (maps - low).amax(dim=(1, 2), keepdim=True))


def attributions_to_heat(found: torch.Tensor) -> Heat:
    """Attributions of each input value [B, 3, H, W] as heat [B, H, W] in [0, 1].

    The size of a pixel's attribution is the sum over its channels of their absolute values; the
    scale ends at the 99th percentile of the image, since a few pixels outshine all others.
    """
    import torch

    size = found.detach().abs().sum(dim=1).nan_to_num(0.0, 0.0, 0.0)
    top = torch.quantile(size.flatten(1), 0.99, dim=1)[:, None, None]
    heat: Heat = torch.where(top > 0, size / top.clamp(min=1e-30), 0.0).clamp(0, 1).cpu().numpy()
    return heat
