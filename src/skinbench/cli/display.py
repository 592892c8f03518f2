"""A run as it goes: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from skinbench.records import EpochRecord, Event
from skinbench.store import canonical_json, from_plain

EVENTS_VARIABLE = "SKINBENCH_EVENTS"
"""Set where another machine shows the run: events are printed for it."""
_EVENT = "@event "
_SILENCE = 4.0
"""Seconds without a line after which plain output says how far it is."""


class Display(Protocol):
    """Something that watches a run."""

    def listen(self, event: Event) -> None:
        """Take one event."""
        ...


@contextmanager
def open_display(suite: str, *, to_stderr: bool = False) -> Iterator[Display]:
    """A display for the length of a run; on stderr where stdout is for JSON."""
    if os.environ.get(EVENTS_VARIABLE):
        yield RelayDisplay()
        return
    console = Console(stderr=to_stderr, highlight=False)
    if not console.is_terminal:
        yield PlainDisplay(sys.stderr if to_stderr else sys.stdout)
        return
    display = LiveDisplay(suite)
    with Live(display, console=console, refresh_per_second=4, transient=False) as live:
        display.live = live
        yield display
        display.finish()


class RelayDisplay:
    """Each event as a line of JSON, for a display on another machine; see `told`."""

    def __init__(self) -> None:
        self._last = 0.0

    def listen(self, event: Event) -> None:
        """Print it; of counted work four a second are enough."""
        now = time.monotonic()
        if event.kind == "progress" and event.done < event.total and now - self._last < 0.25:
            return
        self._last = now
        print(_EVENT + canonical_json(event), flush=True)  # noqa: T201 - the log is the wire


def told(line: str) -> Event | None:
    """The event that a RelayDisplay printed as this line; None for any other line."""
    if not line.startswith(_EVENT):
        return None
    try:
        return from_plain(Event, json.loads(line.removeprefix(_EVENT)))
    except ValueError:  # pydantic's too: a line that only looks like one
        return None


class PlainDisplay:
    """One line for each stage and each finished fit, for logs and CI."""

    def __init__(self, stream: object) -> None:
        self._console = Console(file=stream, width=100, highlight=False)  # type: ignore[arg-type]
        self._start = time.monotonic()
        self._last = self._start
        self._counts = FitCounts()

    def listen(self, event: Event) -> None:
        """Print what a log should hold; of epochs and progress only what breaks a silence."""
        self._counts.take(event)
        if event.kind == "stage":
            self._say(event.name)
        elif event.kind == "fit":
            took = f" in {event.seconds:.1f} s" if event.status == "done" else ""
            self._say(f"  {event.status}: {event.name}{took} ({self._counts.line})")
            if event.detail:
                self._say(f"    {event.detail}")
        elif event.kind == "note":
            self._say(event.detail)
        elif time.monotonic() - self._last >= _SILENCE:
            if event.kind == "progress":
                self._say(f"  {event.name}: {event.done:,} of {event.total:,}")
            elif event.kind == "epoch" and event.epoch is not None:
                place = f"epoch {event.epoch.epoch} of at most {event.epochs}"
                self._say(f"  {event.name}: {place} ({self._counts.line})")

    def _say(self, text: str) -> None:
        self._last = time.monotonic()
        elapsed = f"{self._last - self._start:7.1f} s  "
        self._console.print(Text(elapsed + text), soft_wrap=True)


@dataclass
class FitCounts:
    """How many fits wait, run and have ended."""

    running: dict[str, Event] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)
    queued: dict[str, int] = field(default_factory=dict)
    done: int = 0
    failed: int = 0

    @property
    def ended(self) -> int:
        """Fits that are done, failed or blocked."""
        return self.done + self.failed

    @property
    def total(self) -> int:
        """All fits of this run that were not done before."""
        return self.ended + len(self.running) + len(self.queued)

    @property
    def line(self) -> str:
        """`3 of 8 ended, 2 running, 3 waiting`, without what there is none of."""
        parts = [f"{self.ended} of {self.total} ended"]
        parts += [f"{len(self.running)} running"] if self.running else []
        parts += [f"{len(self.queued)} waiting"] if self.queued else []
        return ", ".join(parts)

    def take(self, event: Event) -> None:
        """Update the counts."""
        if event.kind == "queued":
            self.queued[event.fit] = event.epochs
        elif event.kind == "epoch":
            self.queued.pop(event.fit, None)
            self.running[event.fit] = event
            self.started.setdefault(event.fit, time.monotonic())
        elif event.kind == "fit":
            self.queued.pop(event.fit, None)
            self.running.pop(event.fit, None)
            if event.status == "done":
                self.done += 1
            else:
                self.failed += 1


class LiveDisplay:
    """Stage, counted work, fits that run with their epochs, and time left."""

    def __init__(self, suite: str) -> None:
        self.suite = suite
        self.live: Live | None = None
        self._start = time.monotonic()
        self._counts = FitCounts()
        self._stages: list[tuple[str, float]] = []
        self._progress: Event | None = None
        self._failures: list[str] = []
        self._seconds: list[float] = []

    def listen(self, event: Event) -> None:
        """Take one event; the screen follows four times a second."""
        self._counts.take(event)
        now = time.monotonic()
        if event.kind == "stage":
            self._stages.append((event.name, now))
            self._progress = None
        elif event.kind == "progress":
            self._progress = event
        elif event.kind == "epoch" and event.epoch is not None:
            self._seconds.append(event.epoch.seconds)
        elif event.kind == "fit" and event.status != "done":
            self._failures.append(f"{event.status}: {event.name}: {event.detail}")

    def finish(self) -> None:
        """Close the last stage."""
        self._stages.append(("", time.monotonic()))
        self._progress = None

    def __rich__(self) -> RenderableType:
        """The screen."""
        parts: list[RenderableType] = [self._stage_table()]
        if self._progress is not None:
            parts.append(_bar(self._progress.name, self._progress.done, self._progress.total))
        counts = self._counts
        if counts.total:
            parts.append(_bar(self._fit_line(), counts.ended, counts.total))
        parts += [
            _epoch_line(event.name, event.epoch, event.epochs)
            for event in list(counts.running.values())[:6]
            if event.epoch is not None
        ]
        parts += [Text(f"  {text}", style="red") for text in self._failures[-5:]]
        return Group(*parts)

    def _stage_table(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False)
        table.add_column(width=2)
        table.add_column()
        table.add_column(justify="right")
        now = time.monotonic()
        ends = [start for _, start in self._stages[1:]] + [now]
        for index, (name, start) in enumerate(self._stages):
            if name:
                open_ = index == len(self._stages) - 1
                seconds = f"{ends[index] - start:.1f} s"
                table.add_row("..." if open_ else "ok", name, seconds)
        return table

    def _fit_line(self) -> str:
        counts = self._counts
        left = self._time_left()
        parts = [f"{counts.done} done", f"{len(counts.running)} running"]
        if counts.failed:
            parts.append(f"{counts.failed} failed")
        if left:
            parts.append(left)
        return "fits: " + ", ".join(parts)

    def _time_left(self) -> str:
        """An upper bound from the mean epoch so far: fits may stop early."""
        counts = self._counts
        if not self._seconds or not (counts.running or counts.queued):
            return ""
        epochs = sum(counts.queued.values()) + sum(
            event.epochs - (event.epoch.epoch if event.epoch else 0)
            for event in counts.running.values()
        )
        mean = sum(self._seconds) / len(self._seconds)
        left = epochs * mean / max(1, len(counts.running))
        return f"at most {left / 60:.0f} min left" if left > 90 else f"at most {left:.0f} s left"


def _bar(name: str, done: int, total: int) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_row(
        Text(name),
        ProgressBar(total=max(1, total), completed=done, width=24),
        f"{done:,}/{total:,}",
    )
    return table


def _epoch_line(name: str, epoch: EpochRecord, epochs: int) -> Text:
    rate = epoch.images / epoch.seconds if epoch.seconds > 0 else 0.0
    val = "" if epoch.val_log_loss is None else f", val {epoch.val_log_loss:.3f}"
    loss = f"loss {epoch.train_loss:.3f}{val}"
    line = f"  {name}  epoch {epoch.epoch}/{epochs}  {loss}  {rate:,.0f} images/s"
    return Text(line, no_wrap=True, overflow="ellipsis")
