"""How fast fits predict."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What a run measured while a fit predicted unaltered images, pixels already in memory."""

    fit: str
    images: int
    seconds: float
    """Of one thread that computes alone; frozen encoders are in it, reading pixels is not."""
    device: str
    threads: int
    """Of the arithmetic."""

    @property
    def images_per_second(self) -> float | None:
        """None where nothing was timed."""
        return self.images / self.seconds if self.seconds > 0 else None
