"""Cross-entropy weighted by inverse class frequency of train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from skinbench.records.entries import TechniqueEntry

if TYPE_CHECKING:
    import torch


def class_weights(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Weights [C] with weight x count the same for every class, and mean 1.

    A class without train images gets 0 and does not enter the mean.
    """
    present = counts > 0
    weights = np.zeros(len(counts))
    weights[present] = 1.0 / counts[present]
    total = weights.sum()
    return weights * (present.sum() / total) if total > 0 else weights


def loss(
    counts: npt.NDArray[np.int64],
    options: Mapping[str, object],  # noqa: ARG001 -- none
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Weighted mean over the batch: sum(w_y * nll) / sum(w_y), as torch's cross-entropy."""
    import torch
    from torch.nn import functional

    weights = torch.tensor(class_weights(counts), dtype=torch.float32)

    def weighted(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(logits, labels, weight=weights.to(logits.device))

    return weighted


ENTRY = TechniqueEntry(version=1, loss=loss)
