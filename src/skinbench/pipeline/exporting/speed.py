"""How fast the exported model is beside torch, on the machine that exports it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from skinbench.bundle.model import BundleModel
from skinbench.learn.onnx_graph import torch_predictor
from skinbench.learn.runtime import torch_session
from skinbench.learn.saved import LoadedFit
from skinbench.records import BundleSpeed

BATCH, IMAGES, ALONE = 32, 128, 15
SECONDS = 10.0
"""After which no further batch is timed: a 101-layer network takes seconds for each."""


def measure_speed(model: BundleModel, fits: list[LoadedFit]) -> BundleSpeed:
    """Both on the same drawn images, one thread each, all networks and their views in turn.

    Args:
        model: loaded with one thread.
        fits: of its networks, in their order.
    """
    generator = np.random.default_rng(0)
    sizes = {size: (IMAGES, size, size, 3) for size in model.sizes}
    pixels = {n: generator.integers(0, 256, s, dtype=np.uint8) for n, s in sizes.items()}
    rows = {
        fit.fit_id: None
        if fit.encoder is None
        else generator.random((IMAGES, len(fit.encoder.names)), dtype=np.float32)
        for fit in fits
    }
    sessions = [model.sessions[item.name] for item in model.record.networks]

    looks = [max(1, len(item.views)) for item in model.record.networks]

    def by_onnx(where: slice) -> None:
        for session, fit, views in zip(sessions, fits, looks, strict=True):
            feed: dict[str, npt.NDArray[Any]] = {}
            if any(item.name == "pixels" for item in session.get_inputs()):
                feed["pixels"] = pixels[fit.spec.train.image_size][where]
            found = rows[fit.fit_id]
            if found is not None:
                feed["metadata"] = found[where]
            for _ in range(views):
                session.run(["probabilities"], feed)

    predictors = [torch_predictor(fit) for fit in fits]

    def by_torch(where: slice) -> None:
        for predict, fit, views in zip(predictors, fits, looks, strict=True):
            found = rows[fit.fit_id]
            images = pixels.get(fit.spec.train.image_size)
            for _ in range(views):
                predict(
                    None if images is None else images[where],
                    None if found is None else found[where],
                )

    # Whatever the fit was trained on and with.
    with torch_session(replace(fits[0].spec.train, threads=1, device="cpu")):
        onnx_rate, onnx_alone = _timed(by_onnx)
        torch_rate, torch_alone = _timed(by_torch)
    root = model.opened.root
    return BundleSpeed(
        machine=platform.machine(),
        threads=1,
        batch=BATCH,
        images=IMAGES,
        bytes=sum((root / item.file).stat().st_size for item in model.record.networks),
        load_seconds=round(model.load_seconds, 4),
        onnx_images_per_second=round(onnx_rate, 1),
        torch_images_per_second=round(torch_rate, 1),
        onnx_milliseconds=round(onnx_alone, 3),
        torch_milliseconds=round(torch_alone, 3),
    )


def _timed(run: Callable[[slice], None]) -> tuple[float, float]:
    """Images a second in batches, and milliseconds of one image alone.

    Of each the fastest: whatever else the machine does only makes a pass slower.
    """
    run(slice(0, BATCH))
    batch = _fastest(run, [slice(first, first + BATCH) for first in range(0, IMAGES, BATCH)])
    return BATCH / batch, 1000 * _fastest(run, [slice(n, n + 1) for n in range(ALONE)])


def _fastest(run: Callable[[slice], None], parts: list[slice]) -> float:
    """Seconds of the fastest of them."""
    best, began = float("inf"), time.perf_counter()
    for part in parts:
        start = time.perf_counter()
        run(part)
        end = time.perf_counter()
        best = min(best, end - start)
        if end - began > SECONDS:
            break
    return best
