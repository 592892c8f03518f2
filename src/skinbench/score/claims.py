"""Published numbers beside measured ones: what can be said about each, and why no more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from skinbench import registry
from skinbench.records import ClaimResult, Row, Score
from skinbench.score.arithmetic import Arithmetic, check_arithmetic
from skinbench.score.intervals import normal_quantile, wilson
from skinbench.score.printed import PublishedScore, read_claim

_NO_INTERVAL = "a claimed {metric} has no interval: its n is not the class's"
_INDEPENDENT = "the claim's images taken as independent, too narrow"


@dataclass(frozen=True, kw_only=True)
class Tolerances:
    """How near is near enough to call a claim reproduced."""

    overall: float = 0.03
    """Accuracy and other metrics over all classes, and AUROC."""
    per_class: float = 0.05


DEFAULT_TOLERANCES = Tolerances()


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What else bears on the claims of a run."""

    reduced: Mapping[str, str] = field(default_factory=dict)
    """Row to what was reduced: data, image size, epochs, weights."""
    stamps: Mapping[str, str] = field(default_factory=dict)
    """Split to its leak stamp."""
    level: float = 0.95
    """Coverage of the scores' intervals, taken for the claims' too."""
    tolerances: Tolerances = DEFAULT_TOLERANCES


def check_claims(
    rows: Sequence[Row], scores: Sequence[Score], given: Circumstances | None = None
) -> tuple[ClaimResult, ...]:
    """Set every claim of every row beside the row's mean score over seeds.

    A claim is a mapping with `metric`, `class` where the metric is per class, `value` (a number,
    or text such as "0.80" to keep its last digit), `source`, and where known `n` (images that
    the share is over: for recall those of the class), `n_positive`, `low` and `high`, `dataset`,
    `sd`, `folds` and `sd_means`.

    Verdicts, first that holds: impossible and contradictory (by arithmetic alone, see
    `skinbench.score.arithmetic`), not run, not comparable (the row is in `reduced`), reproduced
    (the interval of measured - claimed lies within the tolerance), higher or lower (it excludes
    0), cannot tell. `beside` is the verdict without what arithmetic says.

    Args:
        rows: rows with claims.
        scores: of the same run.
        given: what was reduced, leaks, level and tolerances; by default nothing was.

    Raises:
        UnknownNameError: a claim names an unknown metric.
        UsageError: a claim has no value that is a number.
    """
    given = given or Circumstances()
    results = []
    for row in rows:
        claims = [read_claim(claim) for claim in row.claims]
        for claim, found in zip(claims, check_arithmetic(claims), strict=True):
            result = _compared(row, claim, scores, given)
            results.append(_with_arithmetic(result, found))
    return tuple(results)


def _compared(
    row: Row, claim: PublishedScore, scores: Sequence[Score], given: Circumstances
) -> ClaimResult:
    """The claim beside the measurement, and whether the two compare at all."""
    result = _measure(row, claim, scores, given)
    why = given.reduced.get(row.of or row.name)
    if why and result.verdict != "not run":
        result = replace(result, verdict="not comparable", reason=why)
    stamp = given.stamps.get(row.split)
    differences = (*row.differences, *([stamp] if stamp else ()))
    return replace(result, beside=result.verdict, differences=differences)


def _with_arithmetic(result: ClaimResult, found: Arithmetic) -> ClaimResult:
    if found.verdict == "consistent":
        return result
    reason = "; ".join(filter(None, [found.reason, result.reason]))
    return replace(result, verdict=found.verdict, reason=reason)


