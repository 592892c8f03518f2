"""What arithmetic alone says about published numbers: impossible, contradictory or consistent.

Nothing is measured here. Every number stands for all numbers that round to it, and only what no
number within that range can be is held against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from skinbench.score.class_totals import SHARES, check_f1, check_totals
from skinbench.score.printed import PublishedScore
from skinbench.score.spread import deviation, greatest_spread

UNCHECKED = "nothing in the source to hold it against"


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """What arithmetic says about one claim."""

    verdict: Literal["impossible", "contradictory", "consistent"]
    reason: str
    """One sentence; for `consistent`, what was checked."""


def check_arithmetic(claims: Sequence[PublishedScore]) -> tuple[Arithmetic, ...]:
    """Judge the claims of one row of one paper.

    Impossible: a score outside [0, 1]; a standard deviation that scores in [0, 1] with this mean
    cannot have. Contradictory: another number of the row for the same thing; an interval that
    does not hold its own value; a total outside what the per-class rows of a source allow; an F1
    that its precision and recall do not give.
    """
    return tuple(_check(claim, claims) for claim in claims)


def _check(claim: PublishedScore, claims: Sequence[PublishedScore]) -> Arithmetic:
    impossible, passed = _impossible(claim)
    wrong = [*_other_numbers(claim, claims), *_own_interval(claim)]
    for against, agreed in (check_totals(claim, claims), check_f1(claim, claims)):
        wrong += against
        passed += agreed
    if impossible:
        return Arithmetic(verdict="impossible", reason="; ".join([*impossible, *wrong]))
    if wrong:
        return Arithmetic(verdict="contradictory", reason="; ".join(wrong))
    return Arithmetic(verdict="consistent", reason="; ".join(passed) or UNCHECKED)


def _impossible(claim: PublishedScore) -> tuple[list[str], list[str]]:
    """Why the claim cannot be, and what was checked and can be."""
    if claim.metric not in SHARES:
        return [], []
    value = claim.value
    if value.high < 0 or value.low > 1:
        return [f"{value.text} is not between 0 and 1 (a percentage is written '81 %')"], []
    if claim.sd is None:
        return [], []
    spread = greatest_spread(value.low, value.high, claim.folds)
    over = f"{claim.folds} scores" if claim.folds else "any number of scores"
    most = (
        f"the most that {over} in [0, 1] with this mean allow, "
        f"{deviation(spread.population):.3f} (divided by n) or "
        f"{deviation(spread.sample):.3f} (by n - 1)"
    )
    means = f"what ± means: {claim.sd_means}"
    least = max(claim.sd.low, Fraction(0))
    if least * least > spread.sample:
        return [f"{value.text} ± {claim.sd.text} exceeds {most}; {means}"], []
    if least * least > spread.population:
        most += ", so it can only have been divided by n - 1"
    return [], [f"± {claim.sd.text} is not above {most}; {means}"]


def _other_numbers(claim: PublishedScore, claims: Sequence[PublishedScore]) -> list[str]:
    """Other claims on the same thing that no rounding reconciles with this one."""
    found = []
    for other in claims:
        if other is claim or other.about != claim.about:
            continue
        if claim.value.high <= other.value.low or other.value.high <= claim.value.low:
            found.append(
                f"{claim.value.text} in {claim.source}, {other.value.text} in {other.source}"
            )
    return found


def _own_interval(claim: PublishedScore) -> list[str]:
    low, high = claim.low, claim.high
    below = low is not None and claim.value.high < low.low
    above = high is not None and claim.value.low > high.high
    if not below and not above:
        return []
    shown = f"[{low.text if low else '-'}, {high.text if high else '-'}]"
    return [f"{claim.value.text} is outside its own interval {shown}"]
