"""Predictions of many fits in one pass: in this process on one node, on Ray Data beyond it.

Both engines take the same batches of the same images through `learn.infer.Scorer`, so what
they give differs by less than 1e-5 in probability and not in decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.cluster.session import Session
from skinbench.cluster.sizing import inference_pool
from skinbench.data.pixels import open_pixels, pixel_digest
from skinbench.errors import counted
from skinbench.records import STAGE_VERSIONS, Event, FitSpec, Listener
from skinbench.store import Store, content_digest, read_json, read_record, write_json
from skinbench.store.arrays import open_array

if TYPE_CHECKING:
    from skinbench.learn.infer import PredictRequest

EngineName = Literal["process", "ray"]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How predictions are made, and why so."""

    name: EngineName
    rule: str
    """One sentence for the report."""


@dataclass(frozen=True, kw_only=True)
class PredictionOrder:
    """Images of one dataset that one fit is to predict under one condition."""

    fit: str
    dataset: str
    """Manifest digest."""
    image_ids: tuple[str, ...]
    """Sorted."""
    condition: str
    views: tuple[str, ...] = ()
    """Views of each image whose probabilities are averaged; empty: the image as it is stored."""

    def digest(self, engine: str, batch_size: int) -> str:
        """Content name of the result in the store."""
        images = content_digest(self.image_ids)
        version = STAGE_VERSIONS["inference"]
        views = [[list(self.views), registry.augments.get("dihedral").version]]
        return content_digest(
            [self.fit, self.dataset, images, self.condition, engine, batch_size, version]
            + (views if self.views else [])
        )


def choose_engine(asked: str, session: Session) -> Engine:
    """The engine that a suite asks for, or the faster one.

    On one node a loop in the process that holds the model is faster at any number of images
    (10,015 images, mobilenetv2_100, 2 cores: 517 images/s against 302 on Ray Data); Ray Data is
    for several nodes or several GPUs.
    """
    if asked == "process":
        return Engine(name="process", rule="the suite asks for `inference.engine: process`")
    if asked == "ray":
        return Engine(name="ray", rule="the suite asks for `inference.engine: ray`")
    if session.address == "local":
        return Engine(name="process", rule="one node: a loop in one process is faster there")
    nodes = session.nodes()
    gpus = sum(node.gpu for node in nodes)
    if len(nodes) == 1 and gpus <= 1:
        return Engine(name="process", rule="one node: a loop in one process is faster there")
    return Engine(
        name="ray", rule=f"{counted(len(nodes), 'node')} with {gpus:g} GPUs: Ray Data uses all"
    )


def predict_orders(
    orders: Sequence[PredictionOrder],
    engine: Engine,
    *,
    store: Store,
    session: Session,
    weights: Mapping[str, Path],
    workers: int,
    batch_size: int,
    listener: Listener,
) -> dict[PredictionOrder, npt.NDArray[np.float32]]:
    """Probabilities [N, C] for every order; what the store has is not computed again."""
    names = {order: order.digest(engine.name, batch_size) for order in orders}
    missing = [order for order in names if not store.has("predictions", names[order])]
    if missing:
        from skinbench.learn.infer import PredictRequest, predict_fits

        requests = [
            PredictRequest(
                fit_id=order.fit,
                dataset=order.dataset,
                image_ids=order.image_ids,
                condition=order.condition,
                views=order.views,
            )
            for order in missing
        ]

        def progress(what: str, done: int, total: int) -> None:
            listener(Event(kind="progress", name=what, done=done, total=total))

        took: dict[int, float | None] = {}  # not known where actors computed
        if engine.name == "process":
            made = predict_fits(
                requests,
                store,
                weights=weights,
                workers=workers,
                batch_size=batch_size,
                progress=progress,
                timed=took.__setitem__,
            )
        else:
            made = _predict_on_ray(requests, store, session, weights, batch_size)
        for place, (order, probabilities) in enumerate(zip(missing, made, strict=True)):
            _publish(store, names[order], order, probabilities, took.get(place))
    return {order: _load(store, name) for order, name in names.items()}


