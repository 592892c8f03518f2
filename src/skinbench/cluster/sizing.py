"""What fits where: the one place that turns cores and GPUs into slots.

Refuses before anything starts: a request that no node can hold would wait for ever in Ray.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skinbench.errors import ResourceError


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What one trial asks for."""

    name: str
    """For the message: a row."""
    cpu: int
    gpu: float = 0.0
    memory: int = 0
    """Bytes."""
    estimated: str = ""
    """What the memory was estimated from; empty: the suite states it."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """What one machine offers."""

    cpu: float
    gpu: float = 0.0
    memory: float = math.inf
    """Bytes that Ray gives to workers."""


def local_cores() -> int:
    """Cores that this process may use (affinity, not the machine's count)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_demands(demands: Sequence[Demand], nodes: Sequence[Node]) -> None:
    """Every demand fits on some node.

    Raises:
        ResourceError: names the row, what it asks for and what the largest node has.
    """
    for demand in demands:
        able = [node for node in nodes if node.cpu >= demand.cpu and node.gpu >= demand.gpu]
        if not able:
            cpu = max((node.cpu for node in nodes), default=0)
            gpu = max((node.gpu for node in nodes), default=0)
            raise ResourceError(
                f"{demand.name} asks for {demand.cpu} cpu and {demand.gpu:g} gpu, but the largest "
                f"node has {cpu:g} cpu and {gpu:g} gpu; lower `resources` of the row"
            )
        most = max(node.memory for node in able)
        if most < demand.memory:
            raise ResourceError(_too_little(demand, most))


def _too_little(demand: Demand, most: float) -> str:
    there = f"no node that could take it has more than {most / 1e9:.1f} GB for workers"
    if not demand.estimated:
        return (
            f"{demand.name} asks for {demand.memory / 1e9:.1f} GB of memory, but {there}; lower "
            f"`resources.memory` of the row"
        )
    return (
        f"{demand.name} takes about {demand.memory / 1e9:.1f} GB of memory ({demand.estimated}), "
        f"but {there}; lower batch_size or image_size, or set `resources: {{memory: 2GB}}` to what "
        f"you know that it takes"
    )


def slots(demands: Sequence[Demand], nodes: Sequence[Node]) -> int:
    """How many trials of the smallest demand run at once."""
    if not demands:
        return 1
    cpu = min(demand.cpu for demand in demands)
    gpu = min(demand.gpu for demand in demands)
    memory = min(demand.memory for demand in demands)
    total = 0
    for node in nodes:
        held = [node.cpu // cpu]
        held += [node.gpu // gpu] if gpu else []
        held += [node.memory // memory] if memory and math.isfinite(node.memory) else []
        total += int(min(held))
    return max(1, total)


@dataclass(frozen=True, kw_only=True)
class ActorPool:
    """Size of a Ray Data actor pool."""

    actors: int
    cpu_each: float
    gpu_each: float


def inference_pool(nodes: Sequence[Node], *, gpu: bool) -> ActorPool:
    """One actor a core (or a GPU), each counted as half a core.

    With whole cores the reading tasks of Ray Data get no slot and the pipeline never ends
    (measured with Ray 2.60, `num_cpus=2` and two one-core actors).
    """
    if gpu:
        actors = max(1, int(sum(node.gpu for node in nodes)))
        return ActorPool(actors=actors, cpu_each=0.5, gpu_each=1.0)
    actors = max(1, int(sum(node.cpu for node in nodes)))
    return ActorPool(actors=actors, cpu_each=0.5, gpu_each=0.0)


def nodes_of(ray_nodes: Sequence[Mapping[str, object]]) -> list[Node]:
    """Living nodes of `ray.nodes()`."""
    found = []
    for node in ray_nodes:
        resources = node.get("Resources")
        if node.get("Alive") and isinstance(resources, Mapping):
            cpu, gpu = resources.get("CPU", 0), resources.get("GPU", 0)
            memory = float(resources.get("memory", math.inf))
            found.append(Node(cpu=float(cpu), gpu=float(gpu), memory=memory))
    return found
