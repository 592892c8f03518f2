"""Finished fits in the store: written once, and rebuilt into a network that predicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays_file
from safetensors.numpy import save as packed_arrays
from safetensors.torch import load_file
from safetensors.torch import save as packed

from skinbench import registry
from skinbench.data.metadata import MetadataEncoder
from skinbench.errors import CorruptObjectError, StoreError, UsageError
from skinbench.learn.network import Encoders, Network, build_network, without_weights
from skinbench.learn.trained import adopt
from skinbench.records import FitRecord, FitSpec, PlainModel
from skinbench.store import Store, read_json, read_record, write_json

MODEL, RECORD, ENCODER, SPEC = "model.safetensors", "record.json", "encoder.json", "spec.json"

Weights = Mapping[str, Path]
"""Digest of a weights file to where it is on this machine."""


@dataclass(frozen=True, kw_only=True)
class LoadedFit:
    """A fit ready to predict; exactly one of `network` and `plain` is set."""

    fit_id: str
    spec: FitSpec
    record: FitRecord
    encoder: MetadataEncoder | None
    network: Network | None = None
    plain: PlainModel | None = None
    state: Mapping[str, npt.NDArray[Any]] | None = None
    """Arrays of the plain model."""


def publish_fit(
    store: Store,
    spec: FitSpec,
    record: FitRecord,
    encoder: MetadataEncoder | None,
    tensors: Mapping[str, torch.Tensor] | Mapping[str, npt.NDArray[Any]],
) -> None:
    """Write `fits/<id>`: weights or state, record, metadata vocabulary and spec.

    Raises:
        StoreError: the disk is full or read-only.
    """

    def write(folder: Path) -> None:
        values: dict[str, Any] = dict(sorted(tensors.items()))
        if all(isinstance(value, torch.Tensor) for value in values.values()):
            weights = packed(values)
        else:
            weights = packed_arrays(
                {name: np.ascontiguousarray(value) for name, value in values.items()}
            )
        (folder / MODEL).write_bytes(weights)  # `save_file` makes files for one user alone
        write_json(folder / RECORD, record)
        write_json(folder / ENCODER, None if encoder is None else encoder.to_plain())
        write_json(folder / SPEC, spec)

    store.publish("fits", record.fit_id, write)


def read_fit_record(store: Store, fit_id: str) -> FitRecord:
    """The record of a finished fit.

    Raises:
        CorruptObjectError: the fit is absent or damaged.
    """
    return read_record(store.open("fits", fit_id) / RECORD, FitRecord)


def load_fit(
    fit_id: str, store: Store, weights: Weights, encoders: Encoders | None = None
) -> LoadedFit:
    """Rebuild a finished fit, in eval mode on the CPU.

    Args:
        fit_id: name under `fits/`.
        store: where it is.
        weights: files that frozen encoders are filled from, by digest.
        encoders: frozen encoders built before, to share.

    Raises:
        CorruptObjectError: the fit is absent or damaged.
        UsageError: a frozen encoder's weights file is not among `weights`.
    """
    folder = store.open("fits", fit_id)
    spec = read_record(folder / SPEC, FitSpec)
    plain_encoder = read_json(folder / ENCODER)
    encoder = None if plain_encoder is None else MetadataEncoder.from_plain(plain_encoder)
    record = read_record(folder / RECORD, FitRecord)
    entry = registry.models.get(spec.model.name)
    try:
        if entry.plain is not None:
            return LoadedFit(
                fit_id=fit_id,
                spec=spec,
                record=record,
                encoder=encoder,
                plain=entry.plain(),
                state=load_arrays_file(folder / MODEL),
            )
        state = load_file(folder / MODEL)
    except (OSError, SafetensorError) as error:
        raise CorruptObjectError(f"{folder / MODEL} cannot be read: {error}") from error
    n_metadata = 0 if encoder is None else len(encoder.names)
    frozen = spec.model.frozen
    start = spec if frozen else without_weights(spec)
    network = make_network(start, n_metadata, store, weights, encoders)
    try:
        network.load_trained_state(state)
    except RuntimeError as error:
        raise CorruptObjectError(
            f"{folder / MODEL} does not hold the tensors of its spec: {str(error).splitlines()[0]}"
        ) from error
    return LoadedFit(
        fit_id=fit_id, spec=spec, record=record, encoder=encoder, network=network.eval()
    )


def take_over(fit_id: str, spec: FitSpec, store: Store, weights: Weights) -> FitRecord:
    """Publish a model that was trained elsewhere, as a fit without epochs.

    Raises:
        UsageError: its file is not among `weights`, or is not the model that the spec states.
        StoreError: the file has changed since the suite was planned.
    """
    path = weights_path(spec, store, weights)
    only_file = registry.models.get(spec.model.name).kind == "file"
    network = None if only_file else build_network(spec, 0, None)
    record, kept = adopt(fit_id, spec, path, network)
    publish_fit(store, spec, record, None, kept)
    return record


def make_network(
    spec: FitSpec,
    n_metadata: int,
    store: Store,
    weights: Weights,
    encoders: Encoders | None = None,
) -> Network:
    """`build_network` with its weights found: a file by digest, or another fit in the store.

    Raises:
        UsageError: the weights file is not among `weights`, or does not fit.
        StoreError: the file has changed since the suite was planned.
        CorruptObjectError: the other fit is absent or damaged.
    """
    wanted = spec.model.weights
    if wanted.kind == "fit":
        source = load_fit(wanted.digest, store, weights).network
        if source is None:
            raise UsageError(f"model {spec.model.name}: fit {wanted.digest} has no network")
        return build_network(spec, n_metadata, None, source)
    path = weights_path(spec, store, weights) if wanted.kind == "file" else None
    return build_network(spec, n_metadata, path, encoders=encoders)


def weights_path(spec: FitSpec, store: Store, weights: Weights) -> Path:
    """Where a fit's weights file is, its content checked against the digest in the spec.

    Raises:
        UsageError: it is not among `weights`, or there is no such file.
        StoreError: its content is another one.
    """
    digest = spec.model.weights.digest
    path = weights.get(digest)
    if path is None or not Path(path).is_file():
        path = store.lent("weights", digest) or path
    if path is None or not Path(path).is_file():
        where = "was not handed over" if path is None else f"is not at {path}"
        raise UsageError(
            f"model {spec.model.name}: its weights file (sha256 {digest[:12]}...) {where}; "
            f"set `weights: {{file: PATH}}` or SKINBENCH_WEIGHTS on every machine of the run"
        )
    if store.digest_of(Path(path)) != digest:
        raise StoreError(
            f"{path} has changed since the suite was planned; run the suite again from its start"
        )
    return Path(path)
