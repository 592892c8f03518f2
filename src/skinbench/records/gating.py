"""Records of the gate: how often a test set was used, and what it can tell."""

from __future__ import annotations

from dataclasses import dataclass

from skinbench.records.learning import later


@dataclass(frozen=True, kw_only=True)
class SetUse:
    """One test set that a verdict judged, and how many models it has judged."""

    dataset: str
    set: str
    """Digest over its image ids and labels (salted ids where there is a salt)."""
    images: int
    models: tuple[str, ...]
    """Digests of the predictions judged in this verdict."""
    known: int = 0
    """Models that were counted before, the baseline's own among them; kept in the baseline and in
    the ledger."""
    total: int = 0
    """Both together, each model once."""
    split: str = later("")
    """That made it, where that is not called as the dataset is."""


@dataclass(frozen=True, kw_only=True)
class DropPower:
    """What becomes of a model that has lost `drop`."""

    drop: float
    passed: float
    regressed: float
    inconclusive: float
    groups_needed: int | None = None
    """Lesion groups at which it is regressed with probability 0.8; None where no number of them
    is enough."""


@dataclass(frozen=True, kw_only=True)
class PowerLine:
    """What one check of a policy can tell on one test set."""

    row: str = ""
    """Row whose values are assumed; empty where they are given."""
    dataset: str = ""
    metric: str
    class_: str | None
    slice: str | None = None
    margin: float
    alpha: float
    images: int = 0
    n_groups: int = 0
    """Lesion groups that the metric conditions on."""
    value: float | None = None
    """True value of the metric that is assumed for the baseline."""
    discordant: float | None = None
    """Share of images on which an unchanged model is assumed to be right where the baseline is
    wrong, or the reverse."""
    correlation: float | None = None
    """Between two images of a lesion."""
    assumed: str = ""
    """Where the three come from, in words."""
    unchanged: DropPower | None = None
    """A model that is as good; None where `reason` says why nothing can be told."""
    groups_needed: int | None = None
    """Lesion groups at which it passes with probability 0.8."""
    drops: tuple[DropPower, ...] = ()
    reason: str = ""
    impossible: tuple[float, ...] = later(())
    """Losses that were asked about and that no model can have: as large as the value or larger."""
