"""What each fit asks of a node: its threads, its share of a GPU, and memory."""

from __future__ import annotations

from collections.abc import Mapping

from skinbench.cluster.sizing import Demand
from skinbench.plan.asked import Asked
from skinbench.records import FitSpec


def demand_of(name: str, spec: FitSpec, asked: Asked) -> Demand:
    """The demand of one fit; memory that the suite does not state is estimated.

    Args:
        name: of the row, for messages.
        spec: the fit.
        asked: what the row says.
    """
    memory, why = asked.memory, ""
    if memory is None:
        from skinbench.learn.footprint import training_bytes

        memory = training_bytes(spec)
        why = f"{spec.model.name}, batch_size {spec.train.batch_size}, {spec.train.image_size} px"
    return Demand(name=name, cpu=spec.train.threads, gpu=asked.gpu, memory=memory, estimated=why)


def demands_of(
    specs: Mapping[str, FitSpec], titles: Mapping[str, str], asked: Mapping[str, Asked]
) -> dict[str, Demand]:
    """Fit id to its demand."""
    return {
        name: demand_of(titles.get(name, name), spec, asked.get(name, Asked()))
        for name, spec in specs.items()
    }
