"""What stands between an encoder's features and the probabilities: dense layers and the output."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.records import FitSpec, HeadSpec


class Head(nn.Module):
    """An input's head behind layers of the row's own, and in front of one sigmoid.

    Args:
        neck: features [B, F] -> [B, G]; None for none.
        inner: the input's head: (features or None, metadata or None) -> [B, C], or [B, 1] for
            one sigmoid.
        sigmoid: the output z [B, 1] becomes the two logits (-z/2, z/2). Their softmax is
            (1 - p, p) with p = sigmoid(z), and their cross-entropy is the binary cross-entropy
            of p: losses, decisions and heatmaps need to know nothing of it.
    """

    def __init__(self, neck: nn.Module | None, inner: nn.Module, *, sigmoid: bool) -> None:
        super().__init__()
        self.neck, self.inner, self._sigmoid = neck, inner, sigmoid

    def forward(
        self, features: torch.Tensor | None, metadata: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits [B, C]."""
        if self.neck is not None and features is not None:
            features = self.neck(features)
        logits = cast(torch.Tensor, self.inner(features, metadata))
        if not self._sigmoid:
            return logits
        half = logits / 2
        return torch.cat([-half, half], dim=1)


def build_head(spec: FitSpec, n_features: int, n_metadata: int) -> nn.Module:
    """The head of a fit, from torch's global generator as it stands.

    Args:
        spec: the fit.
        n_features: F of the encoder; 0 where the input reads no image.
        n_metadata: M, columns of the encoded metadata.

    Raises:
        UsageError: the input has no head, there is no image for `head` to stand on, or one
            sigmoid is asked for other than two classes.
    """
    entry = registry.inputs.get(spec.input.name)
    if entry.build is None:
        raise UsageError(f"input {spec.input.name}: has no head to train")
    chosen, sigmoid = spec.model.head, spec.output == "sigmoid"
    if chosen is not None and not n_features:
        raise UsageError(f"input {spec.input.name}: reads no image, so `head` has no features")
    if sigmoid and len(spec.classes) != 2:
        raise UsageError(
            f"output sigmoid: is one number for two classes, and here are {len(spec.classes)} "
            f"({', '.join(spec.classes)}); use `output: softmax`"
        )
    neck, width = _neck(chosen, n_features)
    options = {**entry.options, **spec.input.options}
    inner = entry.build(width, n_metadata, 1 if sigmoid else len(spec.classes), options)
    if neck is None and not sigmoid:
        return inner
    return Head(neck, inner, sigmoid=sigmoid)


def _neck(chosen: HeadSpec | None, n_features: int) -> tuple[nn.Module | None, int]:
    if chosen is None:
        return None, n_features
    layers: list[nn.Module] = []
    width = n_features
    for dense in chosen.dense:
        layers += [nn.Linear(width, dense), nn.ReLU()]
        width = dense
    if chosen.dropout:
        layers.append(nn.Dropout(chosen.dropout))
    return nn.Sequential(*layers), width
