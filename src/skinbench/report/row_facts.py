"""What is known of a row besides its scores: what it cost, its leak gap, what was claimed of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skinbench.records import (
    CellOutcome,
    ClaimResult,
    Comparison,
    FitRecord,
    Pace,
    Score,
    Scorecard,
)
from skinbench.report.tables import Scores

FLOAT_BYTES = 4
Place = tuple[str, str, str]
"""Row, dataset, condition."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the fits of a row took, over all folds and seeds; None where it is not known."""

    seconds: float | None = None
    """Wall time of training."""
    parameters: int | None = None
    """Of one fit."""
    trainable: int | None = None
    bytes_: int | None = None
    """Of one fit's parameters as float32."""
    images_per_second: float | None = None
    """Images seen in training, by the time of the epochs."""
    pace: float | None = None
    """Images a second in prediction, by one thread that computes alone."""


@dataclass(frozen=True, kw_only=True)
class RunDetail:
    """A run's scores and what stands beside them."""

    scores: Scores
    costs: Mapping[str, Cost] = field(default_factory=dict)
    """By row."""
    gaps: Mapping[tuple[str, str], Comparison] = field(default_factory=dict)
    """(row, `recall:mel`) of a leaky split to its difference from the row on a clean one."""
    claims: Mapping[tuple[Place, str], tuple[ClaimResult, ...]] = field(default_factory=dict)
    """(place, `recall:mel`) to what sources claim there."""
    slugs: Mapping[Place, str] = field(default_factory=dict)
    """Places that have a view of their own on the run's page."""
    page: str = ""
    """Address of that page; empty where the leaderboard is on it."""


def run_detail(
    scorecard: Scorecard,
    fits: Mapping[str, FitRecord],
    paces: Mapping[str, Pace],
    slugs: Mapping[Place, str] | None = None,
) -> RunDetail:
    """Gather what stands beside the scores of a run.

    Args:
        scorecard: of the run.
        fits: by id.
        paces: by fit id.
        slugs: of places that have a view of their own.
    """
    scores = Scores(scorecard)
    return RunDetail(
        scores=scores,
        costs=_costs(scorecard.cells, fits, paces),
        gaps=_leak_gaps(scorecard),
        claims=_claims(scorecard, scores),
        slugs=slugs or {},
    )


def key_of(metric: str, class_: str | None) -> str:
    """`accuracy`, or `recall:mel`."""
    return f"{metric}:{class_}" if class_ else metric


def _costs(
    cells: Sequence[CellOutcome], fits: Mapping[str, FitRecord], paces: Mapping[str, Pace]
) -> dict[str, Cost]:
    found: dict[str, dict[str, FitRecord]] = {}
    for cell in cells:
        record = fits.get(cell.fit or "")
        if record is not None and record.status == "done":
            found.setdefault(cell.row, {})[record.fit_id] = record
    return {
        row: _cost(list(records.values()), [paces[fit] for fit in records if fit in paces])
        for row, records in found.items()
    }


def _cost(records: Sequence[FitRecord], paces: Sequence[Pace]) -> Cost:
    first = records[0]
    epochs = [epoch for record in records for epoch in record.history]
    took = sum(epoch.seconds for epoch in epochs)
    parameters = first.parameters or None
    computed = sum(pace.seconds for pace in paces)
    return Cost(
        seconds=sum(record.seconds for record in records),
        parameters=parameters,
        trainable=first.trainable_parameters if parameters else None,
        bytes_=first.parameters * FLOAT_BYTES if parameters else None,
        images_per_second=sum(epoch.images for epoch in epochs) / took if took > 0 else None,
        pace=sum(pace.images for pace in paces) / computed if computed > 0 else None,
    )


def _leak_gaps(scorecard: Scorecard) -> dict[tuple[str, str], Comparison]:
    """Comparisons of a row with the same model, input and technique on a split without leaks."""
    made = {
        str(row["name"]): tuple(row.get(key) for key in ("model", "input", "technique", "kind"))
        for row in scorecard.rows
    }
    leaky = {str(row["name"]): str(row["split"]) in scorecard.stamps for row in scorecard.rows}
    return {
        (item.row, key_of(item.metric, item.class_)): item
        for item in scorecard.comparisons
        if item.difference is not None
        and leaky.get(item.row) is True
        and leaky.get(item.against) is False
        and made[item.row] == made[item.against]
    }


def _claims(
    scorecard: Scorecard, scores: Scores
) -> dict[tuple[Place, str], tuple[ClaimResult, ...]]:
    """Claims by the place whose score they were held against."""
    found: dict[tuple[Place, str], tuple[ClaimResult, ...]] = {}
    for claim in scorecard.claims:
        places = [(claim.row, *place) for place in scores.places(claim.row)]
        place = next((p for p in places if _is_measured(scores, p, claim)), None)
        if place is not None:
            key = (place, key_of(claim.metric, claim.class_))
            found[key] = (*found.get(key, ()), claim)
    return found


def _is_measured(scores: Scores, place: Place, claim: ClaimResult) -> bool:
    score: Score | None = scores.find(place, claim.metric, claim.class_)
    return score is not None and score.value is not None and score.value == claim.measured
