"""Records of rows that several runs judged on one test set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MoveVerdict = Literal["higher", "lower", "not separable", "unchanged", "not compared"]


@dataclass(frozen=True, kw_only=True)
class RunPoint:
    """One run of a row."""

    run: str
    started: str
    """ISO time, UTC; empty where the run folder does not say."""
    version: str = ""
    """Of skinbench."""
    commit: str = ""
    """Of the repository that the run was started for, where CI names one."""
    value: float | None
    low: float | None = None
    high: float | None = None
    """The score of the row in this run."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """A row in one run minus the same row in the run before, on the images of both."""

    run: str
    before: str
    difference: float | None
    low: float | None = None
    high: float | None = None
    p_holm: float | None = None
    """Two-sided, corrected over the rows of both runs for this metric."""
    verdict: MoveVerdict
    """`higher` and `lower` are of the score, not of what is good."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class RowHistory:
    """One row by one metric on one test set, over the runs that have it."""

    row: str
    dataset: str
    split: str
    metric: str
    class_: str | None
    points: tuple[RunPoint, ...]
    """By start, the oldest first; runs that do not say when they started come last."""
    moves: tuple[Move, ...]
    """Between each run and the one before it."""
