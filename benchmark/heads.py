"""Heads on stored features: one after another, as skinbench trains them, and packed together.

python -m benchmark.heads HOW HEAD COUNT does it one way; benchmark/run.py compares them. Features
and labels are random: they change no time.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from benchmark.run import Entry, Ratio, Row
from benchmark.workload import ALLOCATOR

HEADS = 12
"""As many as one worker of P1's grid trains."""
FEATURES, CLASSES, WIDTH, BATCH = 1280, 7, 64, 32
LAYERS = {"image": (FEATURES, CLASSES), "fusion": (FEATURES, WIDTH, CLASSES)}
TOLERANCE = 1e-5
WAYS = {
    "after": "one after another",
    "beside": "side by side, one optimiser and one backward pass",
    "batched": "batched products of all",
}


def entries(small: bool) -> Row:
    """An epoch of all heads on the train images of HAM10000."""
    count = 70 if small else 7011

    def entry(how: str, head: str) -> Entry:
        command = ("-m", "benchmark.heads", how, head, str(count))
        return Entry(name=f"{head}: {WAYS[how]}", command=command, environment=ALLOCATOR)

    return Row(
        title=f"An epoch of {HEADS} heads on stored features, {count:,} images, one thread",
        reference=f"image: {WAYS['after']}",
        entries=tuple(entry(how, head) for head in LAYERS for how in WAYS),
        ratios=tuple(
            Ratio(
                says=f"{head}: {WAYS['after']} / {WAYS[how]}",
                of=f"{head}: {WAYS['after']}",
                over=f"{head}: {WAYS[how]}",
            )
            for head in LAYERS
            for how in ("beside", "batched")
        ),
        notes=(
            "image is one linear layer, fusion two. Side by side gives the bits of one after "
            f"another, batched products the same within {TOLERANCE:g}.",
        ),
    )


def after(orders: Sequence[np.ndarray], layers: tuple[int, ...], data: Any) -> list[Any]:
    """Each head with an optimiser of its own, whole epochs in turn."""
    return [beside([order], layers, data)[0] for order in orders]


def beside(orders: Sequence[np.ndarray], layers: tuple[int, ...], data: Any) -> list[Any]:
    """A step of every head, then a step of the one optimiser of all."""
    import torch
    from torch.nn import functional

    features, labels = data
    heads = [head(layers) for _ in orders]
    parameters = [parameter for each in heads for parameter in each.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    for positions in _steps(orders):
        given = features.index_select(0, positions.flatten()).unflatten(0, positions.shape)
        target = labels[positions]
        optimiser.zero_grad(set_to_none=True)
        losses = [
            functional.cross_entropy(each(x), y)
            for each, x, y in zip(heads, given, target, strict=True)
        ]
        torch.autograd.backward(losses)
        optimiser.step()
    return [each[0].weight.detach() for each in heads]


def batched(orders: Sequence[np.ndarray], layers: tuple[int, ...], data: Any) -> list[Any]:
    """Weights of all heads in one tensor a layer."""
    import torch
    from torch.nn import functional

    features, labels = data
    linear = [[m for m in head(layers) if isinstance(m, torch.nn.Linear)] for _ in orders]
    weights = [torch.stack([e.weight.detach() for e in at]) for at in zip(*linear, strict=True)]
    biases = [torch.stack([e.bias.detach() for e in at]) for at in zip(*linear, strict=True)]
    parameters = [each.requires_grad_() for each in (*weights, *biases)]
    optimiser = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    for positions in _steps(orders):
        x = features.index_select(0, positions.flatten()).unflatten(0, positions.shape)
        optimiser.zero_grad(set_to_none=True)
        for index, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            x = torch.relu(x) if index else x
            x = torch.baddbmm(bias[:, None], x, weight.transpose(1, 2))
        losses = [
            functional.cross_entropy(logits, y)
            for logits, y in zip(x, labels[positions], strict=True)
        ]
        torch.autograd.backward(losses)
        optimiser.step()
    return list(weights[0].detach())


def head(layers: tuple[int, ...]) -> Any:
    """Linear layers with rectifiers between them, the same each time."""
    import torch

    torch.manual_seed(0)
    made: list[torch.nn.Module] = []
    for width, following in itertools.pairwise(layers):
        made += [torch.nn.Linear(width, following), torch.nn.ReLU()]
    return torch.nn.Sequential(*made[:-1])


def _steps(orders: Sequence[np.ndarray]) -> Any:
    """Positions [K, B] of each step."""
    import torch

    return torch.from_numpy(np.stack(orders)).split(BATCH, dim=1)


def main() -> None:
    """Do it one way; the last line is JSON."""
    import torch

    how, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    torch.set_num_threads(1)
    ways: dict[str, Callable[..., list[Any]]]
    ways = {"after": after, "beside": beside, "batched": batched}
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(count, FEATURES, generator=generator)
    data = features, torch.randint(0, CLASSES, (count,), generator=generator)
    orders = [np.random.default_rng(seed).permutation(count) for seed in range(HEADS)]
    alone = after(orders[-1:], LAYERS[kind], data)[0]  # before the clock starts: kernels are made
    start = time.perf_counter()
    found = ways[how](orders, LAYERS[kind], data)
    seconds = time.perf_counter() - start
    apart = float((found[-1] - alone).abs().max())
    agrees = apart <= (TOLERANCE if how == "batched" else 0.0)
    result = "agrees" if agrees else f"{apart:g} from a head trained alone"
    print(json.dumps({"seconds": seconds, "result": result}))


if __name__ == "__main__":
    main()
