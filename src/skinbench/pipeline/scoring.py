"""Scores and verdicts from the files of a run folder; needs neither torch nor Ray."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from skinbench.data.audit import stamps
from skinbench.data.manifest import import_manifest
from skinbench.data.split_tables import import_split
from skinbench.errors import PredictionsError
from skinbench.pipeline.leak_gaps import leak_gaps
from skinbench.pipeline.operating import further_scores
from skinbench.pipeline.prepared import Prepared
from skinbench.pipeline.ranking import dataset_ranks, families, ranking_metrics
from skinbench.pipeline.weak_spots import read_all_sizes, weak_spots
from skinbench.records import (
    AuditReport,
    Cell,
    CellOutcome,
    Contrast,
    DerivedCell,
    FitRecord,
    Manifest,
    Paper,
    Plan,
    Scorecard,
    SplitTable,
)
from skinbench.score.balance import balanced_places
from skinbench.score.claims import Circumstances, Tolerances, check_claims
from skinbench.score.compare import compare_rows
from skinbench.score.derive import derive_predictions
from skinbench.score.evidence import Evidence
from skinbench.score.explanations import read_heat, score_heat
from skinbench.score.field_effects import read_effects, score_effects
from skinbench.score.intervals import Method
from skinbench.score.predictions import Predictions, read_predictions, write_predictions
from skinbench.score.scorecard import score_rows
from skinbench.score.segmentation import read_overlaps, score_segmentations
from skinbench.score.slices import slice_values
from skinbench.score.smoke import smoke_rows
from skinbench.store import (
    RunFolder,
    from_plain,
    read_json,
    read_record,
    to_plain,
    write_json,
    write_text,
)
from skinbench.suite import stated_suite
from skinbench.suite.schema import SuiteFile

if TYPE_CHECKING:
    from skinbench.gate import Check


def score(prepared: Prepared, records: Mapping[str, FitRecord], folder: RunFolder) -> Scorecard:
    """Score the prediction files of a run and write scorecard.json.

    An earlier scorecard that differs is kept under history/.
    """
    return _score(
        prepared.plan,
        records,
        folder,
        datasets={name: item.digest for name, item in prepared.manifests.items()},
        splits={name: item.digest for name, item in prepared.splits.items()},
        images={name: _images(item) for name, item in prepared.splits.items()},
        audit=prepared.audit,
        suite=prepared.suite.file,
        reduced=prepared.suite.reduced,
        malignant=_malignant(prepared.manifests.values()),
    )


def score_folder(folder: RunFolder) -> Scorecard:
    """The same from the files of a run folder alone: no store, model, torch or Ray.

    Raises:
        StoreError: the folder lacks a file that scoring reads.
    """
    manifests = {
        path.stem: import_manifest(path) for path in sorted(folder.manifests.glob("*.parquet"))
    }
    splits = {path.stem: import_split(path) for path in sorted(folder.splits.glob("*.parquet"))}
    records = {
        path.stem: from_plain(FitRecord, read_json(path)["record"])
        for path in sorted(folder.fits.glob("*.json"))
    }
    return _score(
        read_record(folder.plan, Plan),
        records,
        folder,
        datasets={name: item.digest for name, item in manifests.items()},
        splits={name: item.digest for name, item in splits.items()},
        images={name: _images(item) for name, item in splits.items()},
        audit=read_record(folder.audit, AuditReport),
        suite=stated_suite(folder.suite),
        reduced=read_json(folder.run).get("reduced", {}),
        malignant=_malignant(manifests.values()),
    )


def _score(
    plan: Plan,
    records: Mapping[str, FitRecord],
    folder: RunFolder,
    *,
    datasets: Mapping[str, str],
    splits: Mapping[str, str],
    images: Mapping[str, int],
    audit: AuditReport,
    suite: SuiteFile,
    reduced: Mapping[str, str],
    malignant: Collection[str],
) -> Scorecard:
    bootstrap, resamples = suite.bootstrap, suite.bootstrap.resamples()
    evidence = Evidence(metrics=ranking_metrics(suite.ranking, plan.rows, malignant))
    outcomes = [_outcome(cell, records) for cell in plan.cells]
    outcomes += derive(plan, folder, {item.cell: item for item in outcomes})
    predictions = read_cells(folder, outcomes)
    found = [_outcome(cell, records) for cell in plan.segmentation_cells]
    scores, confusions = score_rows(
        plan.rows,
        predictions,
        outcomes,
        resamples=resamples,
        balanced=balanced_places(plan),
        evidence=evidence,
        method=Method(bootstrap=bootstrap.interval, small=bootstrap.small),
    )
    further = further_scores(plan, suite, predictions, outcomes)
    card = Scorecard(
        suite=plan.suite,
        level=bootstrap.level,
        replicates=bootstrap.replicates,
        datasets=datasets,
        splits=splits,
        rows=tuple(to_plain(row) for row in plan.rows),
        cells=tuple(outcomes),
        scores=scores,
        confusions=confusions,
        comparisons=compare_rows(
            _contrasts(suite, plan, stamps(audit)),
            plan.rows,
            predictions,
            outcomes,
            resamples=resamples,
        ),
        operating=further.operating,
        prevalence=further.prevalence,
        decision_curves=further.decision_curves,
        reliability=further.reliability,
        calibrated=further.calibrated,
        claims=check_claims(
            plan.rows,
            scores,
            Circumstances(
                reduced=reduced,
                stamps=stamps(audit),
                level=bootstrap.level,
                tolerances=Tolerances(
                    overall=suite.claims.tolerance, per_class=suite.claims.class_tolerance
                ),
            ),
        ),
        papers={
            name: Paper(title=paper.title, citation=paper.citation, notes=tuple(paper.notes))
            for name, paper in suite.papers.items()
        },
        smoke=smoke_rows(plan, records, reduced, images),
        segmentation=score_segmentations(
            plan.segmentations,
            {
                item.cell: read_overlaps(folder.segmentation(item.cell))
                for item in found
                if item.status == "done"
            },
            found,
            resamples,
        ),
        segmentation_cells=tuple(found),
        explanations=score_heat(read_heat(folder.explanations), resamples),
        field_effects=score_effects(read_effects(folder.field_effects), resamples),
        stamps=stamps(audit),
        weak_spots=weak_spots(plan, folder, suite, predictions, outcomes),
        families=families(
            suite.ranking, plan.rows, evidence, predictions, outcomes, level=bootstrap.level
        ),
        dataset_ranks=dataset_ranks(suite.ranking, plan.rows, scores, level=bootstrap.level),
    )
    write_scorecard(card, folder)
    return card


def _malignant(manifests: Iterable[Manifest]) -> frozenset[str]:
    return frozenset(code for item in manifests for code in item.label_space.malignant)


def _images(split: SplitTable) -> int:
    """Images of a split: train, val and test of its first fold."""
    return int((split.table["fold"] == 0).sum())


def _contrasts(suite: SuiteFile, plan: Plan, leaky: Collection[str]) -> list[Contrast]:
    """What `compare:` asks for, of rows that this run has, and what leaks are worth."""
    names = {row.name for row in plan.rows}
    asked = [
        Contrast(
            name=name,
            row=item.row,
            against=item.against,
            metrics=tuple(item.metrics),
            family=item.family,
        )
        for name, item in suite.compare.items()
        if {item.row, item.against} <= names
    ]
    return asked + leak_gaps(plan, leaky, asked)


def derive(plan: Plan, folder: RunFolder, outcomes: Mapping[str, CellOutcome]) -> list[CellOutcome]:
    """Make derived cells from the prediction files of their members.

    A cell whose members do not fit together fails by itself.
    """
    found: dict[str, CellOutcome] = {}
    for item in plan.derived:
        cell = item.cell
        known = {**outcomes, **found}
        missing = [name for name in item.members if known[name].status != "done"]
        status: Literal["done", "failed", "blocked"] = "done"
        reason, learnt = "", ""
        if missing:
            status, reason = "blocked", f"needs {', '.join(missing)}, which is not done"
        else:
            try:
                learnt = _derive(item, folder)
            except PredictionsError as error:
                status, reason = "failed", str(error)
        found[cell.name] = CellOutcome(
            cell=cell.name,
            row=cell.row,
            fold=cell.fold,
            seed=cell.seed,
            fit=None,
            status=status,
            reason=reason,
            learnt=learnt,
        )
    return list(found.values())


def _derive(item: DerivedCell, folder: RunFolder) -> str:
    """Write a derived cell's predictions; what it was fitted to on val."""
    members = [read_predictions(folder.prediction(name)) for name in item.members]
    made = derive_predictions(members, kind=item.kind, options=item.options, names=item.members)
    learnt = made.metadata.get("learnt", "")
    facts = {**members[0].metadata, "cell": item.cell.name, "fit": "", "derived": item.kind}
    write_predictions(
        folder.prediction(item.cell.name),
        made.frame,
        classes=made.classes,
        metadata={**facts, "learnt": learnt},
    )
    return learnt


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
    before = folder.scorecard.read_text(encoding="utf-8") if folder.scorecard.exists() else ""
    write_json(folder.scorecard, card)
    if before and before != folder.scorecard.read_text(encoding="utf-8"):
        name = hashlib.sha256(before.encode()).hexdigest()[:16]
        write_text(folder.history / f"{name}.json", before)


def read_slices(folder: RunFolder, checks: Sequence[Check]) -> dict[str, Mapping[str, str]]:
    """Subgroups of the run's images, read only where a check asks for one."""
    if not any(check.slice for check in checks):
        return {}
    paths = sorted(folder.manifests.glob("*.parquet"))
    return slice_values((import_manifest(path) for path in paths), read_all_sizes(folder))


def checks_of(folder: RunFolder) -> tuple[Check, ...]:
    """The gate's checks as the run's suite states them, or the default policy."""
    from skinbench.gate import DEFAULT_CHECKS, Check

    stated = tuple(Check(**item.model_dump()) for item in stated_suite(folder.suite).gate)
    return stated or DEFAULT_CHECKS
