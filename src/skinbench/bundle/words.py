"""Sentences that stand wherever a bundle answers, and numbers in words."""

from __future__ import annotations

from skinbench.records.operating import Estimate

NOT_A_DEVICE = (
    "Research software, not a medical device: it must not be used to diagnose anyone, and no "
    "answer of it is a reason to see a doctor or not to."
)
NOT_COMMERCIAL = "Trained on data whose licence forbids commercial use."


def interval_words(item: Estimate) -> str:
    """`0.41 to 0.62`, or why there is none."""
    if item.low is None or item.high is None:
        return item.reason or "none"
    return f"{item.low:.3f} to {item.high:.3f}"


def share_words(value: float | None) -> str:
    """`41 %`; one digit more under 10 and above 99, where it matters."""
    if value is None:
        return "undefined"
    percent = 100 * value
    if 0 < percent < 10 or 99 < percent < 100:
        shown = f"{percent:.1f}"
        ends = {"100.0": "over 99.9", "0.0": "under 0.1"}
        return ends.get(shown, shown.removesuffix(".0")) + " %"
    return f"{percent:.0f} %"
