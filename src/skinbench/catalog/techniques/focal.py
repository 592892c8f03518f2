"""Focal loss (Lin 2017): cross-entropy times (1 - p)^gamma, optionally weighted by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from skinbench.errors import UsageError
from skinbench.records.entries import TechniqueEntry

if TYPE_CHECKING:
    import torch


def loss(
    counts: npt.NDArray[np.int64], options: Mapping[str, object]
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Mean of alpha_y * (1 - p_y)^gamma * -log p_y; gamma 0 without alpha is cross-entropy.

    Args:
        counts: train images by class [C].
        options: `gamma` (>= 0) and `alpha`: null, or one weight per class.

    Raises:
        UsageError: gamma is negative, or alpha has not one weight per class.
    """
    import torch
    from torch.nn import functional

    gamma = float(cast(float, options.get("gamma", 2.0)))
    given = cast("list[float] | None", options.get("alpha"))
    if gamma < 0:
        raise UsageError(f"technique focal: gamma is {gamma}; expected 0 or more")
    if given is not None and len(given) != len(counts):
        raise UsageError(
            f"technique focal: alpha has {len(given)} weights; expected one for each of the "
            f"{len(counts)} classes"
        )
    alpha = None if given is None else torch.tensor(given, dtype=torch.float32)

    def focal(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        log_p = functional.log_softmax(logits, dim=1).gather(1, labels[:, None])[:, 0]
        # 1 - p from expm1, and clamped: a power of a tiny negative number would be NaN.
        miss = (-torch.expm1(log_p)).clamp_min(0.0)
        values = -log_p if gamma == 0 else -log_p * miss.clamp_min(1e-12) ** gamma
        if alpha is not None:
            values = values * alpha.to(logits.device)[labels]
        return values.mean()

    return focal


ENTRY = TechniqueEntry(version=1, loss=loss, options={"gamma": 2.0, "alpha": None})
