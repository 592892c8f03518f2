"""What a gate is asked, as a whole: its checks, what an undecided one costs, how models decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skinbench.gate.checks import Check
from skinbench.records.deciding import DecisionRule


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A gate policy."""

    checks: tuple[Check, ...] | None
    """None: those that the baseline was written with."""
    on_inconclusive: Literal["fail", "warn"] = "fail"
    decision: DecisionRule | None = None
    """None: the argmax."""
