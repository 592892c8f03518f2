"""An estimate in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from skinbench.errors import counted
from skinbench.records import Estimate, EstimateLine


def print_estimate(estimate: Estimate) -> None:
    """What is left to do, how long it takes on so many workers, and what limits it."""
    console = Console(highlight=False)
    console.print()
    console.print(Text(f"estimate: {_whole(estimate)}"), soft_wrap=True)
    if estimate.lines:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column(f"{estimate.unit}s" if estimate.unit[0] != "G" else "GPUs")
        for name in ("time", "efficiency"):
            table.add_column(name, justify="right")
        table.add_column("limited by", overflow="fold")
        for line in estimate.lines:
            table.add_row(str(line.workers), *_cells(line))
        console.print(table)
    if estimate.nodes is not None:
        took = duration(estimate.nodes.seconds)
        cost = "" if estimate.cost is None else f", cost {estimate.cost:,.2f}"
        share = f"{estimate.nodes.efficiency:.0%} of their time in training"
        console.print(f"on these nodes: {took}{cost}; {share}; {estimate.nodes.limit}")
    console.print(
        Text(f"by a simulation of the schedule, {estimate.basis}; early stopping makes it shorter"),
        soft_wrap=True,
    )


def _whole(estimate: Estimate) -> str:
    fits = counted(estimate.fits, "fit")
    storage = f"storage at least {max(1, round(estimate.storage_bytes / 1e6)):,} MB"
    if estimate.fit_seconds is None:
        return f"{fits}; time not known: no fit is measured on that device; {storage}"
    hours = f", {estimate.gpu_hours:.2g} GPU hours" if estimate.gpu_hours else ""
    return (
        f"{fits} to train in at most {duration(estimate.fit_seconds)} one after another{hours}, "
        f"other stages {duration(estimate.serial_seconds)}; {storage}"
    )


def _cells(line: EstimateLine) -> tuple[str, str, str]:
    return duration(line.seconds), f"{line.efficiency:.0%}", line.limit


def duration(seconds: float) -> str:
    """E.g. `45 s`, `12 min`, `3.4 h`, `2.1 days`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86_400:.1f} days"
