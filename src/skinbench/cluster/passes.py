"""Passes of many models over pixel stores on Ray Data, all through one pool of actors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.cluster.session import Session
from skinbench.cluster.sizing import inference_pool
from skinbench.data.pixels import open_pixels, pixel_digest
from skinbench.records import FitSpec
from skinbench.store import Store, read_record

if TYPE_CHECKING:
    from skinbench.learn.infer import PredictRequest
    from skinbench.learn.scorer import Scorer


@dataclass(frozen=True, kw_only=True)
class _Pass:
    """Fits that read the same images, as an actor needs them."""

    fits: tuple[str, ...]
    settings: Mapping[str, Any]
    """Of their `Scorer`."""
    batches: tuple[npt.NDArray[np.int64], ...]
    """Rows of the pixel store."""
    classes: int


class _Actor:
    """Stays up over all passes; each row that it maps is one batch of fixed images.

    Batches come pass by pass, so that it holds the models of one pass at a time.
    """

    def __init__(
        self, store: str, passes: Sequence[tuple[tuple[str, ...], Mapping[str, Any]]]
    ) -> None:
        registry.load_plugins_from_environment()
        self._store, self._passes = store, passes
        self._held: tuple[int, Scorer] | None = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        made = self._scorer(row["at"]).probabilities(np.asarray(row["rows"], dtype=np.int64))
        values = [made[fit] for fit in self._passes[row["at"]][0]]
        return {
            "at": row["at"],
            "batch": row["batch"],
            "probabilities": np.concatenate(values).tobytes(),
        }

    def _scorer(self, at: int) -> Scorer:
        if self._held is None or self._held[0] != at:
            from skinbench.learn.scorer import Scorer

            self._held = None  # gives its memory back before the next is loaded
            fits, settings = self._passes[at]
            self._held = at, Scorer(self._store, fits, **settings)
        return self._held[1]


def predict_on_ray(
    requests: Sequence[PredictRequest],
    store: Store,
    session: Session,
    weights: Mapping[str, Path],
    batch_size: int,
) -> list[npt.NDArray[np.float32]]:
    """One pipeline for all sets of images and fits; batches as in one process."""
    from skinbench.learn.infer import group_requests

    groups = group_requests(requests, store)
    by_device: dict[bool, list[int]] = {}
    passes = []
    for place, indices in enumerate(groups):
        group = [requests[index] for index in indices]
        spec = read_record(store.open("fits", group[0].fit_id) / "spec.json", FitSpec)
        _ensure_stored(group, store, weights)
        passes.append(_pass_of(group, spec, store, weights, batch_size))
        by_device.setdefault(spec.train.device == "cuda", []).append(place)
    scored: dict[int, dict[str, npt.NDArray[np.float32]]] = {}
    for gpu, places in by_device.items():
        found = _scored([passes[place] for place in places], store, session, gpu=gpu)
        scored.update(zip(places, found, strict=True))
    made: dict[int, npt.NDArray[np.float32]] = {}
    for place, indices in enumerate(groups):
        order = sorted(requests[indices[0]].image_ids)
        position = {name: row for row, name in enumerate(order)}
        for index in indices:
            rows = [position[name] for name in requests[index].image_ids]
            made[index] = scored[place][requests[index].fit_id][rows]
    return [made[index] for index in range(len(requests))]


def _ensure_stored(
    group: Sequence[PredictRequest], store: Store, weights: Mapping[str, Path]
) -> None:
    """Made pixels and features of frozen encoders exist before actors look for them."""
    from skinbench.learn.conditions import alters_pixels
    from skinbench.learn.features import build_features
    from skinbench.learn.made import build_seen

    if alters_pixels(group[0].condition):
        return
    views = group[0].views or ("none",)
    for fit in sorted({request.fit_id for request in group}):
        spec = read_record(store.open("fits", fit) / "spec.json", FitSpec)
        build_seen(spec, group[0].dataset, store, weights=weights)
        for view in views if spec.stored_features else ():
            build_features(spec, group[0].dataset, store, weights=weights, view=view)


def _pass_of(
    group: Sequence[PredictRequest],
    spec: FitSpec,
    store: Store,
    weights: Mapping[str, Path],
    batch_size: int,
) -> _Pass:
    first = group[0]
    # Rows are those of the images themselves in any store of made pixels, too.
    size = spec.train.image_size if spec.pixels is None else spec.pixels.source_size
    pixels = open_pixels(store, pixel_digest(first.dataset, size))
    rows = pixels.rows(sorted(first.image_ids))
    return _Pass(
        fits=tuple(sorted({request.fit_id for request in group})),
        settings={
            "dataset": first.dataset,
            "condition": first.condition,
            "views": first.views,
            "weights": {digest: str(path) for digest, path in weights.items()},
        },
        batches=tuple(
            rows[start : start + batch_size] for start in range(0, len(rows), batch_size)
        ),
        classes=len(spec.classes),
    )


def _scored(
    passes: Sequence[_Pass], store: Store, session: Session, *, gpu: bool
) -> list[dict[str, npt.NDArray[np.float32]]]:
    """For each pass: fit id to probabilities [N, C], rows by sorted image id."""
    pool = inference_pool(session.nodes(), gpu=gpu)
    import ray.data

    session.take_loggers()  # the import has given Ray Data's to the terminal
    batches = [
        {"at": at, "batch": index, "rows": rows.tolist()}
        for at, each in enumerate(passes)
        for index, rows in enumerate(each.batches)
    ]
    ray.data.DataContext.get_current().enable_progress_bars = False
    mapped = ray.data.from_items(batches, override_num_blocks=len(batches)).map(
        _Actor,
        fn_constructor_args=(store.place, [(each.fits, each.settings) for each in passes]),
        compute=ray.data.ActorPoolStrategy(size=min(pool.actors, len(batches))),
        num_cpus=pool.cpu_each,
        num_gpus=pool.gpu_each,
    )
    parts: dict[tuple[int, int], npt.NDArray[np.float32]] = {}
    for row in mapped.iter_rows():
        each = passes[row["at"]]
        values = np.frombuffer(row["probabilities"], dtype=np.float32)
        parts[row["at"], row["batch"]] = values.reshape(len(each.fits), -1, each.classes)
    return [
        dict(
            zip(
                each.fits,
                np.concatenate([parts[at, k] for k in range(len(each.batches))], axis=1),
                strict=True,
            )
        )
        for at, each in enumerate(passes)
    ]
