"""Baselines without a network, fitted in one go."""

from __future__ import annotations

import time
from typing import cast

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.data.pixels import PixelRows
from skinbench.errors import UsageError
from skinbench.learn.arrays import Sources, load_arrays
from skinbench.learn.saved import publish_fit
from skinbench.records import FitRecord, FitSpec


def fit_plain(fit_id: str, spec: FitSpec, sources: Sources) -> FitRecord:
    """Fit a baseline on train and publish it; its record has no epochs.

    Raises:
        UsageError: the model is a network.
        DataError: train is empty or unlabelled.
    """
    started = time.perf_counter()
    entry = registry.models.get(spec.model.name)
    if entry.plain is None:
        raise UsageError(f"model {spec.model.name}: is a network, not a baseline")
    arrays = load_arrays(spec, sources)
    train = arrays.train
    pixels = PixelRows(
        lambda positions: arrays.gather(train, positions), len(train), arrays.image_size
    )
    state = entry.plain().fit(
        cast("npt.NDArray[np.uint8]", pixels),
        train.table,
        train.labels,
        len(spec.classes),
        spec.train.seed,
    )
    record = FitRecord(fit_id=fit_id, status="done", seconds=time.perf_counter() - started)
    publish_fit(sources.store, spec, record, arrays.encoder, state)
    return record
