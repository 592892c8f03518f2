"""Rows of one table against a reference, or against the best of them: what is separable.

Holm's correction runs over one family: the rows of one table (the same images, condition and
classes) by one metric. The reference is a row that the suite names, or the best on val. Where
neither is to be had, each row is held against the best of the others (Hsu 1984), the spread of
the largest difference taken from the paired bootstrap; nothing is then chosen at all. Ranks are
those that simultaneous comparisons of all pairs do not exclude (Al Mohamad, Goeman and van Zwet
2022, Annals of Statistics 50:2139).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from skinbench import registry
from skinbench.errors import counted
from skinbench.records import Family, Row, Standing
from skinbench.score.evaluate import Request
from skinbench.score.evidence import Evidence, MetricEvidence, difference_test, known_request
from skinbench.score.images import Key
from skinbench.score.intervals import FEWEST_GROUPS, MOST_UNDEFINED, percentile
from skinbench.score.paired_tests import holm

Floats = npt.NDArray[np.float64]
LIKE_THE_BEST = "multiple comparison with the best: no row is the reference"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The row that others are held against, and how it came about."""

    row: str
    """Empty: each row against the best of the others."""
    how: str


@dataclass(frozen=True, kw_only=True)
class _Member:
    """A row of a family that has been scored."""

    row: str
    images: str
    metric: MetricEvidence

    @property
    def value(self) -> float:
        return float(self.metric.values[0])


def stand_rows(
    rows: Sequence[Row],
    evidence: Evidence,
    chosen: Mapping[tuple[str, tuple[str, ...]], Chosen],
    *,
    level: float,
) -> tuple[Family, ...]:
    """One family for each table with two or more rows, by each metric that was gathered.

    Args:
        rows: in the order of the suite.
        evidence: of the rows that could be scored.
        chosen: by (split, classes) of a table, the reference; a table without one has each row
            held against the best.
        level: coverage of intervals; 1 - level is the size of every family of tests.
    """
    tables: dict[tuple[str, tuple[str, ...], Key], list[Row]] = {}
    for key in sorted({key for _, key in evidence.rows}, key=lambda key: (key[1] != "none", key)):
        for row in rows:
            if (row.name, key) in evidence.rows:
                tables.setdefault((row.split, row.classes, key), []).append(row)
    found = []
    for (split, classes, key), members in tables.items():
        for name in evidence.metrics:
            asked = known_request(name, members[0])
            if asked is None or len(members) < 2:
                continue
            reference = chosen.get((split, classes), Chosen(row="", how=LIKE_THE_BEST))
            found.append(_family((split, key), asked, members, evidence, reference, level))
    return tuple(found)


def _family(
    place: tuple[str, Key],
    asked: Request,
    rows: Sequence[Row],
    evidence: Evidence,
    chosen: Chosen,
    level: float,
) -> Family:
    split, key = place
    members = [
        _Member(row=row.name, images=own.images, metric=own.metrics[asked])
        for row in rows
        if asked in (own := evidence.rows[row.name, key]).metrics
    ]
    usable, problems = _usable(members, chosen.row)
    if chosen.row and chosen.row not in {member.row for member in usable}:
        why = problems.get(chosen.row, "it was not judged here")
        chosen = Chosen(row="", how=f"{LIKE_THE_BEST} ({chosen.row}, {chosen.how}: {why})")
    sign = 1.0 if registry.metrics.get(asked[0]).higher_is_better else -1.0
    standings = (
        _against(usable, chosen.row, sign, level)
        if chosen.row
        else _against_the_best(usable, sign, level)
    )
    ranks = (
        rank_intervals(np.array([sign * member.metric.values for member in usable]), level)
        if len(usable) > 1
        else [(1, 1)] * len(usable)
    )
    ranked = {
        member.row: replace(standings[member.row], rank_low=low, rank_high=high)
        for member, (low, high) in zip(usable, ranks, strict=True)
    }
    return Family(
        dataset=key[0],
        split=split,
        condition=key[1],
        metric=asked[0],
        class_=None if asked[1] is None else rows[0].classes[asked[1]],
        reference=chosen.row,
        chosen=chosen.how,
        correction="Holm" if chosen.row else "max-t",
        compared=sum(item.p_adjusted is not None for item in ranked.values()),
        standings=tuple(
            ranked.get(member.row) or _not_compared(member, problems[member.row])
            for member in members
        ),
    )


def _usable(members: Sequence[_Member], reference: str) -> tuple[list[_Member], dict[str, str]]:
    """Rows that can be paired, and why the others cannot.

    Without a reference the images are those that most rows were judged on.
    """
    problems = {}
    for member in members:
        resampled = member.metric.values[1:]
        if math.isnan(member.value):
            problems[member.row] = "undefined"
        elif member.metric.groups < FEWEST_GROUPS:
            few = counted(member.metric.groups, "lesion group")
            problems[member.row] = f"{few}, at least {FEWEST_GROUPS} are needed"
        elif not len(resampled) or np.isnan(resampled).mean() > MOST_UNDEFINED:
            problems[member.row] = "undefined in too many of the bootstrap resamples"
    rest = [member for member in members if member.row not in problems]
    sets = [member.images for member in rest]
    own = next((member.images for member in rest if member.row == reference), None)
    common = own or max(dict.fromkeys(sets), key=sets.count, default="")
    for member in rest:
        if member.images != common:
            problems[member.row] = "other test images, labels or groups"
    return [member for member in rest if member.row not in problems], problems


def _not_compared(member: _Member, reason: str) -> Standing:
    value = None if math.isnan(member.value) else member.value
    return Standing(row=member.row, value=value, verdict="not compared", reason=reason)


