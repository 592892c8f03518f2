"""Training fits: one or a pack, each resumable, published whole, and failing alone."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Generator, Mapping

from skinbench import registry
from skinbench.errors import CorruptObjectError, SkinbenchError, StoreError
from skinbench.learn.allocator import release_pages
from skinbench.learn.checkpoint import remove_checkpoint
from skinbench.learn.made import build_seen
from skinbench.learn.memory import is_out_of_memory, release_gpu
from skinbench.learn.plain import fit_plain
from skinbench.learn.runtime import torch_session
from skinbench.learn.saved import Weights, publish_fit, read_fit_record, take_over
from skinbench.learn.segmentation import SegmentationTraining
from skinbench.learn.training import Shared, Training
from skinbench.learn.turn import turn_at
from skinbench.records import EpochRecord, FitRecord, FitSpec
from skinbench.store import Store
from skinbench.store.outage import is_outage

OnEpoch = Callable[[str, EpochRecord], None]
OnRecord = Callable[[FitRecord], None]
Epochs = Generator[EpochRecord, None, FitRecord]


def train_fits(
    specs: Mapping[str, FitSpec],
    store: Store,
    *,
    weights: Weights,
    on_epoch: OnEpoch,
    on_record: OnRecord | None = None,
) -> dict[str, FitRecord]:
    """Train fits one after another, sharing what they read; publish each as it is done.

    A fit's numbers do not depend on the others. A fit that exists in the store is not trained
    again; one that was killed goes on after its last whole epoch, to the same bits.

    Args:
        specs: fit id to spec.
        store: holds manifests, splits, pixels and other fits; gets `fits/<id>`.
        weights: weights files by their sha256.
        on_epoch: called with (fit id, epoch) after each epoch of this call, the epoch being
            safe on disk; what it raises is passed on and leaves the fit resumable.
        on_record: called with each fit's record as soon as there is one.

    Returns:
        Fit id to record. A fit that fails has status `failed`, with its error and traceback,
        is not published, and does not stop the others.

    Raises:
        StoreError: the store cannot be written to or does not answer (every fit would fail
            alike).
    """
    shared = Shared(store, weights)
    records = {}
    for fit_id, spec in specs.items():
        records[fit_id] = _drive(fit_id, spec, shared, on_epoch)
        release_pages()
        if on_record is not None:
            on_record(records[fit_id])
    return records


def _drive(fit_id: str, spec: FitSpec, shared: Shared, on_epoch: OnEpoch) -> FitRecord:
    if shared.store.has("fits", fit_id):
        return read_fit_record(shared.store, fit_id)
    with turn_at(fit_id, shared.store):
        if shared.store.has("fits", fit_id):
            return read_fit_record(shared.store, fit_id)
        return _train(fit_id, spec, shared, on_epoch)


def _train(fit_id: str, spec: FitSpec, shared: Shared, on_epoch: OnEpoch) -> FitRecord:
    epochs = _epochs(fit_id, spec, shared)
    try:
        while True:
            try:
                record = next(epochs)
            except StopIteration as stop:
                finished: FitRecord = stop.value
                return finished
            except Exception as error:
                if shared.store.has("fits", fit_id):
                    return _made_elsewhere(fit_id, shared.store)
                if is_outage(error, shared.store):
                    raise StoreError(f"cannot train {fit_id}: {_first_line(error)}") from error
                if isinstance(error, StoreError) and not isinstance(error, CorruptObjectError):
                    raise
                return _failure(fit_id, error)
            on_epoch(fit_id, record)  # outside the handler: its errors are the caller's
            if shared.store.has("fits", fit_id):
                return _made_elsewhere(fit_id, shared.store)
    finally:
        epochs.close()


def _made_elsewhere(fit_id: str, store: Store) -> FitRecord:
    """The record of a fit that another run finished meanwhile; what this one kept is not needed."""
    remove_checkpoint(store, fit_id)
    return read_fit_record(store, fit_id)


def _failure(fit_id: str, error: Exception) -> FitRecord:
    known = isinstance(error, SkinbenchError)
    return FitRecord(
        fit_id=fit_id,
        status="failed",
        error=_first_line(error) if known else f"{type(error).__name__}: {_first_line(error)}",
        traceback="".join(traceback.format_exception(error)),
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def training_of(spec: FitSpec) -> type[Training]:
    """The loop that trains a fit, by the task of its model."""
    if registry.models.get(spec.model.name).task == "segmentation":
        return SegmentationTraining
    return Training


def _epochs(fit_id: str, spec: FitSpec, shared: Shared) -> Epochs:
    """Train one fit, giving control back after each epoch."""
    if spec.model.trained is not None:
        with torch_session(spec.train):
            return take_over(fit_id, spec, shared.store, shared.weights)
    for dataset in spec.datasets.values():
        build_seen(spec, dataset, shared.store, weights=shared.weights)
    if registry.models.get(spec.model.name).kind != "network":
        with torch_session(spec.train):
            return fit_plain(fit_id, spec, shared.sources)
    with torch_session(spec.train) as device:
        training = training_of(spec)(fit_id, spec, shared, device)
        training.resume()
        while parts := (yield from _until_too_large(training)):
            del training
            release_gpu()
            training = training_of(spec)(fit_id, spec, shared, device)
            training.resume()
            training.parts = parts
        finished = training.record()
        publish_fit(shared.store, spec, finished, training.arrays.encoder, training.kept())
    remove_checkpoint(shared.store, fit_id)
    return finished


def _until_too_large(training: Training) -> Generator[EpochRecord, None, int]:
    """Train to the end (0), or until the GPU cannot hold a batch: into how many parts to cut it.

    The epoch that broke off is begun again, from the last checkpoint.
    """
    while not training.finished:
        try:
            record = training.run_epoch()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return training.more_parts()
        training.save()
        yield record
    return 0
