"""Records of two runs held beside each other for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ScoreChange:
    """One metric of one row in both runs."""

    row: str
    """In the new run."""
    old_row: str
    metric: str
    class_: str | None
    old: float | None
    new: float | None
    difference: float | None
    """new - old, by the images of both; None where `reason` says why."""
    low: float | None = None
    high: float | None = None
    """Bounds at `level` of the run difference."""
    paired: bool = False
    """Both were judged on the same images."""
    n: int = 0
    n_groups: int = 0
    p_holm: float | None = None
    """Two-sided, corrected over the rows compared for this metric."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Flip:
    """An image that the two runs decide otherwise."""

    image_id: str
    group_id: str
    label: str
    old: str
    """Decided class."""
    new: str
    kind: Literal["fixed", "broken", "other"]
    """Wrong before and right now, the reverse, or another wrong class."""
    old_probability: float
    """Of the label."""
    new_probability: float


@dataclass(frozen=True, kw_only=True)
class RowFlips:
    """Images of one test set that one row decides otherwise, for the first seed of both."""

    row: str
    old_row: str
    dataset: str
    seed: int
    images: int
    """That both runs judged."""
    only_old: int
    only_new: int
    fixed: int
    broken: int
    other: int
    by_class: tuple[tuple[str, int, int], ...]
    """(label, fixed, broken), where there are any."""
    flips: tuple[Flip, ...]
    """Broken first, then fixed, by how much the probability of the label moved."""


@dataclass(frozen=True, kw_only=True)
class SettingChange:
    """A setting that differs."""

    place: str
    """A row; or `every row`, `data`, `splits`, `scoring`, `environment`."""
    key: str
    """With dots, e.g. `optimizer.lr`."""
    old: str
    new: str
    """As JSON; empty where there is none."""


@dataclass(frozen=True, kw_only=True)
class RunDifference:
    """What differs between two runs."""

    old: str
    new: str
    """Folders."""
    level: float
    scores: tuple[ScoreChange, ...]
    flips: tuple[RowFlips, ...]
    settings: tuple[SettingChange, ...]
    only_old: tuple[str, ...]
    """Rows that the new run does not have."""
    only_new: tuple[str, ...]
    notes: tuple[str, ...] = ()
    stamps: Mapping[str, str] = field(default_factory=dict)
    """Row of the new run to what the split leaks that judged it, in either run."""
