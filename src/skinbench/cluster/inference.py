"""Predictions of many fits in one pass: in this process on one node, on Ray Data beyond it.

Both engines take the same batches of the same images through `learn.infer.Scorer`, so what
they give differs by less than 1e-5 in probability and not in decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.cluster.session import Session
from skinbench.errors import counted
from skinbench.records import STAGE_VERSIONS, Event, Listener
from skinbench.store import Store, content_digest, read_json, write_json
from skinbench.store.arrays import open_array

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
            from skinbench.cluster.passes import predict_on_ray

            made = predict_on_ray(requests, store, session, weights, batch_size)
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
