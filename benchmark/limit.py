"""The limit of prediction: forward passes alone, on tensors in memory, a process for each core."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from typing import Any

from benchmark.peers import network
from benchmark.workload import BATCH, SIZE

WORKERS = 2
_NETWORKS: list[Any] = []


def seconds(networks: Sequence[str], count: int, *, how: str = "folded") -> float:
    """Of `count` images through every network; making the networks is not in it.

    Args:
        networks: names of timm.
        count: images, shared among the processes.
        how: `folded`, as skinbench predicts: norms folded, as many images a pass; `traced`, as
            torch's guides have it: traced, frozen, optimised for inference, whole batches.
    """
    import torch

    context = torch.multiprocessing.get_context("spawn")
    share = -(-count // WORKERS)
    with context.Pool(WORKERS, initializer=_prepare, initargs=(tuple(networks), how)) as pool:
        pool.starmap(_forward, [(2 * BATCH, how)] * WORKERS, chunksize=1)  # all are ready
        start = time.perf_counter()
        pool.starmap(_forward, [(share, how)] * WORKERS, chunksize=1)
        return time.perf_counter() - start


def _prepare(networks: tuple[str, ...], how: str) -> None:
    import torch

    from skinbench.learn.allocator import keep_pages

    keep_pages()
    torch.set_num_threads(1)
    _NETWORKS[:] = [(folded if how == "folded" else traced)(name) for name in networks]


def folded(name: str) -> Any:
    """A network of timm as skinbench predicts with it."""
    import torch

    from skinbench.learn import forward
    from skinbench.learn.network import AsItIs, Network
    from skinbench.records import Preprocessing

    whole = network(name).to(memory_format=torch.channels_last)
    made = Network(whole, AsItIs(), Preprocessing(), frozen=True).eval()
    return forward.folded(made, SIZE, torch.device("cpu"))


def traced(name: str) -> Any:
    """A network of timm as torch optimises it."""
    import torch

    sample = _pixels(BATCH)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # deprecated, and still the fastest on a CPU
        made = torch.jit.trace(network(name).to(memory_format=torch.channels_last), sample)
        return torch.jit.optimize_for_inference(torch.jit.freeze(made))


def _forward(count: int, how: str) -> None:
    import torch

    from skinbench.learn.forward import images_per_pass

    most = images_per_pass(SIZE, torch.device("cpu")) if how == "folded" else BATCH
    pixels = _pixels(most)
    with torch.inference_mode():
        for start in range(0, count, most):
            for each in _NETWORKS:
                each(pixels[: min(most, count - start)])


def _pixels(count: int) -> Any:
    import torch

    return torch.randn(count, 3, SIZE, SIZE).to(memory_format=torch.channels_last)
