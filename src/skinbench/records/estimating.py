"""What a suite is expected to cost before it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EstimateLine:
    """The same suite on so many workers."""

    workers: int
    """GPUs, or groups of cores where no row asks for a GPU."""
    seconds: float
    """From the start to the report."""
    efficiency: float
    """Share of the workers' time, 0 to 1, in which they train."""
    limit: str
    """What keeps it from being faster."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Time, GPU hours, storage and cost of what is not done yet."""

    fits: int
    """Fits to train."""
    measured: int
    """Of these, how many are estimated from fits of the same model in this store."""
    basis: str
    """Where the times come from, in a sentence."""
    unit: str
    """What a worker is: `GPU`, `core` or `2 cores`."""
    fit_seconds: float | None
    """Training of all of them, one after another; None where nothing is known of the device."""
    serial_seconds: float
    """Stages that run in one process: reading, pixels, features, predictions, scores, report."""
    gpu_hours: float | None
    storage_bytes: int
    """Pixel stores and trained fits, as far as they are known."""
    lines: tuple[EstimateLine, ...]
    nodes: EstimateLine | None = None
    """On the nodes that were asked about."""
    cost: float | None = None
    """Of these nodes, in the currency of the price; None without a price."""
