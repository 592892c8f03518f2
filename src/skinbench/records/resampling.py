"""The record of a bootstrap: how many resamples, at what level, from which seed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Resamples:
    """How intervals are made, as a suite's `bootstrap:` says."""

    replicates: int = 2000
    level: float = 0.95
    """Coverage of intervals."""
    seed: int = 0


USUAL_RESAMPLES = Resamples()
"""Where nothing else is asked for."""
