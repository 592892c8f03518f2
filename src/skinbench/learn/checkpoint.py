"""The one file that an unfinished fit keeps after every epoch, so that a kill costs one epoch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as packed

from skinbench.learn.stopping import Progress
from skinbench.records import EpochRecord
from skinbench.store import Store, canonical_json, from_plain, replacing

FILE = "state.safetensors"
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Scalars:
    """Everything of a checkpoint that is no tensor."""

    schema: int = SCHEMA
    fit_id: str
    progress: Progress
    history: tuple[EpochRecord, ...]
    learning_rate: float
    """For the next epoch."""
    plateau: Mapping[str, float]
    attempts: int
    parts: int = 1
    """Parts that each batch is cut into."""
    digest: str = ""
    """sha256 over names and bytes of the tensors."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """State after a whole epoch."""

    scalars: Scalars
    model: Mapping[str, torch.Tensor]
    best: Mapping[str, torch.Tensor]
    """The model at its best epoch."""
    optimiser: Mapping[str, torch.Tensor]


def checkpoint_path(store: Store, fit_id: str) -> Path:
    """Where an unfinished fit's checkpoint is."""
    return store.work_path("fits", fit_id) / FILE


def save_checkpoint(store: Store, checkpoint: Checkpoint) -> None:
    """Replace the fit's checkpoint atomically.

    Raises:
        StoreError: the disk is full or read-only; the checkpoint before stays.
    """
    tensors = _join(checkpoint)
    scalars = checkpoint.scalars
    path = checkpoint_path(store, scalars.fit_id)
    values = Scalars(
        fit_id=scalars.fit_id,
        progress=scalars.progress,
        history=scalars.history,
        learning_rate=scalars.learning_rate,
        plateau=scalars.plateau,
        attempts=scalars.attempts,
        parts=scalars.parts,
        digest=_digest(tensors),
    )
    with replacing(path) as temporary:
        # `save_file` makes files for one user alone, and the store is shared.
        temporary.write_bytes(packed(tensors, {"scalars": canonical_json(values)}))
    store.keep_work("fits", scalars.fit_id)


def load_checkpoint(store: Store, fit_id: str) -> Checkpoint | None:
    """The checkpoint of an unfinished fit; None where there is none, or a damaged one."""
    store.find_work("fits", fit_id)
    path = checkpoint_path(store, fit_id)
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        scalars = from_plain(Scalars, json.loads(metadata["scalars"]))
    except (OSError, SafetensorError, KeyError, ValueError, ValidationError):
        return None
    sound = (scalars.schema, scalars.fit_id, scalars.digest) == (SCHEMA, fit_id, _digest(tensors))
    if not sound:
        return None
    model = _part(tensors, "model/")
    return Checkpoint(
        scalars=scalars,
        model=model,
        best=_part(tensors, "best/") or model,
        optimiser=_part(tensors, "optimiser/"),
    )


def remove_checkpoint(store: Store, fit_id: str) -> None:
    """Forget what an unfinished fit kept."""
    store.drop_work("fits", fit_id)


def _join(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    progress = checkpoint.scalars.progress
    parts: dict[str, Mapping[str, torch.Tensor]] = {
        "model/": checkpoint.model,
        # At its best epoch the model is the best one: once in the file is enough.
        "best/": {} if progress.best_epoch == progress.epoch else checkpoint.best,
        "optimiser/": checkpoint.optimiser,
    }
    return {
        prefix + name: tensor
        for prefix, part in parts.items()
        for name, tensor in sorted(part.items())
    }


def _part(tensors: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    state = hashlib.sha256()
    for name in sorted(tensors):
        state.update(name.encode())
        state.update(tensors[name].contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return state.hexdigest()
