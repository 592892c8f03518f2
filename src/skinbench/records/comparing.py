"""Records of comparing rows: standings in a table, and ranks over datasets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StandingVerdict = Literal["reference", "better", "worse", "not separable", "not compared"]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where one row stands among the rows of its table, by one metric."""

    row: str
    value: float | None
    """Mean over seeds, as in the table."""
    difference: float | None = None
    """Row minus reference; without a reference, row minus the best of the other rows."""
    low: float | None = None
    high: float | None = None
    """Bounds of the difference from a reference at the scorecard's level, for this row alone."""
    test: str = ""
    """Name of the paired test; empty without a reference."""
    p: float | None = None
    """Two-sided, for this row alone."""
    p_adjusted: float | None = None
    """Adjusted for the family: Holm's, or against the largest of all differences (max-t)."""
    verdict: StandingVerdict
    rank_low: int | None = None
    rank_high: int | None = None
    """Ranks that are not excluded, 1 the best: simultaneous for all rows at the level."""
    reason: str = ""
    """Why the row is not compared, or has no rank."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """The rows of one table by one metric: the comparisons that are corrected together."""

    dataset: str
    split: str
    condition: str
    metric: str
    class_: str | None
    reference: str = ""
    """Row that the others are held against; empty where each is held against the best."""
    chosen: str
    """How the reference came about, or why there is none, for a reader."""
    correction: Literal["Holm", "max-t"]
    compared: int
    """Tests that are corrected together."""
    standings: tuple[Standing, ...]
    """In the order of the suite."""


@dataclass(frozen=True, kw_only=True)
class MeanRank:
    """A row's mean rank over datasets, 1 the best."""

    row: str
    rank: float
    """Ties share their mean."""


@dataclass(frozen=True, kw_only=True)
class DatasetRanks:
    """Rows ranked on several datasets: Friedman's test and Nemenyi's critical difference."""

    metric: str
    class_: str | None
    datasets: tuple[str, ...]
    ranks: tuple[MeanRank, ...]
    """Best first; empty where refused."""
    statistic: float | None = None
    """Friedman's chi-squared, corrected for ties."""
    p: float | None = None
    critical_difference: float | None = None
    """Mean ranks that differ by less are not separable."""
    level: float
    reason: str = ""
    """Why there is none: too few datasets or rows, or blocks that are no datasets."""
