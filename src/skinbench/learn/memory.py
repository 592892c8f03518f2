"""When a GPU's memory is too small for a batch: how that shows, and how finely to cut then."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from skinbench.errors import ResourceError
from skinbench.records import TrainSpec

_SIGNS = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
"""What libraries under torch say when they get no memory, as plain runtime errors."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a GPU has no memory left."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def release_gpu() -> None:
    """Give back what torch keeps of a GPU's memory for later."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def share_gpu(share: float) -> None:
    """Let this process take no more of a GPU's memory than its share.

    Fits that share a GPU run out of memory each by itself then, and not by what another keeps.
    """
    if share and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(min(share, 1.0))


def learns_from_batches(network: nn.Module) -> bool:
    """Whether batch normalisation of a network, in its present mode, normalises by the batch."""
    norms = (module for module in network.modules() if isinstance(module, _BatchNorm))
    return any(norm.training or norm.running_mean is None for norm in norms)


def finer_parts(network: nn.Module, train: TrainSpec, parts: int) -> int:
    """Twice the parts that a batch is cut into, at most one for each image.

    Args:
        network: in training mode.
        train: batch size, and whether batch normalisation may learn from parts.
        parts: now, too few.

    Raises:
        ResourceError: a part is one image already, or batch normalisation would learn from parts
            and the suite does not allow it.
    """
    size = train.batch_size
    if math.ceil(size / parts) <= 1:
        raise ResourceError(
            f"the GPU's memory does not hold one image of {train.image_size} px in training; "
            f"lower image_size, take a smaller model, or ask for a larger share (resources.gpu)"
        )
    if learns_from_batches(network) and not train.allow_split_batch_norm:
        raise ResourceError(
            f"the GPU's memory does not hold a batch of {size} images of {train.image_size} px, "
            f"and cutting it would change what batch normalisation learns from; lower batch_size, "
            f"freeze the norms (frozen or train_last), or set `allow_split_batch_norm: true`"
        )
    return min(parts * 2, size)
