"""Records of where models fail: subgroups, shared errors, views of a lesion, conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class GroupScore:
    """One metric of a row within one subgroup, and how far it is from the other images'."""

    row: str
    dataset: str
    slice: str
    """Name of the subgroups, e.g. `sex`."""
    group: str
    """The subgroup, e.g. `female`."""
    metric: str
    class_: str | None = None
    value: float | None
    """Mean over seeds. None below the floor; `reason` says how many there are."""
    low: float | None = None
    high: float | None = None
    gap: float | None = None
    """The subgroup minus all other images whose subgroup is known; `gap_reason` says why not."""
    gap_low: float | None = None
    gap_high: float | None = None
    n: int
    """Images that the metric is a mean over."""
    n_groups: int
    """Lesion groups among them: what the floor counts."""
    reason: str = ""
    gap_reason: str = ""


@dataclass(frozen=True, kw_only=True)
class WorstGroup:
    """The subgroup with the lowest value, its bounds widened for having been picked."""

    row: str
    dataset: str
    slice: str
    metric: str
    class_: str | None = None
    group: str | None
    """None where fewer than two subgroups have a value."""
    compared: int
    """Subgroups with a value."""
    below_floor: int
    """Subgroups without one."""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    """Bonferroni over the subgroups compared: each at 1 - (1 - level) / compared."""
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None
    """The same for the difference to the other images."""
    n: int = 0
    n_groups: int = 0
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class SharedError:
    """What one model misses of a class, by how many other models recognise it."""

    dataset: str
    split: str
    row: str
    class_: str
    others: int
    """Other rows with a network on the same images."""
    n: int
    """Images of the class."""
    missed: int
    """Of them missed by the row."""
    missed_by_all: int
    """Of those missed by every other row too."""
    caught_by_one: int
    """Recognised by exactly one other row."""
    caught_by_more: int
    value: float | None
    """missed_by_all / missed."""
    low: float | None = None
    high: float | None = None
    n_groups: int = 0
    """Lesion groups among the missed."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How often two models decide alike, on all images and where one of them errs."""

    dataset: str
    split: str
    row: str
    other: str
    value: float | None
    """Share of images with the same decision."""
    low: float | None = None
    high: float | None = None
    kappa: float | None = None
    """Cohen's, of the two decisions; None where both always decide for one class."""
    kappa_low: float | None = None
    kappa_high: float | None = None
    both_wrong: int = 0
    either_wrong: int = 0
    n: int
    n_groups: int
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class HardImage:
    """An image and what the models of a test set made of it."""

    dataset: str
    split: str
    image_id: str
    group_id: str
    label: str
    models: int
    wrong: int
    """Models that decide for another class."""
    decided: str
    """The class that most of them decide for, the first of ties."""
    votes: int
    """Models that decide for it."""
    probability_of_label: float
    """Mean over models."""


@dataclass(frozen=True, kw_only=True)
class AgainstLabel:
    """Images on which all models decide for the same class, which is not the label."""

    dataset: str
    split: str
    models: tuple[str, ...]
    """Rows, each by its lowest seed."""
    value: float | None
    """Share of the test images."""
    low: float | None = None
    high: float | None = None
    count: int
    n: int
    n_groups: int
    reason: str = ""
    images: tuple[HardImage, ...] = ()
    """The first of them, least probable label first."""


@dataclass(frozen=True, kw_only=True)
class AgainstPlain:
    """A network minus one baseline without a network, on the same images."""

    row: str
    baseline: str
    dataset: str
    metric: str
    difference: float | None
    """None where they were not judged on the same images; `reason` says so."""
    low: float | None = None
    high: float | None = None
    beats: bool
    """The interval lies above 0. Without an interval it does not."""
    n: int
    n_groups: int
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Bounded:
    """A share with its interval."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """Lesions with several test images whose images are decided differently."""

    row: str
    dataset: str
    condition: str = "none"
    class_: str | None = None
    """Lesions of this class alone; None for all."""
    value: float | None
    """Share of the lesions whose views disagree, mean over seeds."""
    low: float | None = None
    high: float | None = None
    lesions: int
    """With two test images or more."""
    images: int
    """Of those lesions."""
    n_groups: int
    all_right: Bounded
    """Share of the lesions of which every view is decided right."""
    some_right: Bounded
    none_right: Bounded
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ConditionDrop:
    """A metric under a condition, and minus the same without any, on the same images."""

    row: str
    dataset: str
    condition: str
    """e.g. `blur@3`."""
    metric: str
    class_: str | None = None
    value: float | None
    low: float | None = None
    high: float | None = None
    before: float | None = None
    """The value under `none`; None where other images were predicted there."""
    change: float | None = None
    """value - before."""
    change_low: float | None = None
    change_high: float | None = None
    n: int
    """Images that the metric is a mean over."""
    n_groups: int
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ConditionFlips:
    """Images that are decided otherwise under a condition than without any."""

    row: str
    dataset: str
    condition: str
    value: float | None
    """Share, mean over seeds."""
    low: float | None = None
    high: float | None = None
    n: int
    n_groups: int
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class OutOfDistribution:
    """How well a model's own doubt tells images of its test set from images of elsewhere."""

    row: str
    inside: str
    """Dataset of the row's own test."""
    outside: str
    """What is elsewhere, in words, e.g. `images of isic19 without a class`."""
    score: str
    """`max_probability` (1 - the largest) or `entropy`."""
    value: float | None
    """AUROC of the doubt, outside being positive: 0.5 tells nothing."""
    low: float | None = None
    high: float | None = None
    n_inside: int
    n_outside: int
    n_groups: int
    """Lesion groups of the side that has fewer."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class WeakSpots:
    """Where the rows of a run fail."""

    floor: int
    """Lesion groups below which a subgroup has no value."""
    focus: Mapping[str, str] = field(default_factory=dict)
    """Row to the class that recall and specificity are taken for."""
    groups: tuple[GroupScore, ...] = ()
    worst: tuple[WorstGroup, ...] = ()
    shared_errors: tuple[SharedError, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    hardest: tuple[HardImage, ...] = ()
    against_label: tuple[AgainstLabel, ...] = ()
    against_plain: tuple[AgainstPlain, ...] = ()
    consistency: tuple[Consistency, ...] = ()
    drops: tuple[ConditionDrop, ...] = ()
    flips: tuple[ConditionFlips, ...] = ()
    out_of_distribution: tuple[OutOfDistribution, ...] = ()
    notes: tuple[str, ...] = ()
    """What was not looked at, and why, a sentence each."""
