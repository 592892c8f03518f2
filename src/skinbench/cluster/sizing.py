"""What fits where: the one place that turns cores and GPUs into slots.

Refuses before anything starts: a request that no node can hold would wait for ever in Ray.
"""

from __future__ import annotations

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


@dataclass(frozen=True, kw_only=True)
class Node:
    """What one machine offers."""

    cpu: float
    gpu: float = 0.0


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
        if not any(node.cpu >= demand.cpu and node.gpu >= demand.gpu for node in nodes):
            cpu = max((node.cpu for node in nodes), default=0)
            gpu = max((node.gpu for node in nodes), default=0)
            raise ResourceError(
                f"{demand.name} asks for {demand.cpu} cpu and {demand.gpu:g} gpu, but the largest "
                f"node has {cpu:g} cpu and {gpu:g} gpu; lower `resources` of the row"
            )


def slots(demands: Sequence[Demand], nodes: Sequence[Node]) -> int:
    """How many trials of the smallest demand run at once."""
    if not demands:
        return 1
    cpu = min(demand.cpu for demand in demands)
    gpu = min(demand.gpu for demand in demands)
    total = 0
    for node in nodes:
        by_cpu = int(node.cpu // cpu)
        total += min(by_cpu, int(node.gpu // gpu)) if gpu else by_cpu
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
            found.append(Node(cpu=float(cpu), gpu=float(gpu)))
    return found
