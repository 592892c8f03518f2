"""Intervals: the lesion-clustered bootstrap, and what serves where it does not cover.

Which rule serves where is shown by tests/prove/coverage.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special

from skinbench.errors import counted
from skinbench.score.paired_tests import Placements
from skinbench.score.proportions import GroupSums, effective_n

FEWEST_GROUPS = 10
"""Lesion groups below which no interval is given."""
FEW_GROUPS = 50
"""Lesion groups below which a share gets Wilson's interval instead of the bootstrap's."""
FEW_OUTCOMES = 20
"""Lesion groups with the rarer outcome (wrong, as a rule) below which it does too."""
FEW_RANKED = 200
"""Lesion groups of either label below which AUROC gets an interval on the logit scale."""
ADDED = 0.5
"""Lesions added at an AUROC of 0.5 before such an interval."""
MOST_UNDEFINED = 0.05
"""Share of resamples in which a metric may be undefined before its interval is withheld."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Bounds, or the reason why there are none."""

    low: float | None = None
    high: float | None = None
    reason: str = ""
    name: str = ""
    """Of the rule, where it is not the percentile bootstrap."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """What a suite may choose."""

    bootstrap: Literal["percentile", "bca"] = "percentile"
    small: Literal["wilson", "exact"] = "wilson"
    """Shares of few images; `exact` serves where each lesion group has one image."""


USUAL = Method()


@dataclass(frozen=True, kw_only=True)
class Basis:
    """What is known of a score beside its bootstrap values."""

    n_groups: int
    """Lesion groups among the images that the metric conditions on."""
    share: Sequence[GroupSums] = ()
    """Hits by group of a share of images, one for each seed."""
    classes: Sequence[Sequence[GroupSums]] = ()
    """Balanced accuracy: the recall of each class that occurs, seeds within."""
    ranked: Placements | None = None
    """Of an AUROC."""
    left_out: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """[G] the metric without one group at a time, where BCa is asked for."""


def normal_quantile(probability: float) -> float:
    """Standard normal quantile, e.g. 1.96 at 0.975."""
    return float(special.ndtri(probability))


def student_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t; the normal one where `freedom` is infinite."""
    if math.isinf(freedom):
        return normal_quantile(probability)
    return float(special.stdtrit(freedom, probability))


