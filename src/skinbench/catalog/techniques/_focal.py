"""The focal loss over a softmax, shared by the techniques that have one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from skinbench.errors import UsageError

if TYPE_CHECKING:
    import torch


def focal_loss(
    gamma: float, alpha: torch.Tensor | None
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Mean over the batch of alpha_y * (1 - p_y)^gamma * -log p_y.

    Args:
        gamma: 0 or more; 0 without alpha is cross-entropy.
        alpha: weight of each class [C]; None for 1.
    """
    from torch.nn import functional

    def focal(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        import torch

        log_p = functional.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
        # 1 - p from expm1, and clamped: a power of a tiny negative number would be NaN.
        miss = (-torch.expm1(log_p)).clamp_min(0.0)
        values = -log_p if gamma == 0 else -log_p * miss.clamp_min(1e-12) ** gamma
        if alpha is not None:
            values = values * alpha.to(logits.device)[labels]
        return values.mean()

    return focal


def gamma_of(options: Mapping[str, object], technique: str) -> float:
    """The option `gamma`.

    Raises:
        UsageError: it is negative.
    """
    gamma = float(cast(float, options.get("gamma", 2.0)))
    if not gamma >= 0:
        raise UsageError(f"technique {technique}: gamma is {gamma:g}; expected 0 or more")
    return gamma
