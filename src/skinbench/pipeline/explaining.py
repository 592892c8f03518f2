"""Cases of the best rows on val, with their thumbnails and heatmaps as files."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Mapping

from skinbench import registry
from skinbench.data.audit import stamps
from skinbench.data.made_pixels import seen_digest
from skinbench.data.pixels import open_pixels, thumbnail
from skinbench.errors import counted
from skinbench.pipeline.prepared import Prepared
from skinbench.records import Case, FitRecord, Manifest, Row
from skinbench.score.cases import choose_cases
from skinbench.score.predictions import read_predictions
from skinbench.store import RunFolder, Store, file_name, replacing, write_json

THUMBNAIL = 160
"""Longest side of a kept thumbnail, pixels."""


def explain(
    prepared: Prepared, records: Mapping[str, FitRecord], folder: RunFolder, store: Store
) -> str:
    """Choose cases of the best rows on val; keep their thumbnails and heatmaps.

    Returns:
        A few words for the stage's line.
    """
    settings = prepared.suite.file.explain
    if settings is None or settings.cases == 0:
        return "not asked for"
    rows = rows_to_explain(prepared, records, settings.rows)
    made: list[Case] = []
    for row in rows:
        limit = max(1, settings.cases // len(rows))
        made += _explain_row(prepared, row, limit, folder, store, settings.method)
    write_json(folder.cases, {"method": settings.method, "cases": made})
    return f"{counted(len(made), 'case')} of {counted(len(rows), 'row')}"


def _explain_row(
    prepared: Prepared, row: Row, limit: int, folder: RunFolder, store: Store, method: str
) -> list[Case]:
    """Cases of a row's first seed over all folds, each explained by the fit that judged it."""
    cells = [cell for cell in prepared.plan.cells if cell.row == row.name]
    cells = [cell for cell in cells if cell.seed == cells[0].seed]
    found = [read_predictions(folder.prediction(cell.name)) for cell in cells]
    cases = choose_cases(row, found, limit=limit)
    judged: dict[tuple[str, str], str] = {}
    for cell, predictions in zip(cells, found, strict=True):
        frame = predictions.frame
        test = frame[(frame["split"] == "test") & (frame["condition"] == "none")]
        judged.update(
            dict.fromkeys(zip(test["dataset"], test["image_id"], strict=True), str(cell.fit))
        )
    groups: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        fit = judged[(case.dataset, case.image_id)]
        groups.setdefault((fit, case.dataset), []).append(case)
    pictures: dict[tuple[str, str], dict[str, str]] = {}
    for (fit, dataset), group in groups.items():
        decided = {case.image_id: case.decided for case in group}
        wrong = {case.image_id: case.label for case in group if case.label != case.decided}
        heat, of_label = (
            _heatmaps(prepared, (fit, dataset), classes, folder, store, method)
            for classes in (decided, wrong)
        )
        for name in decided:
            pictures[(dataset, name)] = {
                "thumbnail": _thumbnail(prepared.manifests[dataset], name, folder),
                "heatmap": heat.get(name, ""),
                "heatmap_of_label": of_label.get(name, ""),
            }
    return [dataclasses.replace(case, **pictures[(case.dataset, case.image_id)]) for case in cases]


def _thumbnail(manifest: Manifest, image_id: str, folder: RunFolder) -> str:
    name = f"{manifest.name}+{file_name(image_id)}.jpg"
    path = folder.thumbnails / name
    if not path.exists():
        picture = thumbnail(manifest, image_id, THUMBNAIL)
        with replacing(path) as temporary:
            picture.save(temporary, format="JPEG", quality=85)
    return name


def _heatmaps(
    prepared: Prepared,
    judged: tuple[str, str],
    classes: Mapping[str, str],
    folder: RunFolder,
    store: Store,
    method: str,
) -> dict[str, str]:
    """Image id to the heatmap's file under heatmaps/; what exists is not made again.

    Args:
        prepared: the suite's plan and data.
        judged: a fit and the dataset of the images.
        classes: image id to the class whose heat is shown.
        folder: gets the pictures.
        store: holds the fit.
        method: the explainer.
    """
    fit, dataset = judged
    spec = prepared.plan.fits[fit]
    if not registry.inputs.get(spec.input.name).uses_image:
        return {}
    version = registry.explainers.get(method).version
    names = {
        item: f"{method}{version}+{fit[:12]}+{code}+{file_name(item)}.png"
        for item, code in classes.items()
    }
    missing = [item for item in classes if not (folder.heatmaps / names[item]).exists()]
    if missing:
        from skinbench.learn.explain import explain_cases, save_heatmap

        digest = prepared.manifests[dataset].digest
        heat = explain_cases(
            fit,
            missing,
            digest,
            store,
            weights=prepared.planned.weights,
            method=method,
            classes=[classes[item] for item in missing],
        )
        pixels = open_pixels(store, seen_digest(spec.pixels, digest, spec.train.image_size))
        for item, one in zip(missing, heat, strict=True):
            image = pixels.images[pixels.rows([item])[0]]
            save_heatmap(folder.heatmaps / names[item], one, image)
    return names


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
