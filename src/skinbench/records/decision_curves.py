"""Records of decision curves: net benefit over the risk from which on one would act."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DecisionCurve:
    """Net benefit of a row at a stated prevalence, by prior shift, over a range of risks.

    The class is decided where its probability, shifted from its share in val to the prevalence,
    reaches the risk.
    """

    row: str
    dataset: str
    class_: str
    prevalence: float
    risks: tuple[float, ...] = ()
    """Rising, in (0, 1)."""
    net_benefit: tuple[float, ...] = ()
    """At each risk, for each one examined; means over seeds."""
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    """Bounds at the scorecard's level, each risk by itself; empty under 10 lesion groups."""
    of_all: tuple[float, ...] = ()
    """Acting on everyone; acting on nobody is 0."""
    n: int = 0
    n_positive: int = 0
    n_groups: int = 0
    """Lesion groups of the class or of the rest, whichever are fewer."""
    reason: str = ""
    """Why there is no curve."""
