"""The loss that a fit's techniques make together, and how they mix a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from skinbench import registry
from skinbench.records import NamedSpec, TechniqueEntry
from skinbench.records.entries import Mix

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(logits [B, C], labels [B]) -> scalar."""


def build_loss(techniques: Sequence[NamedSpec], counts: npt.NDArray[np.int64]) -> Loss:
    """Cross-entropy with the class weights, smoothing and offset of the techniques that have one.

    A technique with a loss of its own puts it in the place of cross-entropy; an offset is added
    to the logits before it all the same.

    Args:
        techniques: of one fit, each part at most once.
        counts: train images by class [C], before the sampler.

    Raises:
        UsageError: an option of a technique cannot be.
    """
    own, weights, smoothing, offset = None, None, 0.0, None
    for entry, options in _entries(techniques):
        if entry.loss is not None:
            own = entry.loss(counts, options)
        if entry.weights is not None:
            weights = torch.tensor(entry.weights(counts, options), dtype=torch.float32)
        if entry.smoothing is not None:
            smoothing = entry.smoothing(options)
        if entry.offset is not None:
            offset = torch.tensor(entry.offset(counts, options), dtype=torch.float32)
    loss = own or _cross_entropy(weights, smoothing)
    return loss if offset is None else _shifted(loss, offset)


def _entries(techniques: Sequence[NamedSpec]) -> list[tuple[TechniqueEntry, Mapping[str, Any]]]:
    entries = [registry.techniques.get(item.name) for item in techniques]
    return [
        (entry, {**entry.options, **item.options})
        for entry, item in zip(entries, techniques, strict=True)
    ]


def _cross_entropy(weights: torch.Tensor | None, smoothing: float) -> Loss:
    if weights is None and smoothing == 0.0:
        return functional.cross_entropy

    def weighted(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        known = None if weights is None else weights.to(logits.device)
        return functional.cross_entropy(logits, labels, weight=known, label_smoothing=smoothing)

    return weighted


def _shifted(loss: Loss, offset: torch.Tensor) -> Loss:
    def shifted(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return loss(logits + offset.to(logits.device), labels)

    return shifted


def mixed_loss(
    loss: Loss, logits: torch.Tensor, labels: torch.Tensor, partner: torch.Tensor, share: float
) -> torch.Tensor:
    """Loss of a mixed batch: share * loss(labels) + (1 - share) * loss(partners' labels).

    The mixture of two labels for any loss, as in Zhang et al. 2018; with cross-entropy it is
    cross-entropy with the mixed label. With class weights each term is its own weighted mean.
    """
    if share == 1.0:
        return loss(logits, labels)
    other = loss(logits, labels.index_select(0, partner))
    return share * loss(logits, labels) + (1.0 - share) * other


def build_mix(techniques: Sequence[NamedSpec]) -> Mix | None:
    """How the techniques mix the images of a batch; None for not at all.

    Raises:
        UsageError: an option of a technique cannot be.
    """
    for entry, options in _entries(techniques):
        if entry.mix is not None:
            return entry.mix(options)
    return None


def sampler_of(techniques: Sequence[NamedSpec]) -> NamedSpec:
    """The technique that chooses the images of an epoch; the first one where none does."""
    for item in techniques:
        if "sampler" in registry.techniques.get(item.name).parts:
            return item
    return techniques[0]
