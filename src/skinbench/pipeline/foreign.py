"""Scores of predictions that skinbench did not make; no run folder, torch or Ray."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from skinbench import registry
from skinbench.errors import UnknownNameError, UsageError
from skinbench.records import Score, Scorecard
from skinbench.records.official import ForeignScores
from skinbench.records.operating import PointRequest, PrevalenceRequest
from skinbench.records.resampling import Resamples
from skinbench.records.scoring import SLICES
from skinbench.score.calibration import reliabilities
from skinbench.score.decision_curves import decision_curves
from skinbench.score.foreign import Foreign, Group, read_foreign
from skinbench.score.official import Target, official_scores
from skinbench.score.operating import operating_points
from skinbench.score.prevalence import at_prevalence
from skinbench.score.scorecard import score_rows
from skinbench.score.weak_spots.estimates import Settings
from skinbench.score.weak_spots.given import weak_spots_of
from skinbench.store import to_plain

NO_DISTRIBUTION = "rows of the predictions do not sum to 1: they are scores, not probabilities"


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """What is to be said of the predictions."""

    group: Group = "lesion"
    slices: tuple[str, ...] = ()
    """Subgroups to score apart; columns of the manifest."""
    metrics: tuple[str, ...] | None = None
    """None: every one of the registry."""
    points: tuple[PointRequest, ...] = ()
    prevalences: tuple[PrevalenceRequest, ...] = ()
    official: Target | None = None
    """Add the official ISIC scorer's numbers, with this one as the overall score."""
    resamples: Resamples = field(default_factory=Resamples)


def score_foreign(predictions: Path, manifest: Path, asked: ScoreRequest) -> ForeignScores:
    """Read both files and score the predictions.

    Raises:
        PredictionsError, DataError: a file breaks its format, or they do not fit together.
        UsageError: a slice, class or metric that does not exist.
    """
    further = [name for name in asked.slices if name not in SLICES]
    found = read_foreign(predictions, manifest, group=asked.group, slices=further)
    _check_classes(found, asked)
    official = None
    if asked.official is not None:
        official = official_scores(predictions, manifest, target=asked.official)
    card = _card(found, asked)
    if not found.sums_to_one:
        card = _without_probabilities(card)
    test = found.predictions.frame[found.predictions.frame["split"] == "test"]
    val = found.predictions.frame[found.predictions.frame["split"] == "val"]
    return ForeignScores(
        predictions=str(predictions),
        manifest=str(manifest),
        images=int(test["image_id"].nunique()),
        groups=int(test["group_id"].nunique()),
        group=asked.group,
        val_images=int(val["image_id"].nunique()),
        scorecard=card,
        official=official,
        notes=found.notes,
    )


def _check_classes(found: Foreign, asked: ScoreRequest) -> None:
    named = [item.class_ for item in asked.points] + [item.class_ for item in asked.prevalences]
    for code in named:
        if code not in found.classes:
            hint = registry.suggest(code, found.classes)
            raise UnknownNameError(f"unknown class '{code}'; {hint}")
    unknown = [name for name in asked.slices if name not in found.slices]
    if unknown:
        there = ", ".join(sorted(found.slices)) or "none"
        raise UsageError(f"{unknown[0]} is told of no image; known subgroups: {there}")


def _card(found: Foreign, asked: ScoreRequest) -> Scorecard:
    how = asked.resamples
    parts = {found.cell.cell: found.predictions}
    scores, confusions = score_rows(
        [found.row],
        parts,
        [found.cell],
        resamples=how,
        metrics=asked.metrics,
        slices={name: found.slices[name] for name in asked.slices},
    )
    points = operating_points([found.row], parts, [found.cell], asked.points, how)
    return Scorecard(
        suite=found.name,
        level=how.level,
        replicates=how.replicates,
        datasets={found.manifest.name: found.manifest.digest},
        splits={found.row.split: found.split_digest},
        rows=(to_plain(found.row),),
        cells=(found.cell,),
        scores=tuple(score for score in scores if score.seed is None),
        confusions=confusions,
        operating=points,
        prevalence=at_prevalence([found.row], parts, [found.cell], asked.prevalences, points, how),
        decision_curves=decision_curves([found.row], parts, [found.cell], asked.prevalences, how),
        reliability=reliabilities([found.row], parts, [found.cell]),
        weak_spots=weak_spots_of(
            [found], Settings(replicates=how.replicates, level=how.level, seed=how.seed)
        ),
    )


def _without_probabilities(card: Scorecard) -> Scorecard:
    """The card without what needs rows that sum to 1."""
    return replace(
        card,
        scores=tuple(_unscaled(score) for score in card.scores),
        reliability=tuple(
            replace(item, bins=(), error=None, expected=None, expected_high=None,
                    reason=NO_DISTRIBUTION)
            for item in card.reliability
        ),
    )  # fmt: skip


def _unscaled(score: Score) -> Score:
    if not registry.metrics.get(score.metric).of_probabilities:
        return score
    return replace(score, value=None, low=None, high=None, sd_seeds=None, reason=NO_DISTRIBUTION)