def seconds_of(
    order: PredictionOrder, engine: Engine, store: Store, batch_size: int
) -> float | None:
    """What one thread computed for a predicted order; None where that is not known."""
    folder = store.open("predictions", order.digest(engine.name, batch_size))
    found = read_json(folder / "order.json").get("seconds")
    return None if found is None else float(found)


def _publish(
    store: Store,
    name: str,
    order: PredictionOrder,
    probabilities: npt.NDArray[np.float32],
    seconds: float | None,
) -> None:
    about = {"fit": order.fit, "condition": order.condition, "seconds": seconds}

    def write(folder: Path) -> None:
        np.save(folder / "probabilities.npy", probabilities, allow_pickle=False)
        write_json(folder / "order.json", about)

    store.publish("predictions", name, write)


def _load(store: Store, name: str) -> npt.NDArray[np.float32]:
    path = store.open("predictions", name) / "probabilities.npy"
    values: npt.NDArray[np.float32] = open_array(path)
    return values


# --- Ray Data ----------------------------------------------------------------------------


class _Actor:
    """Holds the models of one pass; each row that it maps is one batch of fixed images."""

    def __init__(self, store: str, fits: Sequence[str], **settings: Any) -> None:
        from skinbench.learn.scorer import Scorer

        registry.load_plugins_from_environment()
        self._scorer = Scorer(store, fits, **settings)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        made = self._scorer.probabilities(np.asarray(row["rows"], dtype=np.int64))
        return {"batch": row["batch"], **{fit: value.tobytes() for fit, value in made.items()}}


def _predict_on_ray(
    requests: Sequence[PredictRequest],
    store: Store,
    session: Session,
    weights: Mapping[str, Path],
    batch_size: int,
) -> list[npt.NDArray[np.float32]]:
    """One pipeline for each set of images that several fits read; batches as in one process."""
    from skinbench.learn.infer import group_requests

    made: dict[int, npt.NDArray[np.float32]] = {}
    for indices in group_requests(requests, store):
        group = [requests[index] for index in indices]
        results = _one_pass(group, store, session, weights, batch_size)
        order = sorted(group[0].image_ids)
        for index in indices:
            position = {name: place for place, name in enumerate(order)}
            rows = [position[name] for name in requests[index].image_ids]
            made[index] = results[requests[index].fit_id][rows]
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


def _one_pass(
    group: Sequence[PredictRequest],
    store: Store,
    session: Session,
    weights: Mapping[str, Path],
    batch_size: int,
) -> dict[str, npt.NDArray[np.float32]]:
    """Fit id to probabilities [N, C], rows by sorted image id."""
    spec = read_record(store.open("fits", group[0].fit_id) / "spec.json", FitSpec)
    first, train = group[0], spec.train
    _ensure_stored(group, store, weights)
    pool = inference_pool(session.nodes(), gpu=train.device == "cuda")
    import ray

    # Rows are those of the images themselves in any store of made pixels, too.
    size = train.image_size if spec.pixels is None else spec.pixels.source_size
    pixels = open_pixels(store, pixel_digest(first.dataset, size))
    rows = pixels.rows(sorted(first.image_ids))
    batches = [
        {"batch": index, "rows": rows[start : start + batch_size].tolist()}
        for index, start in enumerate(range(0, len(rows), batch_size))
    ]
    fits = sorted({request.fit_id for request in group})
    actors = min(pool.actors, len(batches))
    ray.data.DataContext.get_current().enable_progress_bars = False
    scored = ray.data.from_items(batches, override_num_blocks=len(batches)).map(
        _Actor,
        fn_constructor_args=(str(store.root), fits),
        fn_constructor_kwargs={
            "dataset": first.dataset,
            "condition": first.condition,
            "views": first.views,
            "weights": {digest: str(path) for digest, path in weights.items()},
        },
        compute=ray.data.ActorPoolStrategy(size=actors),
        num_cpus=pool.cpu_each,
        num_gpus=pool.gpu_each,
    )
    found = sorted(scored.iter_rows(), key=lambda row: int(row["batch"]))
    width = len(spec.classes)
    return {
        fit: np.concatenate(
            [np.frombuffer(row[fit], dtype=np.float32).reshape(-1, width) for row in found]
        )
        for fit in fits
    }
