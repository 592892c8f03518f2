"""What one cell's test says of it: scores, operating points, predictive values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from skinbench.records import CellOutcome, Row, Score
from skinbench.records.operating import (
    AtPrevalence,
    Estimate,
    OperatingPoint,
    PointRequest,
    PrevalenceRequest,
)
from skinbench.score.intervals import Method
from skinbench.score.operating import estimates, operating_points
from skinbench.score.predictions import Predictions
from skinbench.score.prevalence import at_prevalence
from skinbench.score.scorecard import score_rows
from skinbench.suite.schema import SuiteFile

OVERALL = ("accuracy", "balanced_accuracy", "macro_auroc")
OF_A_CLASS = ("recall", "specificity", "precision", "negative_predictive_value", "auroc")
PREVALENCES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
"""Shares of the focus class that the page offers, beside those that the suite states."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of one cell on one test set."""

    scores: tuple[Score, ...]
    """Every metric of the registry."""
    estimates: tuple[Estimate, ...]
    """Those that a bundle states."""
    points: tuple[OperatingPoint, ...]
    prevalence: tuple[AtPrevalence, ...]


def weigh(
    row: Row,
    outcome: CellOutcome,
    predictions: Predictions,
    suite: SuiteFile,
    *,
    dataset: str,
    focus: str,
    points: Sequence[PointRequest],
) -> Evidence:
    """Scores of one cell by itself, as a run with this cell alone would have them.

    Args:
        row: of the cell.
        outcome: the cell.
        predictions: its val and test.
        suite: says how intervals are made.
        dataset: the test set.
        focus: the class whose predictive values are stated at several prevalences.
        points: operating points beside the suite's.
    """
    bootstrap = suite.bootstrap
    resamples = bootstrap.resamples()
    by_cell, cells = {outcome.cell: predictions}, [outcome]
    found, _ = score_rows(
        [row],
        by_cell,
        cells,
        resamples=resamples,
        method=Method(bootstrap=bootstrap.interval, small=bootstrap.small),
    )
    mine = tuple(
        score
        for score in found
        if (score.dataset, score.condition, score.seed, score.slice)
        == (dataset, "none", None, None)
    )
    asked = [item.request() for item in suite.operating_points] + list(points)
    at = operating_points([row], by_cell, cells, asked, resamples)
    here = tuple(p for p in at if (p.dataset, p.condition) == (dataset, "none"))
    shares = {share for item in suite.prevalence if item.class_ == focus for share in item.at}
    request = PrevalenceRequest(class_=focus, at=tuple(sorted({*PREVALENCES, *shares})))
    beyond = at_prevalence([row], by_cell, cells, [request], here, resamples)
    kept = [s for s in mine if s.metric in (OVERALL if s.class_ is None else OF_A_CLASS)]
    return Evidence(
        scores=mine,
        estimates=estimates(kept),
        points=here,
        prevalence=tuple(item for item in beyond if item.dataset == dataset),
    )
