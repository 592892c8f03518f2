"""Published numbers beside measured ones: what can be said about each, and why no more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.records import ClaimResult, Row, Score
from skinbench.score.intervals import normal_quantile, wilson
from skinbench.score.spread import greatest_deviation

Claim = Mapping[str, object]
_NO_INTERVAL = "a claimed {metric} has no interval: its n is not the class's"
_INDEPENDENT = "the claim's images taken as independent, too narrow"


@dataclass(frozen=True, kw_only=True)
class Tolerances:
    """How near is near enough to call a claim reproduced."""

    overall: float = 0.03
    """Accuracy and other metrics over all classes, and AUROC."""
    per_class: float = 0.05


DEFAULT_TOLERANCES = Tolerances()


def check_claims(
    rows: Sequence[Row],
    scores: Sequence[Score],
    *,
    reduced: Mapping[str, str] | None = None,
    level: float = 0.95,
    tolerances: Tolerances = DEFAULT_TOLERANCES,
) -> tuple[ClaimResult, ...]:
    """Set every claim of every row beside the row's mean score over seeds.

    A claim is a mapping with `metric`, `class` where the metric is per class, `value` (a number,
    or text such as "0.80" to keep its last digit), `source`, and where known `n` (images that
    the share is over: for recall those of the class), `n_positive`, `low` and `high`, `dataset`,
    `sd`, `folds` and `sd_means`.

    Verdicts, first that holds: contradictory (two claims of the row for one metric and class
    differ by more than rounding), impossible (an `sd` above what scores in [0, 1] allow), not
    run, not comparable (the row is in `reduced`), reproduced (the interval of measured - claimed
    lies within the tolerance), higher or lower (it excludes 0), cannot tell.

    Args:
        rows: rows with claims.
        scores: of the same run.
        reduced: row name to what was reduced (data, image size, epochs, weights).
        level: coverage of the scores' intervals, taken for the claims' too.
        tolerances: for `reproduced`.

    Raises:
        UnknownNameError: a claim names an unknown metric.
        UsageError: a claim has no value that is a number.
    """
    results = []
    for row in rows:
        for claim in row.claims:
            result = _measure(row, claim, scores, level, tolerances)
            why = (reduced or {}).get(row.name)
            if why and result.verdict != "not run":
                result = replace(result, verdict="not comparable", reason=why)
            arithmetic = _contradiction(claim, row.claims) or _impossible(claim)
            if arithmetic:
                verdict, reason = arithmetic
                reason += f"; not comparable either: {why}" if why else ""
                result = replace(result, verdict=verdict, reason=reason)  # type: ignore[arg-type]
            results.append(result)
    return tuple(results)


def _number(claim: Claim, key: str) -> float | None:
    """A claim's number, None where it has none."""
    value = claim.get(key)
    if value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"claim on {claim.get('metric')}: '{key}' is {value!r}, expected a number")
    return number


def _value(claim: Claim) -> float:
    number = _number(claim, "value")
    if number is None:
        raise UsageError(f"claim on {claim.get('metric')}: 'value' is missing")
    return number


def _class(claim: Claim) -> str | None:
    code = claim.get("class", claim.get("class_"))
    return None if code is None else str(code)


