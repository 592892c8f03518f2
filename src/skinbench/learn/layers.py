"""The layers of an encoder: which are trained, and how fast each of them learns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from torch import nn

from skinbench import registry
from skinbench.errors import UsageError, counted
from skinbench.records import FitSpec, ModelSpec

Layers = tuple[tuple[str, ...], ...]
"""Names of an encoder's parameters by layer, from the image to the features."""


def layers_of(model: str, encoder: nn.Module, *, coarse: bool) -> Layers:
    """The layers that a model names; each of its parameters is in exactly one.

    Args:
        model: name in the registry.
        encoder: as the model builds it.
        coarse: whole stages, else single layers.

    Raises:
        UsageError: the model names no layers, or not every parameter once.
    """
    entry = registry.models.get(model)
    if entry.layers is None:
        raise UsageError(
            f"model {model}: names no layers, so it can only be trained whole or frozen whole; "
            f"give its ENTRY `layers`, or leave train_last and layer_decay out"
        )
    found = tuple(tuple(layer) for layer in entry.layers(encoder, coarse) if layer)
    named = [name for layer in found for name in layer]
    known = [name for name, _ in encoder.named_parameters()]
    wrong = sorted(set(named) ^ set(known)) or sorted({n for n in named if named.count(n) > 1})
    if wrong:
        raise UsageError(
            f"model {model}: its layers do not hold every parameter once; "
            f"{counted(len(wrong), 'parameter')} concerned, the first is {wrong[0]}"
        )
    return found


def trained_parameters(model: ModelSpec, encoder: nn.Module) -> frozenset[str] | None:
    """Names of the encoder's parameters that `train_last` leaves trainable; None: all of them.

    Raises:
        UsageError: the encoder has not so many stages, or none but those.
    """
    if model.train_last is None:
        return None
    stages = layers_of(model.name, encoder, coarse=True)
    if model.train_last >= len(stages):
        raise UsageError(
            f"model {model.name}: train_last is {model.train_last}, and it has "
            f"{counted(len(stages), 'stage')} ({', '.join(stage_names(stages))}); give "
            f"1 to {len(stages) - 1}, or leave it out to train all of them"
        )
    return frozenset(name for stage in stages[-model.train_last :] for name in stage)


def stage_names(stages: Layers) -> list[str]:
    """A short name for each stage: what the names of its first parameter begin with."""
    firsts = [stage[0].split(".") for stage in stages]
    names = []
    for index, parts in enumerate(firsts):
        others = [other for place, other in enumerate(firsts) if place != index]
        depth = next(
            (n for n in range(1, len(parts)) if all(o[:n] != parts[:n] for o in others)),
            len(parts),
        )
        names.append(".".join(parts[:depth]))
    return names


def still_modules(encoder: nn.Module, trained: Collection[str]) -> list[nn.Module]:
    """The largest modules whose parameters are all frozen: they stay in eval mode.

    Their stored statistics are kept and nothing in them is dropped. A module without parameters
    goes with the one that holds it.
    """
    found: list[nn.Module] = []

    def look(module: nn.Module, prefix: str) -> None:
        names = [name for name, _ in module.named_parameters(prefix)]
        if names and not any(name in trained for name in names):
            found.append(module)
            return
        for name, child in module.named_children():
            look(child, f"{prefix}.{name}" if prefix else name)

    look(encoder, "")
    return found


def parameter_groups(
    spec: FitSpec, encoder: nn.Module | None, network: nn.Module
) -> list[Mapping[str, Any]]:
    """The trainable parameters of a network, as torch's optimisers take them.

    With `layer_decay` d, the head learns at the rate itself, the encoder's last layer at d times
    the rate, the one before at d^2 times, as BEiT fine-tunes (Bao 2021); the layers are timm's.

    Returns:
        Groups of `params` and `lr_scale`; the head's first, whose scale is 1.

    Raises:
        UsageError: the model names no layers.
    """
    every = {name: p for name, p in network.named_parameters() if p.requires_grad}
    decay = spec.train.optimizer.options.get("layer_decay")
    if decay is None or encoder is None:
        return [{"params": list(every.values()), "lr_scale": 1.0}]
    head = [p for name, p in every.items() if not name.startswith("encoder.")]
    groups: list[Mapping[str, Any]] = [{"params": head, "lr_scale": 1.0}]
    layers: Sequence[Sequence[str]] = layers_of(spec.model.name, encoder, coarse=False)
    for distance, layer in enumerate(reversed(layers), start=1):
        names = [f"encoder.{name}" for name in layer]
        trained = [every[name] for name in names if name in every]
        if trained:
            scale = float(cast(float, decay)) ** distance
            groups.append({"params": trained, "lr_scale": scale})
    return groups
