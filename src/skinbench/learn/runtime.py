"""The state of torch that numbers depend on: seeds, threads, devices, deterministic kernels."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from skinbench.errors import ResourceError
from skinbench.learn.allocator import keep_pages
from skinbench.records import TrainSpec

ENCODER, HEAD, ORDER, DRAWS, COPIES, VIEWS = range(1, 7)
"""Streams of random numbers of a fit; each is seeded apart, so that one never moves another."""


def derive_seed(seed: int, *path: int) -> int:
    """An independent 63-bit seed for a stream (and epoch) of a fit's seed."""
    state = np.random.SeedSequence([seed, *path]).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


@contextlib.contextmanager
def torch_session(train: TrainSpec) -> Iterator[torch.device]:
    """Threads and deterministic kernels as the fit's spec says; put back afterwards.

    Yields:
        The device to compute on.

    Raises:
        ResourceError: the spec asks for a GPU and there is none.
    """
    keep_pages()
    device = device_of(train)
    threads, before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    torch.set_num_threads(train.threads)
    memory = cast(Any, torch.utils.deterministic)  # its attribute is made at run time
    filled = memory.fill_uninitialized_memory
    # As `use_deterministic_algorithms`, which imports a compiler besides: 1.5 s a process.
    torch.set_deterministic_debug_mode("error")
    # Each new tensor would be written twice: a tenth of a forward pass.
    memory.fill_uninitialized_memory = False
    try:
        # NumPy's and scikit-learn's BLAS too: it rounds by its number of threads.
        with threadpool_limits(train.threads, user_api="blas"):
            yield device
    finally:
        torch.set_num_threads(threads)
        memory.fill_uninitialized_memory = filled
        torch.set_deterministic_debug_mode(before)


def set_threads(train: TrainSpec) -> None:
    """Set this process's threads for good, for an actor that does nothing else."""
    torch.set_num_threads(train.threads)
    threadpool_limits(train.threads, user_api="blas")


def device_of(train: TrainSpec) -> torch.device:
    """The device that a spec names.

    Raises:
        ResourceError: it is a GPU and torch sees none.
    """
    if train.device == "cuda":
        # cuBLAS is deterministic only with a fixed workspace, set before its first call.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        if not torch.cuda.is_available():
            raise ResourceError(
                "the row asks for a GPU (resources.gpu) and torch sees none here; "
                "set `resources: {gpu: 0}` or run on a machine with a GPU"
            )
        torch.backends.cudnn.benchmark = False
    return torch.device(train.device)


def autocast(train: TrainSpec) -> torch.autocast:
    """bfloat16 where the spec says so, else a context that does nothing."""
    return torch.autocast(train.device, dtype=torch.bfloat16, enabled=train.precision == "bfloat16")
