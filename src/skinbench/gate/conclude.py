"""What measured bounds amount to: one outcome for a check, and one sentence that says why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from skinbench.errors import counted
from skinbench.gate.checks import Check
from skinbench.gate.measure import Measured, direction, oriented
from skinbench.gate.needed import assumed_pairs, reach
from skinbench.gate.output import FEW, WORSE, check_title
from skinbench.records import CheckResult
from skinbench.records.deciding import rule_title
from skinbench.score.ends import end
from skinbench.score.paired_tests import holm

Outcome = Literal["passed", "regressed", "inconclusive", "missing"]


ANCHOR_REASON = "against the first baseline, at twice the margin"
"""How the reason of a check against the anchor begins."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One check of one row, with what the checks together need of it."""

    result: CheckResult
    p_values: tuple[float, ...] = ()
    """One-sided, of the hypotheses that nothing was lost and that the floor is kept."""
    refused: bool = False


def missing(check: Check, row: str, reason: str) -> CheckResult:
    """A check that could not be judged."""
    return CheckResult(
        row=row,
        metric=check.metric,
        class_=check.class_,
        slice=check.slice,
        outcome="missing",
        margin=check.margin,
        floor=check.floor,
        alpha=check.alpha,
        required=check.required,
        decision=rule_title(check.rule(None)) if check.decision else "",
        reason=reason,
    )


def conclude(check: Check, blank: CheckResult, place: str, found: Measured) -> Judged:
    """The outcome of what was measured, with one sentence that says so."""
    counted = replace(blank, n=found.n, n_positive=found.n_positive, n_groups=found.n_groups)
    if found.problem or found.difference is None:
        return Judged(result=replace(counted, reason=place + found.problem))
    difference, low, high = oriented(check.metric, found.difference)
    outcomes: list[Outcome] = []
    sentences: list[str] = []
    p_values: list[float] = []
    if check.margin is not None:
        bounds = found.difference
        outcomes.append(_against(bounds.low, bounds.high, -check.margin, 0.0, strict=True))
        sentences.append(_margin_sentence(check, found, outcomes[-1]))
        p_values.append(bounds.p_regressed)
    if check.floor is not None and found.own is not None:
        floor = direction(check.metric) * check.floor
        outcomes.append(_against(found.own.low, found.own.high, floor, floor, strict=False))
        sentences.append(_floor_sentence(check, found, outcomes[-1]))
        p_values.append(found.own.p_regressed)
    own = oriented(check.metric, found.own) if found.own is not None else None
    able = None
    if check.margin is not None and found.pairs is not None:
        pairs = found.pairs
        if found.same:
            pairs = assumed_pairs(pairs, float(found.baseline or 0))
        able = reach(pairs, found.n_groups, check.margin, check.alpha)
    result = replace(
        counted,
        outcome=_worst(outcomes),
        baseline=found.baseline,
        candidate=found.candidate,
        difference=difference,
        low=low,
        high=high,
        own_low=own[1] if own else None,
        own_high=own[2] if own else None,
        reason=place + "; ".join(sentences),
        passes_unchanged=able.passed if able else None,
        groups_needed=able.lesions if able else None,
    )
    return Judged(result=result, p_values=tuple(p_values))


def _floor_sentence(check: Check, found: Measured, outcome: Outcome) -> str:
    """The candidate by itself beside the floor, or beside the ceiling of a loss."""
    assert found.own is not None  # the caller has looked
    _, low, high = oriented(check.metric, found.own)
    least, above, below, name = "lower", "at or above", "below", "floor"
    if direction(check.metric) < 0:
        least, above, below, name = "upper", "at or below", "above", "ceiling"
    text = (
        f"{check.title} by itself {found.candidate:.3f}, between {low:.3f} and {high:.3f}, "
        f"{name} {check.floor:g}"
    )
    said = {
        "passed": f"its {least} bound is {above} the {name}",
        "regressed": f"all of it is {below} the {name}",
    }
    return f"{text}: {said.get(outcome, f'the {name} lies between, so it cannot tell')}"


def _against(low: float, high: float, pass_at: float, fail_at: float, *, strict: bool) -> Outcome:
    """Where bounds lie beside a line to pass and one to fail; NaN compares as false."""
    if low > pass_at or (not strict and low >= pass_at):
        return "passed"
    return "regressed" if high < fail_at else "inconclusive"


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    if "regressed" in outcomes:
        return "regressed"
    return "passed" if outcomes and set(outcomes) == {"passed"} else "inconclusive"


def _margin_sentence(check: Check, found: Measured, outcome: Outcome) -> str:
    bounds = found.difference
    assert bounds is not None  # the caller has looked
    assert check.margin is not None
    if found.same:
        text = f"{check.title} {found.candidate:.3f}: the predictions are the baseline's own"
        return f"{text}, to the bit"
    _, low, high = oriented(check.metric, bounds)
    lines = (0.0, -check.margin, check.margin)
    first, last = (end(bound, lines, sign=True) for bound in (low, high))
    text = (
        f"{check.title} {found.candidate:.3f} after {found.baseline:.3f}: difference between "
        f"{first} and {last}, margin {check.margin:g}"
    )
    if outcome == "passed" and bounds.high < 0:
        text += f"; {WORSE}"
    if outcome == "passed" and (1 - check.margin) ** found.n_groups > check.alpha:
        # As often as that, no lesion of n shows a loss of the margin at all.
        text += f"; {_lesions(found)} {'is' if found.n_groups == 1 else 'are'} {FEW}"
    if outcome == "inconclusive":
        return f"{text}; {_lesions(found)} cannot tell"
    return text


def _lesions(found: Measured) -> str:
    return counted(found.n_groups, "lesion group")


def together(
    judged: Sequence[Judged],
) -> Literal["passed", "regressed", "inconclusive", "missing", "refused"]:
    """All checks together. Checks that are not required change nothing."""
    counted = [item for item in judged if item.result.required]
    if not counted:
        return "missing"
    if _regressed(counted):
        return "regressed"
    if any(item.refused for item in counted):
        return "refused"
    outcomes = {item.result.outcome for item in counted}
    if "missing" in outcomes:
        return "missing"
    return "passed" if outcomes == {"passed"} else "inconclusive"


def _regressed(counted: Sequence[Judged]) -> bool:
    return any(
        item.result.outcome == "regressed" and after <= item.result.alpha
        for item, _, after in _adjusted(counted)
    )


def _adjusted(judged: Sequence[Judged]) -> list[tuple[Judged, float, float]]:
    """Every p-value before and after Holm over all of them."""
    flat = [(item, p) for item in judged for p in item.p_values]
    adjusted = holm([p for _, p in flat])
    return [(item, p, float(after or 0.0)) for (item, p), after in zip(flat, adjusted, strict=True)]


def alone_notes(judged: Sequence[Judged]) -> Iterator[str]:
    """Checks that are below their bound by themselves, where all together have not regressed."""
    counted = [item for item in judged if item.result.required]
    lines = _adjusted(counted)
    for item in counted:
        own = [(p, after) for other, p, after in lines if other is item]
        if item.result.outcome == "regressed" and own:
            p, after = min(own)
            title = check_title(item.result)
            if item.result.reason.startswith(ANCHOR_REASON):
                title += ", first baseline,"
            yield (
                f"{title} of {item.result.row} is below its bound by itself "
                f"(p {p:.3f}), not after Holm over all checks (p {after:.3f})"
            )
    if any(i.result.outcome == "regressed" and not i.result.required for i in judged):
        yield "a check that is not required is below its bound, and changes nothing"
