"""What a row's fits ask of a machine beside cores, which are part of their identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Of one fit."""

    gpu: float = 0.0
    """Share of a GPU, or several."""
    memory: int | None = None
    """Bytes; None: to be estimated."""


def asked_of(settings: Mapping[str, object]) -> Asked:
    """What `resources` of a row's settings say."""
    resources = settings.get("resources")
    if not isinstance(resources, Mapping):
        return Asked()
    memory = resources.get("memory")
    return Asked(gpu=float(resources.get("gpu", 0)), memory=None if memory is None else int(memory))
