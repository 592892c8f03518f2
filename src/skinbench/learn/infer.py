"""Prediction: fits loaded once, pixels read once, probabilities for all fits that read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skinbench.errors import UsageError
from skinbench.learn.conditions import alters_pixels
from skinbench.learn.features import build_features
from skinbench.learn.made import build_seen
from skinbench.learn.runtime import torch_session
from skinbench.learn.saved import SPEC, Weights
from skinbench.learn.scorer import Scorer
from skinbench.records import FitSpec
from skinbench.store import Store, canonical_json, content_digest, read_record

Progress = Callable[[str, int, int], None]
Timed = Callable[[int, float | None], None]
Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PredictRequest:
    """One fit on some images of one dataset under one condition."""

    fit_id: str
    dataset: str
    """Manifest digest."""
    image_ids: tuple[str, ...]
    condition: str = "none"
    """`none`, or e.g. `blur@3` or `metadata_missing`."""
    views: tuple[str, ...] = ()
    """Views of each image whose probabilities are averaged; empty: the image as it is stored."""


def predict_fits(
    requests: Sequence[PredictRequest],
    store: Store,
    *,
    weights: Weights,
    workers: int,
    batch_size: int,
    progress: Progress | None = None,
    timed: Timed | None = None,
) -> list[Probabilities]:
    """Probabilities for each request, in one process.

    Requests for the same images are served from one reading of the pixels. The bits depend on
    a request's own images and on `batch_size`, never on `workers`, on the order of the ids or
    on the other requests: batches are cut from the sorted ids, and each is computed with the
    fit's own threads.

    Args:
        requests: what to predict.
        store: holds the fits, manifests and pixel stores.
        weights: weights files by their sha256, for frozen encoders.
        workers: Python threads, each computing whole batches.
        batch_size: images in one pass.
        progress: called with ("predict", image x fit pairs done, pairs in all).
        timed: called once for each request with its position and the seconds that one thread
            would have computed, None where that is not known; see `Scorer.seconds`.

    Returns:
        One [N, C] float32 per request, rows in the order of its image_ids, each summing to 1.

    Raises:
        CorruptObjectError: a fit, manifest or pixel store is absent or damaged.
        DataError: an image is not in the dataset.
        UsageError: workers or batch_size is under 1, or a condition is malformed.
    """
    if workers < 1 or batch_size < 1:
        raise UsageError(f"workers is {workers} and batch_size {batch_size}; expected 1 or more")
    specs = _read_specs(requests, store)
    total = sum(len(request.image_ids) for request in requests)
    done = 0

    def advance(amount: int) -> None:
        nonlocal done
        done += amount
        if progress is not None:
            progress("predict", done, total)

    results: dict[int, Probabilities] = {}
    for members in _grouped(requests, specs):
        group = [requests[index] for index in members]
        run = _GroupRun(group, specs, store, weights, batch_size)
        found = run.predict(workers, advance)
        results.update({index: found[requests[index].fit_id] for index in members})
        if timed is not None:
            for index in members:
                timed(index, run.seconds.get(requests[index].fit_id))
        _reorder(results, members, requests)
    return [results[index] for index in range(len(requests))]


def group_requests(requests: Sequence[PredictRequest], store: Store) -> list[list[int]]:
    """Positions of requests that one scorer can serve from one reading of the pixels.

    The members of a group have dataset, condition, views, set of images, image size, number of
    classes, device and threads in common.

    Raises:
        CorruptObjectError: a fit is absent or damaged.
    """
    return _grouped(requests, _read_specs(requests, store))


def _read_specs(requests: Sequence[PredictRequest], store: Store) -> dict[str, FitSpec]:
    return {
        fit_id: read_record(store.open("fits", fit_id) / SPEC, FitSpec)
        for fit_id in sorted({request.fit_id for request in requests})
    }


def _grouped(requests: Sequence[PredictRequest], specs: Mapping[str, FitSpec]) -> list[list[int]]:
    groups: dict[str, list[int]] = {}
    for index, request in enumerate(requests):
        spec = specs[request.fit_id]
        train = spec.train
        settings = [train.image_size, train.device, train.threads, len(spec.classes), spec.pixels]
        images = content_digest(sorted(request.image_ids))
        key = canonical_json([request.dataset, request.condition, request.views, settings, images])
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def _reorder(
    results: dict[int, Probabilities], members: list[int], requests: Sequence[PredictRequest]
) -> None:
    """From sorted ids back to each request's own order."""
    for index in members:
        rank = np.argsort(np.argsort(np.array(requests[index].image_ids, dtype=object)))
        results[index] = results[index][rank]


class _GroupRun:
    """Fits that read the same images, dataset and condition."""

    def __init__(
        self,
        group: Sequence[PredictRequest],
        specs: Mapping[str, FitSpec],
        store: Store,
        weights: Weights,
        batch_size: int,
    ) -> None:
        self._store, self._weights, self._batch_size = store, weights, batch_size
        self._dataset, self._condition = group[0].dataset, group[0].condition
        self._views = group[0].views
        self._image_ids = sorted(group[0].image_ids)
        self._specs = {fit: specs[fit] for fit in sorted({r.fit_id for r in group})}
        self._repeats = {
            fit: sum(request.fit_id == fit for request in group) for fit in self._specs
        }
        self.seconds: Mapping[str, float | None] = {}

    def predict(self, workers: int, advance: Callable[[int], None]) -> dict[str, Probabilities]:
        """Probabilities [N, C] of each fit, rows in the order of the sorted ids."""
        if not self._image_ids:
            return {
                fit: np.empty((0, len(spec.classes)), dtype=np.float32)
                for fit, spec in self._specs.items()
            }
        self._ensure_stored(workers)
        train = next(iter(self._specs.values())).train
        with torch_session(train), ThreadPoolExecutor(max_workers=workers) as pool:
            scorer = Scorer(
                self._store.place,
                tuple(self._specs),
                dataset=self._dataset,
                condition=self._condition,
                views=self._views,
                weights=self._weights,
            )
            rows = scorer.rows(self._image_ids)
            batches = [
                rows[start : start + self._batch_size]
                for start in range(0, len(rows), self._batch_size)
            ]
            parts: list[dict[str, Probabilities]] = []
            for part, batch in zip(pool.map(scorer.probabilities, batches), batches, strict=True):
                parts.append(part)
                advance(len(batch) * sum(self._repeats.values()))
            self.seconds = scorer.seconds
        return {fit: np.concatenate([part[fit] for part in parts]) for fit in self._specs}

    def _ensure_stored(self, workers: int) -> None:
        """Made pixels and features that were cleared, or of a dataset not trained on, come first.

        Encoding just the images asked for would give other bits than the stored batches do.
        """
        if alters_pixels(self._condition):
            return
        for spec in self._specs.values():
            build_seen(spec, self._dataset, self._store, weights=self._weights)
            for view in (self._views or ("none",)) if spec.stored_features else ():
                build_features(
                    spec,
                    self._dataset,
                    self._store,
                    workers=workers,
                    weights=self._weights,
                    view=view,
                )


__all__ = ["PredictRequest", "Scorer", "group_requests", "predict_fits"]
