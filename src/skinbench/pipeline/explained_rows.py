"""Which rows a suite's `explain` means."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping

from skinbench import registry
from skinbench.data.audit import stamps
from skinbench.pipeline.prepared import Prepared
from skinbench.records import FitRecord, Row


def rows_to_explain(prepared: Prepared, records: Mapping[str, FitRecord], wanted: str) -> list[Row]:
    """Rows with a network that match; `best N` by mean val balanced accuracy, never by test."""
    plan = prepared.plan
    networks = {
        row.name: row
        for row in plan.rows
        if row.kind == "fit"
        and not row.of
        and registry.models.get(_model_name(row)).kind == "network"
    }
    val: dict[str, float] = {}
    for name in networks:
        fits = [records[str(cell.fit)] for cell in plan.cells if cell.row == name]
        if all(record.status == "done" for record in fits):
            val[name] = sum(_best_val(record) for record in fits) / len(fits)
    word, _, number = wanted.partition(" ")
    if word == "best" and number.isdigit():
        # A leaky split flatters its own val: its rows come after all others.
        leaky = {name for name in val if networks[name].split in stamps(prepared.audit)}
        order = sorted(val, key=lambda name: (name in leaky, -val[name], name))
        chosen = order[: int(number)]
    else:
        chosen = fnmatch.filter(val, wanted)
    return [networks[name] for name in chosen]


def _model_name(row: Row) -> str:
    model = row.settings["model"]
    return str(model["name"]) if isinstance(model, Mapping) else str(model)


def _best_val(record: FitRecord) -> float:
    best = record.history[record.best_epoch - 1] if record.best_epoch else None
    return (best.val_balanced_accuracy or 0.0) if best else 0.0
