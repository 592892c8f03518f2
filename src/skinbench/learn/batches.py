"""Batches: the order of an epoch, pixels as tensors, and augmentation on the way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.learn.runtime import ORDER, derive_seed
from skinbench.records import NamedSpec

Ints = npt.NDArray[np.int64]


def epoch_order(copies: Ints, seed: int, epoch: int) -> Ints:
    """Positions of one epoch in a random order: position i occurs copies[i] times.

    Depends on seed and epoch alone, so that a restart needs no saved random state.
    """
    positions = np.repeat(np.arange(len(copies), dtype=np.int64), copies)
    generator = np.random.default_rng(derive_seed(seed, ORDER, epoch))
    return generator.permutation(positions)


def drawn_order(technique: NamedSpec, labels: Ints, n_classes: int, seed: int, epoch: int) -> Ints:
    """Positions of one epoch as the technique's own sampler draws them.

    Depends on seed and epoch alone too: the generator is made anew for each epoch.

    Raises:
        UsageError: the sampler gives no epoch, or a position that train does not have.
    """
    entry = registry.techniques.get(technique.name)
    assert entry.draw is not None
    generator = np.random.default_rng(derive_seed(seed, ORDER, epoch))
    options = {**entry.options, **technique.options}
    order = np.asarray(entry.draw(labels, n_classes, options, generator), dtype=np.int64)
    if order.ndim != 1 or not len(order) or order.min() < 0 or order.max() >= len(labels):
        raise UsageError(
            f"technique {technique.name}: its draw must give positions from 0 to "
            f"{len(labels) - 1}, at least one"
        )
    return order


def cut(order: Ints, batch_size: int) -> list[Ints]:
    """Batches in order; a last batch of one image joins the batch before it.

    Batch normalisation has no variance to learn from a single image.
    """
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1 and batch_size > 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def to_unit(pixels: npt.NDArray[np.uint8], device: torch.device) -> torch.Tensor:
    """Pixels [B, H, W, 3] uint8 as [B, 3, H, W] float32 in [0, 1], channels last in memory."""
    tensor = torch.from_numpy(pixels).to(device)
    return tensor.permute(0, 3, 1, 2).to(torch.float32).div_(255.0)


def build_augment(specs: Sequence[NamedSpec]) -> nn.Module | None:
    """The random transforms of a fit as one module on [B, 3, H, W] in [0, 1]; None for none.

    Raises:
        UnknownNameError: no such transform.
        UsageError: a transform cannot be built.
    """
    return _sequence(specs, everywhere=False)


def build_geometry(specs: Sequence[NamedSpec]) -> nn.Module | None:
    """What is done to every image, random to none, before a network sees it; None for nothing.

    Raises:
        UnknownNameError: no such transform.
        UsageError: a transform cannot be built, or there are two.
    """
    found = _sequence(specs, everywhere=True)
    if found is not None and len(found) > 1:
        raise UsageError("augment: only one transform can be for training and prediction alike")
    return None if found is None else found[0]


def _sequence(specs: Sequence[NamedSpec], *, everywhere: bool) -> nn.Sequential | None:
    modules = [
        _transform(part)
        for spec in specs
        for part in _parts(spec)
        if registry.augments.get(part.name).everywhere == everywhere
    ]
    return nn.Sequential(*modules) if modules else None


def _parts(spec: NamedSpec) -> list[NamedSpec]:
    """The transforms that a preset stands for, or the transform itself."""
    entry = registry.augments.get(spec.name)
    if entry.build is not None:
        return [spec]
    return [NamedSpec(name=name, options=options) for name, options in entry.preset]


def _transform(spec: NamedSpec) -> nn.Module:
    entry = registry.augments.get(spec.name)
    assert entry.build is not None
    try:
        return entry.build({**entry.options, **spec.options})
    except (TypeError, ValueError) as error:
        raise UsageError(f"augment {spec.name}: {error}") from error


def view_names(specs: Sequence[NamedSpec]) -> tuple[str, ...]:
    """The fixed views of a fit's train images, for features that are stored; empty for none."""
    for spec in specs:
        entry = registry.augments.get(spec.name)
        if entry.views is not None:
            return entry.views({**entry.options, **spec.options})
    return ()


def apply_view(pixels: npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.uint8]:
    """A named view of images [B, S, S, 3] uint8; `none` leaves them as they are."""
    view = registry.augments.get("dihedral").view
    assert view is not None
    return pixels if name == "none" else view(pixels, name)
