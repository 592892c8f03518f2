"""Records of the gate: how often a test set was used, and what it can tell."""

from __future__ import annotations

from dataclasses import dataclass


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


@dataclass(frozen=True, kw_only=True)
class PowerLine:
    """What one check of a policy can tell on one test set."""

    row: str
    """Row whose values were assumed; empty where they were given."""
    metric: str
    class_: str | None
    margin: float
    alpha: float
    images: int
    n_groups: int
    """Lesion groups that the metric conditions on."""
    value: float
    """True value of the metric that is assumed for the baseline."""
    discordant: float
    """Share of images on which an unchanged model is assumed to be right where the baseline is
    wrong, or the reverse."""
    correlation: float
    """Between two images of a lesion."""
    passed: float
    """P(passed) of a model that is unchanged."""
    inconclusive: float
    """P(inconclusive) of a model that is unchanged."""
    falsely_regressed: float
    """P(regressed) of a model that is unchanged."""
    drops: tuple[DropPower, ...] = ()
    needed: int | None = None
    """Lesion groups at which an unchanged model passes with probability `target`; None where that
    is beyond what is tried."""
    target: float = 0.8
    assumed: str = ""
    """Where value, discordance and correlation come from, in words."""
    reason: str = ""
    """Why nothing can be told, e.g. too few lesion groups; the probabilities are then of an empty
    test."""


@dataclass(frozen=True, kw_only=True)
class DropPower:
    """What becomes of a model that has lost `drop`."""

    drop: float
    passed: float
    regressed: float
    inconclusive: float
    needed: int | None = None
    """Lesion groups at which it is regressed with probability `target`."""