def _measure(
    row: Row, claim: PublishedScore, scores: Sequence[Score], given: Circumstances
) -> ClaimResult:
    """The claim against the measured score, before anything is said about comparability."""
    registry.metrics.get(claim.metric)
    value = claim.value.value
    result = ClaimResult(
        row=row.name,
        paper=row.paper,
        metric=claim.metric,
        class_=claim.class_,
        claimed=value,
        printed=claim.in_print,
        source=claim.source,
        measured=None,
        verdict="cannot tell",
    )
    found = _scores_for(row, claim, scores)
    if not found or all(score.n == 0 for score in found):
        reason = next((score.reason for score in found if score.reason), "no score for this row")
        return replace(result, verdict="not run", reason=reason)
    if len(found) > 1:
        names = ", ".join(score.dataset for score in found)
        return replace(result, reason=f"measured on {names}; name the claim's `dataset`")
    score = found[0]
    if score.value is None:
        return replace(result, reason=score.reason)
    difference = score.value - value
    result = replace(
        result,
        measured=score.value,
        measured_low=score.low,
        measured_high=score.high,
        difference=difference,
    )
    bounds, note = _claim_interval(claim, given.level)
    if bounds is None or score.low is None or score.high is None:
        missing = note if bounds is None else (score.reason or "the score has no interval")
        return replace(result, reason=missing)
    # Newcombe's hybrid score interval (1998, method 10) of a difference of independent numbers.
    low = difference - math.hypot(score.value - score.low, bounds[1] - value)
    high = difference + math.hypot(score.high - score.value, value - bounds[0])
    verdict = _verdict(low, high, _tolerance(claim, given.tolerances))
    return replace(result, low=low, high=high, verdict=verdict, reason=note)  # type: ignore[arg-type]


def _scores_for(row: Row, claim: PublishedScore, scores: Sequence[Score]) -> list[Score]:
    """Mean scores over seeds that the claim could be about, one for each dataset."""
    wanted = (row.name, claim.metric, claim.class_, None, None, "none")
    return [
        score
        for score in scores
        if (score.row, score.metric, score.class_, score.slice, score.seed, score.condition)
        == wanted
        and (claim.dataset is None or score.dataset == claim.dataset)
    ]


def _tolerance(claim: PublishedScore, tolerances: Tolerances) -> float:
    if claim.class_ is None or claim.metric == "auroc":
        return tolerances.overall
    return tolerances.per_class


def _verdict(low: float, high: float, tolerance: float) -> str:
    if -tolerance <= low and high <= tolerance:
        return "reproduced"
    if low > 0:
        return "higher"
    return "lower" if high < 0 else "cannot tell"


def _claim_interval(claim: PublishedScore, level: float) -> tuple[tuple[float, float] | None, str]:
    """The claim's own interval, and how it came about or why there is none."""
    value, n, positive = claim.value.value, claim.n, claim.n_positive
    if claim.low is not None and claim.high is not None:
        return (claim.low.value, claim.high.value), "interval as published"
    if claim.metric == "auroc":
        if n is None or positive is None or not 0 < positive < n:
            return None, "the claim does not say n and n_positive"
        return hanley_mcneil(value, positive, n - positive, level), _INDEPENDENT
    if claim.metric not in ("accuracy", "recall", "specificity"):
        return None, _NO_INTERVAL.format(metric=claim.metric)
    if claim.metric == "recall" and positive is not None:
        n = positive
    if claim.metric == "specificity" and n is not None and positive is not None:
        n -= positive
    if n is None or n <= 0:
        return None, "the claim does not say its n"
    if not 0 <= value <= 1:
        return None, f"{claim.value.text} is not a share; write it between 0 and 1"
    return wilson(value, n, level), _INDEPENDENT


def hanley_mcneil(
    area: float, positives: float, negatives: float, level: float
) -> tuple[float, float]:
    """Interval of an AUC from its value and counts alone (Hanley and McNeil 1982).

    Args:
        area: in [0, 1].
        positives: images of the class.
        negatives: all others.
        level: coverage.
    """
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = (
        area * (1 - area)
        + (positives - 1) * (first - area**2)
        + (negatives - 1) * (second - area**2)
    ) / (positives * negatives)
    half = normal_quantile((1 + level) / 2) * math.sqrt(max(0.0, variance))
    return max(0.0, area - half), min(1.0, area + half)
