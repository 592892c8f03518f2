"""Grad-CAM (Selvaraju 2017) by pytorch-grad-cam, a batch of images at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from skinbench.errors import MissingExtraError
from skinbench.records.entries import ExplainerEntry

if TYPE_CHECKING:
    import torch


def explain(
    network: torch.nn.Module,
    target_layer: torch.nn.Module,
    reshape: Callable[..., Any] | None,
    batch: torch.Tensor,
    metadata: torch.Tensor | None,
    classes: torch.Tensor,
) -> npt.NDArray[np.float32]:
    """Heat [B, H, W] in [0, 1] for one class per image; zeros where the map is flat.

    Args:
        network: called as network(batch, metadata) -> logits [B, C].
        target_layer: its output is weighted by its gradient.
        reshape: output -> [B, C, h, w], where it has another layout.
        batch: [B, 3, H, W] float32, normalised.
        metadata: [B, M] float32, or None.
        classes: class index per image [B].

    Raises:
        MissingExtraError: pytorch-grad-cam is not installed.
    """
    try:
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
    except ImportError as error:
        raise MissingExtraError("Grad-CAM", "run") from error
    from torch import nn

    class WithMetadata(nn.Module):
        """The library passes one tensor; the metadata of the batch is bound here."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.network(pixels, metadata)  # type: ignore[no-any-return]

    targets = [ClassifierOutputTarget(int(index)) for index in classes]
    with (
        _gradients_to_input(network),
        GradCAM(WithMetadata(), [target_layer], reshape_transform=reshape) as method,
    ):
        # With a gradient at the input, activations have one too where all parameters are frozen.
        pixels = batch.detach().clone().requires_grad_(True)
        heat = np.asarray(method(input_tensor=pixels, targets=targets), dtype=np.float32)
    return np.clip(np.nan_to_num(heat, nan=0.0, posinf=0.0, neginf=0.0), 0.0, 1.0)


@contextmanager
def _gradients_to_input(network: torch.nn.Module) -> Iterator[None]:
    """Freeze parameters and set eval for the time of the call; their gradients cost and leak."""
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


ENTRY = ExplainerEntry(version=1, explain=explain)
