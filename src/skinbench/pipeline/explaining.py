"""Cases of the shown rows, the same images for each, with their pictures as files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

from skinbench.errors import CorruptObjectError, SkinbenchError, counted
from skinbench.pipeline.case_pictures import CaseHeat, Wanted, thumbnails
from skinbench.pipeline.explained_rows import rows_to_explain
from skinbench.pipeline.prepared import Prepared
from skinbench.records import Answer, Case, CaseFile, CaseSet, FitRecord, Row
from skinbench.score.cases import choose_cases
from skinbench.score.predictions import Predictions, read_predictions
from skinbench.store import RunFolder, Store, read_record, write_json

Judged = dict[tuple[str, str], str]
"""(dataset, image id) -> the fit that judged the image."""


def explain(
    prepared: Prepared, records: Mapping[str, FitRecord], folder: RunFolder, store: Store
) -> str:
    """Choose cases for the shown rows; keep their thumbnails and heatmaps.

    Of private data no picture is written: heat is looked at for artefacts, and forgotten.

    Returns:
        A few words for the stage's line.
    """
    settings = prepared.suite.file.explain
    if settings is None or settings.cases == 0:
        return "not asked for"
    rows = rows_to_explain(prepared, records, settings.rows)
    found = {row.name: _predictions(prepared, row, folder) for row in rows}
    sets = choose_cases(
        rows, {name: [part for _, part in parts] for name, parts in found.items()},
        limit=settings.cases,
    )  # fmt: skip
    judged = {name: _judged(parts) for name, parts in found.items()}
    heat = CaseHeat(
        prepared=prepared,
        folder=folder,
        store=store,
        method=settings.method,
        known=_known_flags(folder.cases),
    )
    notes: dict[str, None] = {}
    shown = tuple(_with_pictures(one, judged, heat, notes) for one in sets)
    file = CaseFile(method=settings.method, sets=shown, notes=tuple(notes))
    write_json(folder.cases, file)
    total = sum(len(one.cases) for one in shown)
    return f"{counted(total, 'case')} of {counted(len(rows), 'row')}"


def _predictions(prepared: Prepared, row: Row, folder: RunFolder) -> list[tuple[str, Predictions]]:
    """The fit and the predictions of each cell of a row's first seed."""
    return [
        (str(cell.fit), read_predictions(folder.prediction(cell.name)))
        for cell in prepared.first_seed(row)
    ]


def _judged(parts: Iterable[tuple[str, Predictions]]) -> Judged:
    """The first fit in the order of folds stands for an image that several judged."""
    judged: Judged = {}
    for fit, predictions in parts:
        frame = predictions.frame
        test = frame[(frame["split"] == "test") & (frame["condition"] == "none")]
        for key in zip(test["dataset"], test["image_id"], strict=True):
            judged.setdefault(key, fit)
    return judged


def _with_pictures(
    cases: CaseSet, judged: Mapping[str, Judged], heat: CaseHeat, notes: dict[str, None]
) -> CaseSet:
    answers: list[list[Answer]] = [list(case.answers) for case in cases.cases]
    for place, row in enumerate(cases.rows):
        groups: dict[str, list[int]] = {}
        for index, case in enumerate(cases.cases):
            fit = judged[row][(case.dataset, case.image_id)]
            groups.setdefault(fit, []).append(index)
        for fit, members in groups.items():
            wanted = [_wanted(cases.cases[index], answers[index][place]) for index in members]
            try:
                made = heat.of(fit, cases.dataset, wanted)
            except SkinbenchError as error:
                notes[f"{row}: no heatmap: {error}"] = None
                continue
            for index, answer in zip(members, made, strict=True):
                answers[index][place] = answer
    kept = thumbnails(heat.prepared, cases, heat.folder)
    return dataclasses.replace(
        cases,
        cases=tuple(
            dataclasses.replace(case, answers=tuple(own))
            for case, own in zip(kept, answers, strict=True)
        ),
    )


def _wanted(case: Case, answer: Answer) -> Wanted:
    return Wanted(image_id=case.image_id, label=case.label, answer=answer)


def _known_flags(path: Path) -> dict[str, tuple[str, ...]]:
    """Heatmap to its artefact flags, from the cases that the folder holds already."""
    try:
        file = read_record(path, CaseFile) if path.exists() else CaseFile(method="")
    except CorruptObjectError:  # of an earlier version: made again
        return {}
    return {
        answer.heat: answer.flags
        for one in file.sets
        for case in one.cases
        for answer in case.answers
        if answer.heat
    }