def _against(
    members: Sequence[_Member], reference: str, sign: float, level: float
) -> dict[str, Standing]:
    """Each row against the reference, Holm over the family."""
    other = next(member for member in members if member.row == reference)
    found: dict[str, Standing] = {}
    for member in members:
        if member.row == reference:
            found[member.row] = Standing(row=member.row, value=member.value, verdict="reference")
            continue
        difference = member.metric.values - other.metric.values
        bounds, test = percentile(difference, level), difference_test(member.metric, other.metric)
        found[member.row] = Standing(
            row=member.row,
            value=member.value,
            difference=float(difference[0]),
            low=bounds.low,
            high=bounds.high,
            test=test.name,
            p=test.p,
            verdict="not compared",
            reason=test.reason,
        )
    adjusted = holm([item.p for item in found.values()])
    return {
        row: item
        if item.verdict == "reference"
        else replace(item, p_adjusted=p, verdict=_verdict(item, p, sign, level))
        for (row, item), p in zip(found.items(), adjusted, strict=True)
    }


def _verdict(
    item: Standing, p: float | None, sign: float, level: float
) -> Literal["better", "worse", "not separable", "not compared"]:
    if p is None or item.difference is None:
        return "not compared"
    if p > 1 - level:
        return "not separable"
    return "better" if sign * item.difference > 0 else "worse"


def _against_the_best(members: Sequence[_Member], sign: float, level: float) -> dict[str, Standing]:
    """Each row against the best of the others: which rows may be the best."""
    values = np.array([sign * member.metric.values for member in members])
    p_values = best_p_values(values)
    found = {}
    for index, member in enumerate(members):
        others = np.delete(values[:, 0], index)
        difference = float(values[index, 0] - others.max()) if len(others) else None
        found[member.row] = Standing(
            row=member.row,
            value=member.value,
            difference=None if difference is None else sign * difference,
            p_adjusted=p_values[index],
            verdict="worse" if p_values[index] <= 1 - level else "not separable",
        )
    return found


def _resampled(values: Floats) -> Floats:
    """Columns that are defined for every row [k, 1 + R']."""
    return np.asarray(values[:, ~np.isnan(values).any(axis=0)])


def _ratios(differences: Floats, errors: Floats) -> Floats:
    """Differences in standard errors; infinite for one that no resample changes."""
    ratios = np.zeros(differences.shape)
    np.divide(differences, errors, out=ratios, where=errors > 1e-12)
    fixed = (errors <= 1e-12) & (np.abs(differences) > 1e-12)
    return np.where(fixed, np.copysign(np.inf, differences), ratios)


def best_p_values(values: Floats) -> list[float]:
    """For each row, the p-value of the hypothesis that no other row is truly better.

    The largest studentised difference between another row and this one, against its bootstrap
    distribution centred at no difference (Hsu's multiple comparison with the best, with the
    correlations of the data in place of a table's).

    Args:
        values: [k, R + 1] higher is better, the data first.
    """
    kept = _resampled(values)
    found = []
    for index in range(len(kept)):
        differences = np.delete(kept - kept[index], index, axis=0)
        errors = differences[:, 1:].std(axis=1, ddof=1)
        observed = _ratios(differences[:, 0], errors).max(initial=-np.inf)
        centred = differences[:, 1:] - differences[:, :1]
        drawn = _ratios(centred, np.broadcast_to(errors[:, None], centred.shape))
        largest = np.where(np.isfinite(drawn), drawn, 0.0).max(axis=0, initial=-np.inf)
        extreme = int((largest >= observed - 1e-12).sum())
        found.append((1 + extreme) / (1 + len(largest)))
    return found


def rank_intervals(values: Floats, level: float) -> list[tuple[int, int]]:
    """Ranks of each row that no simultaneous comparison of all pairs excludes; 1 is the best.

    Args:
        values: [k, R + 1] higher is better, the data first.
        level: all k intervals hold together with this probability.
    """
    kept = _resampled(values)
    size, replicates = len(kept), kept.shape[1] - 1
    largest, observed = np.zeros(replicates), np.zeros((size, size))
    for index in range(size - 1):
        differences = kept[index + 1 :] - kept[index]
        errors = differences[:, 1:].std(axis=1, ddof=1)
        observed[index, index + 1 :] = _ratios(differences[:, 0], errors)
        centred = np.abs(differences[:, 1:] - differences[:, :1])
        scale = np.where(errors > 1e-12, errors, np.inf)
        largest = np.maximum(largest, (centred / scale[:, None]).max(axis=0))
    observed -= observed.T  # [i, j]: how far j lies above i, in standard errors
    critical = float(np.quantile(largest, level)) if replicates else math.inf
    above, below = (observed > critical).sum(axis=1), (observed < -critical).sum(axis=1)
    return [(1 + int(up), size - int(down)) for up, down in zip(above, below, strict=True)]


def choose_on_val(
    rows: Sequence[Row], values: Mapping[str, float | None], metric: str
) -> Chosen | None:
    """The row that is best on val, the first of equal ones; None where none has a val score."""
    sign = 1.0 if registry.metrics.get(metric.partition(":")[0]).higher_is_better else -1.0
    known = [
        (sign * value, row.name)
        for row in rows
        if (value := values.get(row.name)) is not None and not math.isnan(value)
    ]
    if not known:
        return None
    best = max(value for value, _ in known)
    name = next(name for value, name in known if value == best)
    title = registry.metrics.get(metric.partition(":")[0]).title or metric
    return Chosen(row=name, how=f"best on val by {title}")
