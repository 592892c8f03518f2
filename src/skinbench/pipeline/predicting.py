"""Predictions of every cell that has a fit, a table each."""

from __future__ import annotations

import pandas as pd

from skinbench.cluster.inference import (
    Engine,
    PredictionOrder,
    choose_engine,
    predict_orders,
    seconds_of,
)
from skinbench.cluster.schedule import Schedule
from skinbench.cluster.session import Session
from skinbench.data.spaces import SpaceMap, space_map
from skinbench.pipeline.prepared import Prepared
from skinbench.plan import learnt_space
from skinbench.records import Pace, Row
from skinbench.score.assemble import evaluated_images, prediction_frame
from skinbench.score.predictions import write_predictions
from skinbench.store import RunFolder, write_json


def predict(
    prepared: Prepared, folder: RunFolder, session: Session, schedule: Schedule
) -> dict[str, str]:
    """Predict every evaluation of every finished cell; write one table a cell."""
    plan, inference = prepared.plan, prepared.suite.file.inference
    cells = {cell.name: cell for cell in plan.cells}
    by_name = {item.name: item for item in prepared.joined.values()}
    parts: dict[str, list[tuple[PredictionOrder, pd.DataFrame]]] = {}
    for item in plan.evaluations:
        cell = cells[item.cell]
        if cell.fit is None or schedule.records[cell.fit].status != "done":
            continue
        images = evaluated_images(item, prepared.splits[item.split], cell.fold)
        for dataset, part in images.groupby("dataset", sort=True):
            order = PredictionOrder(
                fit=cell.fit,
                dataset=by_name[str(dataset)].digest,
                image_ids=tuple(dict.fromkeys(part["image_id"])),
                condition=item.condition,
                views=item.views,
            )
            parts.setdefault(item.cell, []).append((order, part))
    engine = choose_engine(inference.engine, session)
    orders = [order for group in parts.values() for order, _ in group]
    made = predict_orders(
        orders,
        engine,
        store=schedule.store,
        session=session,
        weights=schedule.weights,
        workers=schedule.cores,
        batch_size=inference.batch_size,
        listener=schedule.listener,
    )
    paces = _paces(prepared, orders, engine, schedule)
    write_json(folder.paces, {"paces": paces})
    rows = {row.name: row for row in plan.rows}
    for name, group in parts.items():
        row = rows[cells[name].row]
        mapping = _mapping(prepared, row)
        frames = [
            prediction_frame(
                part,
                made[order],
                by_name[str(part["dataset"].iloc[0])],
                condition=order.condition,
                mapping=mapping,
            )
            for order, part in group
        ]
        facts = {
            "cell": name,
            "fit": str(cells[name].fit),
            "label_space": row.label_space,
            "engine": engine.name,
        }
        write_predictions(
            folder.prediction(name), pd.concat(frames), classes=row.classes, metadata=facts
        )
    return {"name": engine.name, "rule": engine.rule}


def _paces(
    prepared: Prepared, orders: list[PredictionOrder], engine: Engine, schedule: Schedule
) -> list[Pace]:
    """Of every fit whose passes over unaltered images were all timed."""
    batch_size = prepared.suite.file.inference.batch_size
    found: dict[str, list[tuple[int, float | None]]] = {}
    for order in dict.fromkeys(orders):
        if order.condition == "none" and not order.views:
            seconds = seconds_of(order, engine, schedule.store, batch_size)
            found.setdefault(order.fit, []).append((len(order.image_ids), seconds))
    paces = []
    for fit, passes in sorted(found.items()):
        known = [one for _, one in passes if one is not None]
        if len(known) == len(passes):
            train = prepared.plan.fits[fit].train
            images = sum(count for count, _ in passes)
            paces.append(
                Pace(
                    fit=fit,
                    images=images,
                    seconds=sum(known),
                    device=train.device,
                    threads=train.threads,
                )
            )
    return paces


def _mapping(prepared: Prepared, row: Row) -> SpaceMap:
    """From what a row's fits learnt to the label space that the row is judged in."""
    spaces = [item.label_space for item in prepared.manifests.values()]
    judged = next(s for s in spaces if (s.name, s.classes) == (row.label_space, row.classes))
    name = row.of or row.name
    return space_map(learnt_space(prepared.suite, prepared.manifests, row.split, name), judged)
