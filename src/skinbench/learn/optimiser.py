"""Optimisers and the learning rate's plateau schedule, with state that JSON can carry."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau

from skinbench.errors import UsageError
from skinbench.records import NamedSpec

OPTIMISERS: Mapping[str, tuple[type[torch.optim.Optimizer], Mapping[str, float | bool]]] = {
    "adam": (torch.optim.Adam, {"lr": 1e-3, "weight_decay": 0.0, "eps": 1e-8}),
    "adamw": (torch.optim.AdamW, {"lr": 1e-3, "weight_decay": 1e-2, "eps": 1e-8}),
    "sgd": (
        torch.optim.SGD,
        {"lr": 1e-2, "weight_decay": 0.0, "momentum": 0.9, "nesterov": False},
    ),
}
"""Name to torch's class and the options accepted, with their defaults."""

PLATEAU_THRESHOLD = 1e-4
"""Absolute change of the monitor that counts as better, Keras's `min_delta`."""


def build_optimiser(spec: NamedSpec, groups: Sequence[Mapping[str, Any]]) -> torch.optim.Optimizer:
    """The optimiser that a spec names, over groups of parameters.

    Args:
        spec: name and options.
        groups: `params` and `lr_scale`, by which the learning rate is multiplied; the first
            group's is 1.

    Raises:
        UsageError: an unknown optimiser or option.
    """
    if spec.name not in OPTIMISERS:
        raise UsageError(
            f"optimizer '{spec.name}' is unknown; expected one of {', '.join(OPTIMISERS)}"
        )
    kind, defaults = OPTIMISERS[spec.name]
    given = {key: value for key, value in spec.options.items() if key != "layer_decay"}
    unknown = sorted(given.keys() - defaults.keys())
    if unknown:
        raise UsageError(
            f"optimizer {spec.name}: has no option '{unknown[0]}'; it takes {', '.join(defaults)}"
        )
    arguments: dict[str, Any] = {**defaults, **given}
    try:
        # One fused kernel per step: elementwise, so as deterministic as the plain loop.
        optimiser = kind([dict(group) for group in groups], fused=True, **arguments)  # type: ignore[call-arg]
        set_learning_rate(optimiser, arguments["lr"])
        return optimiser
    except (TypeError, ValueError) as error:
        raise UsageError(f"optimizer {spec.name}: {error}") from error


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Its state as `<parameter index>/<key>` to tensor."""
    state = optimiser.state_dict()["state"]
    return {
        f"{index}/{key}": value.detach().to("cpu", copy=True).contiguous()
        for index, entry in state.items()
        for key, value in entry.items()
        if isinstance(value, torch.Tensor)
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor], learning_rate: float
) -> None:
    """Put back the state that `optimiser_tensors` gave."""
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition("/")
        parameter = parameters[int(index)]
        if tensor.shape == parameter.shape:
            # The parameter's own memory layout: kernels round the same way only then.
            tensor = torch.empty_like(parameter).copy_(tensor)
        state.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    set_learning_rate(optimiser, learning_rate)


def learning_rate_of(optimiser: torch.optim.Optimizer) -> float:
    """The learning rate of its first group, whose scale is 1."""
    return float(optimiser.param_groups[0]["lr"])


def set_learning_rate(optimiser: torch.optim.Optimizer, value: float) -> None:
    """Set the learning rate of every group, each at its scale."""
    for group in optimiser.param_groups:
        group["lr"] = value * group.get("lr_scale", 1.0)


def scheduled_rate(
    schedule: Mapping[str, object], base: float, epochs: int, done: float, step: float
) -> float:
    """The learning rate of one step; a function of where the step is, so it has no state.

    Rises in a line from 0 at the start to `base` at the end of `warmup` epochs, then falls to
    `min_lr` at the end of the last epoch as half a cosine (Loshchilov and Hutter 2017).

    Args:
        schedule: name, warmup and min_lr.
        base: the optimiser's learning rate.
        epochs: of the fit.
        done: epochs done before the step, with its part of the present one.
        step: part of an epoch that a step is; while it rises, a step has the rate of its end,
            since at its start the first one would learn nothing.

    Raises:
        UsageError: an unknown name.
    """
    if schedule.get("name") != "cosine":
        raise UsageError(f"schedule '{schedule.get('name')}' is unknown; expected cosine")
    warmup = int(cast(int, schedule.get("warmup", 0)))
    lowest = float(cast(float, schedule.get("min_lr", 0.0)))
    if done < warmup:
        return base * min((done + step) / warmup, 1.0)
    share = min((done - warmup) / max(epochs - warmup, 1), 1.0)
    return lowest + (base - lowest) * 0.5 * (1.0 + math.cos(math.pi * share))


def build_plateau(
    optimiser: torch.optim.Optimizer, options: Mapping[str, object] | None, *, lower_is_better: bool
) -> ReduceLROnPlateau | None:
    """The schedule that multiplies the learning rate after `patience` epochs without gain.

    Counted as Keras does, whose papers are reproduced: the rate falls at the end of the
    patience-th such epoch in a row (torch alone would wait for one more).
    """
    if options is None:
        return None
    patience = max(int(cast(int, options.get("patience", 4))), 1)
    return ReduceLROnPlateau(
        optimiser,
        mode="min" if lower_is_better else "max",
        factor=float(cast(float, options.get("factor", 0.5))),
        patience=patience - 1,
        threshold=PLATEAU_THRESHOLD,
        threshold_mode="abs",
        min_lr=float(cast(float, options.get("min_lr", 0.0))),
    )


def plateau_state(plateau: ReduceLROnPlateau | None) -> dict[str, float]:
    """Its counters as JSON values."""
    if plateau is None:
        return {}
    state = {name: getattr(plateau, name) for name in ("best", "num_bad_epochs", "last_epoch")}
    return {name: value for name, value in state.items() if math.isfinite(value)}


def restore_plateau(plateau: ReduceLROnPlateau | None, state: Mapping[str, float]) -> None:
    """Put back what `plateau_state` gave."""
    if plateau is not None:
        for name, value in state.items():
            setattr(plateau, name, value)
