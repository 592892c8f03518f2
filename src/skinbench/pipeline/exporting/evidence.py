"""What one cell's test says of it: scores, operating points, predictive values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

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
_SHARES = frozenset(OF_A_CLASS) - {"auroc"}
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
    test = _Decided.of(predictions, dataset)
    return Evidence(
        scores=mine,
        estimates=tuple(test.based(item) for item in estimates(kept)),
        points=tuple(_based(point, test) for point in here),
        prevalence=tuple(item for item in beyond if item.dataset == dataset),
    )


@dataclass(frozen=True, kw_only=True)
class _Decided:
    """Labelled test images with a decision each."""

    classes: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    """[N] index of the class."""
    probabilities: npt.NDArray[np.float64]
    """[N, C]."""
    called: Mapping[int, npt.NDArray[np.bool_]]
    """Class to which of the images are decided for it."""

    @classmethod
    def of(cls, predictions: Predictions, dataset: str) -> _Decided:
        """Those of one unaltered test set, decided by the largest probability."""
        frame, classes = predictions.frame, tuple(predictions.classes)
        frame = frame[(frame["split"] == "test") & (frame["condition"] == "none")]
        frame = frame[(frame["dataset"] == dataset) & frame["label"].notna()]
        probabilities = frame[[f"p_{code}" for code in classes]].to_numpy(np.float64)
        best = probabilities.argmax(axis=1)
        return cls(
            classes=classes,
            labels=np.array([classes.index(label) for label in frame["label"]], dtype=np.int64),
            probabilities=probabilities,
            called={index: best == index for index in range(len(classes))},
        )

    def at(self, class_: str, threshold: float) -> _Decided:
        """The same, decided for one class from a threshold on."""
        index = self.classes.index(class_)
        return replace(self, called={index: self.probabilities[:, index] >= threshold})

    def based(self, item: Estimate) -> Estimate:
        """An estimate whose n counts the images that it is a share of."""
        if item.class_ is None or item.metric not in _SHARES:
            return item
        index = self.classes.index(item.class_)
        mine, called = self.labels == index, self.called[index]
        counted = {
            "recall": mine,
            "specificity": ~mine,
            "precision": called,
            "negative_predictive_value": ~called,
        }[item.metric]
        return replace(item, n=int(counted.sum()), n_positive=None)


def _based(point: OperatingPoint, test: _Decided) -> OperatingPoint:
    threshold = next((t.value for t in point.thresholds if t.value is not None), None)
    if threshold is None:
        return point
    decided = test.at(point.class_, threshold)
    return replace(point, scores=tuple(map(decided.based, point.scores)))