def wilson(share: float, n: float, level: float, freedom: float = math.inf) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share of n independent images.

    Args:
        share: in [0, 1].
        n: above 0; a fraction where it is an effective number.
        level: coverage, e.g. 0.95.
        freedom: of Student's t, where n rests on a variance that was itself estimated.
    """
    z = student_quantile((1 + level) / 2, freedom)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if share == 0 else max(0.0, centre - half)
    high = 1.0 if share == 1 else min(1.0, centre + half)
    return low, high


def clopper_pearson(hits: int, n: int, level: float) -> tuple[float, float]:
    """Exact binomial interval (Clopper and Pearson 1934) of hits among n independent images."""
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(special.betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits == n else float(special.betaincinv(hits + 1, n - hits, 1 - tail))
    return low, high


def mean_of_shares(classes: Sequence[Sequence[GroupSums]], level: float) -> tuple[float, float]:
    """Interval of the unweighted mean of K independent shares (balanced accuracy).

    Adjusted Wald as Price and Bonett's for a linear function of binomial proportions (2004,
    Computational Statistics and Data Analysis 45:449): hits and misses are added to every share
    before its variance is taken. Theirs add 2 / K of each under a normal quantile; 1 / K under
    Student's t with Satterthwaite's degrees of freedom covers better where shares are of lesions
    (tests/prove/coverage.py).
    """
    size, centre, variance, below = len(classes), 0.0, 0.0, 0.0
    for seeds in classes:
        share, n = effective_n(seeds)
        added = n + 2 / size
        adjusted = (share * n + 1 / size) / added
        own = adjusted * (1 - adjusted) / added / size**2
        centre += adjusted / size
        variance += own
        below += own**2 / max(1, _groups(seeds) - 1)
    reach = student_quantile((1 + level) / 2, variance**2 / below) * math.sqrt(variance)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def logit_auc(ranked: Placements, level: float) -> tuple[float, float] | None:
    """Interval of an AUROC from Obuchowski's variance on the logit scale, with Student's t.

    The logit keeps bounds within [0, 1] (Qin and Hotilovac 2008, Stat Methods Med Res 17:207).
    Half a lesion at 0.5 is added to the rarer label first, as half a hit and half a miss are to a
    share: where few lesions stand low, those drawn tell too little of them, and without it 25
    lesions cover 85 % at an AUROC of 0.98 (tests/prove/coverage.py). None where it is undefined.
    """
    auc, variance = ranked.auc, ranked.variance
    if math.isnan(auc) or math.isnan(variance):
        return None
    groups = _ranked_groups(ranked)
    share = ADDED / (groups + ADDED)
    centre = (1 - share) * auc + share * 0.5
    spread = (1 - share) ** 2 * variance + share**2 / ADDED * (0.5 - centre) ** 2
    error = math.sqrt(spread) / (centre * (1 - centre))
    reach = student_quantile((1 + level) / 2, max(1, groups - 1)) * error
    low, high = special.expit([special.logit(centre) - reach, special.logit(centre) + reach])
    return min(auc, float(low)), max(auc, float(high))


def bca(
    values: npt.NDArray[np.float64], left_out: npt.NDArray[np.float64], level: float
) -> Interval:
    """Bias-corrected and accelerated percentile interval (Efron 1987).

    Args:
        values: [R + 1] bootstrap values, the data first; NaN where undefined.
        left_out: [G] the metric without one lesion group at a time.
        level: coverage.
    """
    plain = percentile(values, level)
    if plain.low is None:
        return plain
    resampled = values[1:][~np.isnan(values[1:])]
    below = ((resampled < values[0]).sum() + 0.5 * (resampled == values[0]).sum()) / len(resampled)
    if not 0 < below < 1:
        return Interval(reason="no interval: BCa is degenerate, all resamples on one side")
    if not len(left_out) or np.isnan(left_out).any():
        return Interval(
            reason="no interval: BCa is degenerate, the metric is undefined without some lesion"
        )
    away = left_out.mean() - left_out
    spread = float((away**2).sum())
    if spread <= 0:
        return Interval(reason="no interval: BCa is degenerate, no single lesion matters")
    acceleration = float((away**3).sum()) / (6 * spread**1.5)
    bias = normal_quantile(float(below))
    places = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        shifted = bias + normal_quantile(tail)
        places.append(special.ndtr(bias + shifted / (1 - acceleration * shifted)))
    low, high = np.quantile(resampled, places)
    return Interval(low=float(low), high=float(high), name="BCa")


def percentile(values: npt.NDArray[np.float64], level: float) -> Interval:
    """Percentile interval of a metric's bootstrap values.

    Args:
        values: [R + 1]; the first, the data itself, is left out. NaN where undefined.
        level: coverage.
    """
    resampled = values[1:]
    defined = resampled[~np.isnan(resampled)]
    if len(resampled) == 0:
        return Interval(reason="no interval: no bootstrap resamples were asked for")
    undefined = len(resampled) - len(defined)
    if undefined > MOST_UNDEFINED * len(resampled):
        share = undefined / len(resampled)
        return Interval(reason=f"no interval: undefined in {share:.0%} of the bootstrap resamples")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    if low == high:
        return Interval(reason="no interval: every bootstrap resample gives the same value")
    return Interval(low=float(low), high=float(high))


def interval(
    values: npt.NDArray[np.float64],
    level: float,
    *,
    n_groups: int,
    share: Sequence[GroupSums] = (),
) -> Interval:
    """The usual interval of one score, see `chosen_interval`.

    Args:
        values: [R + 1] bootstrap values, the data first.
        level: coverage.
        n_groups: lesion groups among the images that the metric conditions on.
        share: hits by group for a metric that is a share of images, one for each seed.
    """
    return chosen_interval(values, level, Basis(n_groups=n_groups, share=share))


def chosen_interval(
    values: npt.NDArray[np.float64], level: float, basis: Basis, method: Method = USUAL
) -> Interval:
    """The interval of one score, by the rule that fits it.

    Under 10 lesion groups none. A share of images over fewer than 50 groups, or with the rarer
    outcome in fewer than 20: Wilson's over the design effect, or the exact binomial one where
    asked for and each group has one image. Balanced accuracy with such a class: `mean_of_shares`.
    AUROC with fewer than 200 groups of either label: `logit_auc`. Else the bootstrap.
    """
    if np.isnan(values[0]):
        return Interval()
    if basis.n_groups < FEWEST_GROUPS:
        few = counted(basis.n_groups, "lesion group")
        return Interval(reason=f"no interval: {few}, at least {FEWEST_GROUPS} are needed")
    if basis.share and _is_small(basis.share, basis.n_groups):
        return _small_share(basis, level, method)
    if any(_is_small(seeds, _groups(seeds)) for seeds in basis.classes):
        low, high = mean_of_shares(basis.classes, level)
        return Interval(low=low, high=high, name="adjusted Wald")
    if basis.ranked is not None and _ranked_groups(basis.ranked) < FEW_RANKED:
        bounds = logit_auc(basis.ranked, level)
        if bounds is not None:
            return Interval(low=bounds[0], high=bounds[1], name="logit")
    if method.bootstrap == "bca":
        return bca(values, basis.left_out, level)
    return percentile(values, level)


def _small_share(basis: Basis, level: float, method: Method) -> Interval:
    value, n = effective_n(basis.share)
    if method.small == "exact":
        parts = basis.share
        if len(parts) == 1 and bool(np.all(np.isin(parts[0].images, (0, 1)))):
            hits, whole = round(float(parts[0].hits.sum())), round(float(parts[0].images.sum()))
            low, high = clopper_pearson(hits, whole, level)
            return Interval(low=low, high=high, name="exact binomial")
    low, high = wilson(value, n, level, max(1, basis.n_groups - 1))
    return Interval(low=low, high=high, name="Wilson")


def _groups(seeds: Sequence[GroupSums]) -> int:
    return min(int((part.images > 0).sum()) for part in seeds)


def _is_small(seeds: Sequence[GroupSums], n_groups: int) -> bool:
    """Whether a share rests on too few lesions, or on too few of the rarer outcome."""
    rarer = min(
        min(int((part.hits > 0).sum()), int((part.hits < part.images).sum())) for part in seeds
    )
    return n_groups < FEW_GROUPS or rarer < FEW_OUTCOMES


def _ranked_groups(ranked: Placements) -> int:
    return int(min(ranked.has_positive.sum(), ranked.has_negative.sum()))
