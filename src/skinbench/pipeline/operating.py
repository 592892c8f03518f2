"""Operating points, prevalence and calibration of a run, from its predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skinbench import registry
from skinbench.records import CellOutcome, DecisionCurve, Plan
from skinbench.records.operating import AtPrevalence, Calibrated, OperatingPoint, Reliability
from skinbench.score.calibration import calibrated_rows, reliabilities
from skinbench.score.decision_curves import decision_curves
from skinbench.score.operating import operating_points
from skinbench.score.predictions import Predictions
from skinbench.score.prevalence import at_prevalence
from skinbench.suite.schema import SuiteFile


@dataclass(frozen=True, kw_only=True)
class Further:
    """Fields of the scorecard."""

    operating: tuple[OperatingPoint, ...]
    prevalence: tuple[AtPrevalence, ...]
    decision_curves: tuple[DecisionCurve, ...]
    reliability: tuple[Reliability, ...]
    calibrated: tuple[Calibrated, ...]


def further_scores(
    plan: Plan,
    suite: SuiteFile,
    predictions: Mapping[str, Predictions],
    cells: Sequence[CellOutcome],
) -> Further:
    """What the suite asks for beside plain scores; reliability of every row."""
    resamples = suite.bootstrap.resamples()
    points = operating_points(
        plan.rows,
        predictions,
        cells,
        [item.request() for item in suite.operating_points],
        resamples,
    )
    asked = [item.request() for item in suite.prevalence]
    return Further(
        operating=points,
        prevalence=at_prevalence(plan.rows, predictions, cells, asked, points, resamples),
        decision_curves=decision_curves(plan.rows, predictions, cells, asked, resamples),
        reliability=reliabilities(plan.rows, predictions, cells),
        calibrated=calibrated_rows(plan.rows, calibrations(plan), predictions, cells, resamples),
    )


def calibrations(plan: Plan) -> dict[str, str]:
    """Rows that calibrate another, to that other."""
    row_of = {cell.name: cell.row for cell in plan.cells}
    row_of |= {item.cell.name: item.cell.row for item in plan.derived}
    return {
        item.cell.row: row_of[item.members[0]]
        for item in plan.derived
        if registry.derived.get(item.kind).calibration
    }
