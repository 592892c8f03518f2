"""Bounds of a difference of AUROC between two models on the same images, by lesion group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from skinbench.gate.paired import Bounds, SeedVariance, degrees_of_freedom, inverted_bounds
from skinbench.score.images import ScoredImages
from skinbench.score.paired_tests import Placements, clustered_variance, placements

Numbers = npt.NDArray[Any]
_EDGE = 1e-9
"""How near to 0 and 1 a constrained AUROC may come."""


@dataclass(frozen=True, kw_only=True)
class PairedAuc:
    """What the clustered score test of a paired difference of AUROC reads.

    The test of a true difference d0 is (d - d0) / se(d0), se(d0)^2 the larger of two variances by
    lesion (Obuchowski 1997): the one that is seen, and the same with each model's deviations
    scaled to the variance that they have where d0 is true. An AUROC of A varies as A (1 - A), so a
    lucky draw of a candidate also looks precise: without the scaling a loss of the margin passes
    in up to 10 % at AUROCs near 1 (tests/prove/gate_ranked.py), by the percentile bootstrap too.
    The two AUROCs under d0 are the likeliest that differ by d0, normal about those seen.
    """

    candidate: float
    baseline: float
    variances: tuple[float, float]
    """Of the candidate's and the baseline's AUROC."""
    covariance: float
    groups: int
    """Lesion groups with the class, or with another, whichever are fewer."""

    @property
    def difference(self) -> float:
        """Candidate - baseline."""
        return self.candidate - self.baseline

    @property
    def spread(self) -> float:
        """Variance of the difference as it is seen."""
        return max(0.0, sum(self.variances) - 2 * self.covariance)

    def squared_error(self, d0: Numbers | float) -> Numbers:
        """se(d0)^2."""
        wanted = np.asarray(d0, dtype=np.float64)
        if not self.spread:
            return np.zeros_like(wanted)
        away = wanted - self.difference
        ours, theirs = self.variances
        scales = (
            _scale(self.candidate, away * (ours - self.covariance) / self.spread),
            _scale(self.baseline, -away * (theirs - self.covariance) / self.spread),
        )
        joint = self.covariance * np.sqrt(scales[0] * scales[1])
        return np.asarray(
            np.maximum(self.spread, ours * scales[0] + theirs * scales[1] - 2 * joint)
        )


def _scale(auc: float, shift: Numbers) -> Numbers:
    """Variance of an AUROC moved by `shift`, over that of the one seen."""
    seen = auc * (1 - auc)
    if seen <= 0:
        return np.ones_like(shift)
    moved = np.clip(auc + shift, _EDGE, 1 - _EDGE)
    return np.asarray(moved * (1 - moved) / seen)


def paired_auc(
    candidate: Sequence[ScoredImages], baseline: Sequence[ScoredImages], class_index: int
) -> tuple[PairedAuc, Placements]:
    """Both models on identical images, means over seeds; and the candidate's own placements.

    Args:
        candidate: the same images scored by one or several seeds.
        baseline: likewise.
        class_index: the positive class.
    """
    universe = candidate[0].group_codes[0]
    ours, theirs = (placements(side, class_index, universe) for side in (candidate, baseline))
    joined = clustered_variance(
        ours, ours.positives - theirs.positives, ours.negatives - theirs.negatives
    )
    variances = ours.variance, theirs.variance
    pair = PairedAuc(
        candidate=ours.auc,
        baseline=theirs.auc,
        variances=variances,
        covariance=(sum(variances) - joined) / 2,
        groups=_groups(ours),
    )
    return pair, ours


def _groups(found: Placements) -> int:
    return int(min(found.has_positive.sum(), found.has_negative.sum()))


def ranked_bounds(pair: PairedAuc, alpha: float, seeds: SeedVariance | None = None) -> Bounds:
    """Invert the score test, with Student's t.

    Args:
        pair: both models.
        alpha: one-sided.
        seeds: variance over retraining.
    """
    freedom = degrees_of_freedom(pair.spread, pair.groups, seeds)
    return inverted_bounds(
        pair.difference,
        pair.squared_error,
        alpha,
        pair.groups - 1 if math.isinf(freedom) else freedom,
        seeds.total if seeds else 0.0,
    )


def auc_against_floor(
    own: Placements, floor: float, alpha: float, seeds: SeedVariance | None = None
) -> Bounds:
    """One-sided bounds of one AUROC on the logit scale with Student's t, and its test at a floor.

    Args:
        own: of the candidate.
        floor: least AUROC.
        alpha: one-sided.
        seeds: its variance over retraining.
    """
    auc, variance = own.auc, own.variance + (seeds.candidate if seeds else 0.0)
    if not 0 < auc < 1 or not variance > 0:
        return Bounds(difference=auc, low=auc, high=auc, p_regressed=float(auc >= floor))
    freedom = _groups(own) - 1
    error = math.sqrt(variance) / (auc * (1 - auc))
    reach, middle = float(special.stdtrit(freedom, 1 - alpha)) * error, float(special.logit(auc))
    inside = min(1 - _EDGE, max(_EDGE, floor))
    return Bounds(
        difference=auc,
        low=float(special.expit(middle - reach)),
        high=float(special.expit(middle + reach)),
        p_regressed=float(special.stdtr(freedom, (middle - float(special.logit(inside))) / error)),
    )
