"""Focal loss (Lin 2017): cross-entropy times (1 - p)^gamma, optionally weighted by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from skinbench.catalog.techniques._focal import focal_loss, gamma_of
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

    gamma = gamma_of(options, "focal")
    given = cast("list[float] | None", options.get("alpha"))
    if given is not None and len(given) != len(counts):
        raise UsageError(
            f"technique focal: alpha has {len(given)} weights; expected one for each of the "
            f"{len(counts)} classes"
        )
    return focal_loss(gamma, None if given is None else torch.tensor(given, dtype=torch.float32))


def check(options: Mapping[str, object]) -> None:
    """Raise UsageError for a gamma that cannot be."""
    gamma_of(options, "focal")


ENTRY = TechniqueEntry(version=1, loss=loss, check=check, options={"gamma": 2.0, "alpha": None})
