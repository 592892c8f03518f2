"""Mixing of the images of a batch by torchvision, as techniques use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from skinbench.errors import UsageError
from skinbench.records.entries import Mix

if TYPE_CHECKING:
    import torch


def mixing(kind: str, options: Mapping[str, object], technique: str) -> Mix:
    """A `Mix` by torchvision's transform `kind`, its share drawn from Beta(alpha, alpha).

    Args:
        kind: `MixUp` or `CutMix`.
        options: `alpha` (> 0), and `p`: probability that a batch is mixed at all.
        technique: for messages.

    Raises:
        UsageError: alpha or p is outside.
    """
    alpha, p = (float(cast(float, options[name])) for name in ("alpha", "p"))
    if not 0.0 < alpha < float("inf"):
        raise UsageError(f"technique {technique}: alpha is {alpha:g}; expected more than 0")
    if not 0.0 <= p <= 1.0:
        raise UsageError(f"technique {technique}: p is {p:g}; expected 0 to 1")

    def mix(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, float]:
        import torch
        from torchvision.transforms import v2

        count = len(images)
        own = torch.arange(count)
        partner = own.roll(1).to(images.device)
        if float(torch.rand(())) >= p:
            return images, partner, 1.0
        # With its own position as its label, each image's soft label is its row of the mixture.
        transform: Any = getattr(v2, kind)(alpha=alpha, num_classes=count)
        mixed, shares = transform(images, own.to(images.device))
        return mixed, partner, float(shares[0, 0])

    return mix
