"""Focal loss weighted by the effective number of images of a class (Cui et al. 2019).

Over a softmax, where the paper has one sigmoid for each class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from skinbench.catalog.techniques._focal import focal_loss, gamma_of
from skinbench.catalog.techniques._weights import effective_number
from skinbench.records.entries import TechniqueEntry

if TYPE_CHECKING:
    import torch


def loss(
    counts: npt.NDArray[np.int64], options: Mapping[str, object]
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Mean of w_y * (1 - p_y)^gamma * -log p_y, w as in `effective_number`.

    Args:
        counts: train images by class [C].
        options: `gamma` (>= 0) and `beta` in [0, 1).

    Raises:
        UsageError: gamma or beta is outside.
    """
    import torch

    weights = effective_number(counts, options, "class_balanced_focal")
    gamma = gamma_of(options, "class_balanced_focal")
    return focal_loss(gamma, torch.tensor(weights, dtype=torch.float32))


def check(options: Mapping[str, object]) -> None:
    """Raise UsageError for a gamma or beta that cannot be."""
    effective_number(np.ones(2, dtype=np.int64), options, "class_balanced_focal")
    gamma_of(options, "class_balanced_focal")


ENTRY = TechniqueEntry(version=1, loss=loss, check=check, options={"gamma": 2.0, "beta": 0.999})
