"""Scores and verdicts from the files of a run folder; needs neither torch nor Ray."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skinbench.data.audit import stamps
from skinbench.pipeline.predicting import derive
from skinbench.pipeline.prepared import Prepared
from skinbench.records import Cell, CellOutcome, FitRecord, Scorecard, Verdict
from skinbench.score.claims import check_claims
from skinbench.score.predictions import Predictions, read_predictions
from skinbench.score.scorecard import score_rows
from skinbench.store import RunFolder, to_plain, write_json, write_text
from skinbench.suite import stated_checks

if TYPE_CHECKING:
    from skinbench.gate import Check


def score(prepared: Prepared, records: Mapping[str, FitRecord], folder: RunFolder) -> Scorecard:
    """Score the prediction files of a run folder and write scorecard.json.

    An earlier scorecard that differs is kept under history/.
    """
    plan, bootstrap = prepared.plan, prepared.suite.file.bootstrap
    outcomes = [_outcome(cell, records) for cell in plan.cells]
    outcomes += derive(plan, folder, {item.cell: item for item in outcomes})
    predictions = read_cells(folder, outcomes)
    scores, confusions = score_rows(
        plan.rows,
        predictions,
        outcomes,
        replicates=bootstrap.replicates,
        level=bootstrap.level,
        seed=bootstrap.seed,
    )
    card = Scorecard(
        suite=plan.suite,
        level=bootstrap.level,
        replicates=bootstrap.replicates,
        datasets={name: item.digest for name, item in prepared.manifests.items()},
        splits={name: item.digest for name, item in prepared.splits.items()},
        rows=tuple(to_plain(row) for row in plan.rows),
        cells=tuple(outcomes),
        scores=scores,
        confusions=confusions,
        claims=check_claims(plan.rows, scores, reduced=prepared.suite.reduced),
        stamps=stamps(prepared.audit),
    )
    write_scorecard(card, folder)
    return card


def _outcome(cell: Cell, records: Mapping[str, FitRecord]) -> CellOutcome:
    record = records[str(cell.fit)]
    return CellOutcome(
        cell=cell.name,
        row=cell.row,
        fold=cell.fold,
        seed=cell.seed,
        fit=cell.fit,
        status=record.status,
        reason=record.error,
    )


def read_cells(folder: RunFolder, cells: Sequence[CellOutcome]) -> dict[str, Predictions]:
    """Predictions of every finished cell of a run folder, by cell name."""
    done = (item.cell for item in cells if item.status == "done")
    return {name: read_predictions(folder.prediction(name)) for name in done}


def write_scorecard(card: Scorecard, folder: RunFolder) -> None:
    """Write scorecard.json; a different earlier one moves to history/<digest>.json."""
    if folder.scorecard.exists():
        before = folder.scorecard.read_text(encoding="utf-8")
        write_json(folder.scorecard, card)
        if before != folder.scorecard.read_text(encoding="utf-8"):
            name = hashlib.sha256(before.encode()).hexdigest()[:16]
            write_text(folder.history / f"{name}.json", before)
    else:
        write_json(folder.scorecard, card)


def judge_run(card: Scorecard, folder: RunFolder, baseline: Path | None) -> Verdict | None:
    """The verdict against a baseline, where one was given; kept for the report."""
    if baseline is None:
        return None
    from skinbench.gate import judge, read_baseline

    checks = checks_of(folder)
    verdict = judge(card, read_cells(folder, card.cells), read_baseline(baseline), checks)
    write_json(folder.verdict, verdict)
    return verdict


def checks_of(folder: RunFolder) -> tuple[Check, ...]:
    """The gate's checks as the run's suite states them, or the default policy."""
    from skinbench.gate import DEFAULT_CHECKS, Check

    stated = tuple(Check(**item.model_dump()) for item in stated_checks(folder.suite))
    return stated or DEFAULT_CHECKS
