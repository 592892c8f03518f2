"""What a run tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from skinbench.records.learning import EpochRecord


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened during a run."""

    kind: Literal["stage", "progress", "queued", "epoch", "fit", "note"]
    """A stage began; counted work went on; fits wait; an epoch or a whole fit ended."""
    name: str = ""
    """Stage, what is counted, or the row of a fit."""
    done: int = 0
    total: int = 0
    detail: str = ""
    epoch: EpochRecord | None = None
    epochs: int = 0
    """Most epochs that the fit may take."""
    fit: str = ""
    status: str = ""
    """Of a finished fit: done, failed or blocked."""
    seconds: float = 0.0
    """Training time of a finished fit, over all attempts."""


Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """A listener for those who do not watch."""
    del event
