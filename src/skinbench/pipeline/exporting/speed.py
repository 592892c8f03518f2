"""How fast the exported model is beside torch, on the machine that exports it."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench.bundle.model import BundleModel, open_session
from skinbench.learn.onnx_graph import torch_predictor
from skinbench.learn.runtime import torch_session
from skinbench.learn.saved import LoadedFit
from skinbench.records import BundleSpeed

BATCH, IMAGES, ALONE = 32, 128, 15


def measure_speed(model: BundleModel, fits: list[LoadedFit]) -> BundleSpeed:
    """Both on the same drawn images, one thread each, all networks of the bundle in turn."""
    generator = np.random.default_rng(0)
    sizes = {size: (IMAGES, size, size, 3) for size in model.sizes}
    pixels = {n: generator.integers(0, 256, s, dtype=np.uint8) for n, s in sizes.items()}
    rows = {
        fit.fit_id: None
        if fit.encoder is None
        else generator.random((IMAGES, len(fit.encoder.names)), dtype=np.float32)
        for fit in fits
    }
    start = time.perf_counter()
    files = [model.opened.root / item.file for item in model.record.networks]
    sessions = [open_session(file, 1) for file in files]
    load = time.perf_counter() - start

    def by_onnx(where: slice) -> None:
        for session, fit in zip(sessions, fits, strict=True):
            feed: dict[str, npt.NDArray[Any]] = {}
            if any(item.name == "pixels" for item in session.get_inputs()):
                feed["pixels"] = pixels[fit.spec.train.image_size][where]
            found = rows[fit.fit_id]
            if found is not None:
                feed["metadata"] = found[where]
            session.run(["probabilities"], feed)

    predictors = [torch_predictor(fit) for fit in fits]

    def by_torch(where: slice) -> None:
        for predict, fit in zip(predictors, fits, strict=True):
            found = rows[fit.fit_id]
            images = pixels.get(fit.spec.train.image_size)
            predict(
                None if images is None else images[where],
                None if found is None else found[where],
            )

    train = fits[0].spec.train
    with torch_session(train):
        onnx_rate, onnx_alone = _timed(by_onnx)
        torch_rate, torch_alone = _timed(by_torch)
    root = model.opened.root
    return BundleSpeed(
        machine=platform.machine(),
        threads=1,
        batch=BATCH,
        images=IMAGES,
        bytes=sum((root / item.file).stat().st_size for item in model.record.networks),
        load_seconds=round(load, 4),
        onnx_images_per_second=round(onnx_rate, 1),
        torch_images_per_second=round(torch_rate, 1),
        onnx_milliseconds=round(onnx_alone, 3),
        torch_milliseconds=round(torch_alone, 3),
    )


def _timed(run: Callable[[slice], None]) -> tuple[float, float]:
    """Images a second in batches, and milliseconds of one image alone."""
    run(slice(0, BATCH))
    start = time.perf_counter()
    for first in range(0, IMAGES, BATCH):
        run(slice(first, first + BATCH))
    rate = IMAGES / (time.perf_counter() - start)
    alone = []
    for place in range(ALONE):
        start = time.perf_counter()
        run(slice(place, place + 1))
        alone.append(1000 * (time.perf_counter() - start))
    return rate, statistics.median(alone)
