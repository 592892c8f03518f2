"""How much memory a worker takes that trains a fit, before anything is trained.

The network is built on torch's `meta` device, which has shapes and no numbers, and what a forward
pass keeps for the gradient is counted there: a tenth of a second, whatever the size.
"""

from __future__ import annotations

import dataclasses
import functools
import json

import torch
from torch import nn

from skinbench import registry
from skinbench.learn.layers import trained_parameters
from skinbench.records import FitSpec, ModelSpec, WeightsSpec
from skinbench.store import canonical_json, from_plain

WORKER = 750_000_000
"""Bytes of a worker with torch and timm loaded (Ray 2.60, torch 2.15)."""
SCRATCH = 250_000_000
"""What kernels and the allocator take beside. Largest memory of a process that trains, measured
on the CPU with batches of 32 at 128 px, and the estimate before it is rounded: mobilenetv2_100 1.87
and 2.10 GB, resnet18 1.76 and 1.69, baseline_cnn 1.44 and 1.84; mobilenetv2_100 with 4 images 1.08
and 1.21."""
GPU_WORKER = 2_000_000_000
"""The same with CUDA's libraries loaded; not measured here."""
COPIES = 9
"""Times that the weights are in memory: themselves, gradients, two moments of Adam, the best
epoch's, and a checkpoint with the latter three and the weights on its way to disk."""
SLACK = 1.25
"""Activations that are needed beside those that are kept: gradients of the layer at work."""
STEPS = tuple(part * 2**power for power in range(27, 40) for part in (2, 3))
"""Estimates are rounded up to these: fits of nearly the same size then share their workers."""
IMAGES = 2


def training_bytes(spec: FitSpec) -> int:
    """Bytes of main memory that a worker takes to train a fit, rounded up.

    Not counted: pixels and features, which are mapped from files and shared. A network that
    cannot be built without numbers counts as a worker alone.
    """
    base = GPU_WORKER if spec.train.device == "cuda" else WORKER
    entry = registry.models.get(spec.model.name)
    reads = registry.inputs.get(spec.input.name).uses_image
    if entry.kind != "network" or spec.model.trained is not None or not reads:
        return _rounded(base)
    bare = dataclasses.replace(spec.model, weights=WeightsSpec(kind="random"), head=None)
    weights, trained, kept = _counted(canonical_json(bare), spec.train.image_size)
    needed = base + weights + (COPIES - 1) * trained
    if not spec.stored_features:
        needed += SCRATCH
        needed += int(SLACK * kept * spec.train.batch_size) if spec.train.device == "cpu" else 0
    return _rounded(needed)


def _rounded(value: int) -> int:
    return next((step for step in STEPS if step >= value), value)


@functools.cache
def _counted(model: str, image_size: int) -> tuple[int, int, int]:
    """Bytes of an encoder's weights, of those that are trained, and kept for one image."""
    try:
        return _count(from_plain(ModelSpec, json.loads(model)), image_size)
    except Exception:  # a plug-in may do what only numbers allow
        return 0, 0, 0


def _count(model: ModelSpec, image_size: int) -> tuple[int, int, int]:
    entry = registry.models.get(model.name)
    assert entry.build is not None
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        encoder = entry.build({**entry.options, **model.options}, None, False, image_size)
        names = frozenset[str]() if model.frozen else trained_parameters(model, encoder)
        for name, parameter in encoder.named_parameters():
            parameter.requires_grad_(names is None or name in names)
        kept = _kept(encoder.train(), torch.zeros(IMAGES, 3, image_size, image_size))
    sizes = [(p.numel() * p.element_size(), p.requires_grad) for p in encoder.parameters()]
    return sum(s for s, _ in sizes), sum(s for s, trained in sizes if trained), kept


def _kept(encoder: nn.Module, images: torch.Tensor) -> int:
    """Bytes for one image that a forward pass keeps for the gradient."""
    own = {id(tensor) for tensor in (*encoder.parameters(), *encoder.buffers())}
    storages: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in own:
            storage = tensor.untyped_storage()
            storages[storage._cdata] = storage  # held, so that no other takes its address
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        encoder(images)
    return sum(storage.nbytes() for storage in storages.values()) // len(images)