def _measure(
    row: Row, claim: Claim, scores: Sequence[Score], level: float, tolerances: Tolerances
) -> ClaimResult:
    """The claim against the measured score, before anything is said about comparability."""
    metric, code, claimed = str(claim.get("metric")), _class(claim), _value(claim)
    registry.metrics.get(metric)
    result = ClaimResult(
        row=row.name,
        metric=metric,
        class_=code,
        claimed=claimed,
        source=str(claim.get("source", "not stated")),
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
    result = replace(result, measured=score.value)
    if score.value is None:
        return replace(result, reason=score.reason)
    bounds, note = _claim_interval(claim, metric, claimed, level)
    if bounds is None or score.low is None or score.high is None:
        missing = note if bounds is None else (score.reason or "the score has no interval")
        return replace(result, reason=missing)
    # Newcombe's hybrid score interval (1998, method 10) of a difference of independent numbers.
    difference = score.value - claimed
    low = difference - math.hypot(score.value - score.low, bounds[1] - claimed)
    high = difference + math.hypot(score.high - score.value, claimed - bounds[0])
    verdict = _verdict(low, high, _tolerance(metric, code, tolerances))
    return replace(result, low=low, high=high, verdict=verdict, reason=note)  # type: ignore[arg-type]


def _scores_for(row: Row, claim: Claim, scores: Sequence[Score]) -> list[Score]:
    """Mean scores over seeds that the claim could be about, one for each dataset."""
    wanted = (row.name, claim.get("metric"), _class(claim), None, None, "none")
    dataset = claim.get("dataset")
    return [
        score
        for score in scores
        if (score.row, score.metric, score.class_, score.slice, score.seed, score.condition)
        == wanted
        and (dataset is None or score.dataset == dataset)
    ]


def _tolerance(metric: str, code: str | None, tolerances: Tolerances) -> float:
    if code is None or metric == "auroc":
        return tolerances.overall
    return tolerances.per_class


def _verdict(low: float, high: float, tolerance: float) -> str:
    if -tolerance <= low and high <= tolerance:
        return "reproduced"
    if low > 0:
        return "higher"
    return "lower" if high < 0 else "cannot tell"


def _claim_interval(
    claim: Claim, metric: str, value: float, level: float
) -> tuple[tuple[float, float] | None, str]:
    """The claim's own interval, and how it came about or why there is none."""
    low, high = _number(claim, "low"), _number(claim, "high")
    if low is not None and high is not None:
        return (low, high), "interval as published"
    n, positive = _number(claim, "n"), _number(claim, "n_positive")
    if metric == "auroc":
        if n is None or positive is None or not 0 < positive < n:
            return None, "the claim does not say n and n_positive"
        return hanley_mcneil(value, positive, n - positive, level), _INDEPENDENT
    if metric not in ("accuracy", "recall", "specificity"):
        return None, _NO_INTERVAL.format(metric=metric)
    if metric == "recall" and positive is not None:
        n = positive
    if metric == "specificity" and n is not None and positive is not None:
        n -= positive
    if n is None or n <= 0:
        return None, "the claim does not say its n"
    if not 0 <= value <= 1:
        return None, f"{value} is not a share; write it between 0 and 1"
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


def _rounding(value: object) -> tuple[Decimal, Decimal]:
    """A published number and half a unit of its last digit, of which there are two or more."""
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise UsageError(f"claim: {value!r} is not a number") from error
    exponent = number.as_tuple().exponent
    digits = max(2, -exponent if isinstance(exponent, int) else 2)
    return number, Decimal(5).scaleb(-digits - 1)


def _contradiction(claim: Claim, claims: Sequence[Claim]) -> tuple[str, str] | None:
    """Another claim of the row on the same thing that no rounding reconciles with this one."""
    number, half = _rounding(claim.get("value"))
    for other in claims:
        about = (other.get("metric"), _class(other), other.get("dataset"))
        if other is claim or about != (claim.get("metric"), _class(claim), claim.get("dataset")):
            continue
        other_number, other_half = _rounding(other.get("value"))
        if abs(number - other_number) >= half + other_half:
            return (
                "contradictory",
                f"{number} in {claim.get('source', 'one place')}, "
                f"{other_number} in {other.get('source', 'another')}",
            )
    return None


def _impossible(claim: Claim) -> tuple[str, str] | None:
    """A standard deviation that scores in [0, 1] with this mean cannot have."""
    if claim.get("sd") is None:
        return None
    mean, half_mean = _rounding(claim.get("value"))
    deviation, half = _rounding(claim.get("sd"))
    folds = _number(claim, "folds")
    most = greatest_deviation(
        float(mean - half_mean), float(mean + half_mean), None if folds is None else int(folds)
    )
    if float(deviation - half) <= most:
        return None
    over = f"{int(folds)} scores" if folds else "any number of scores"
    means = claim.get("sd_means", "not stated")
    return (
        "impossible",
        f"± {deviation} around {mean} exceeds {most:.3f}, the most that {over} in [0, 1] allow "
        f"(what ± means: {means})",
    )
