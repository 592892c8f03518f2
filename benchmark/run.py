"""Every benchmark row: skinbench and its peers in turn, several times, medians side by side.

python benchmark/run.py [ROW ...] [--repeats 3] [--small] [--write]

A row is a file of this folder that has `entries(small) -> Row`. Each entry is a command of its
own, started anew for every repeat, so that imports, allocators and caches are its own; entries
take turns, so that what else the machine does falls on all alike. `--write` puts the tables into
README.md, with date, machine and commit.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROWS = (
    "inference",
    "models",
    "raydata",
    "epoch",
    "grid",
    "heads",
    "fixed",
    "growth",
    "gradcam",
    "scoring",
    "scale",
    "report",
    "serving",
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One way of doing the work."""

    name: str
    command: tuple[str, ...]
    """Arguments of Python. Its last line of output is JSON: `seconds` of the work (left out: of
    the whole process counts); where it matters `peak`, the GiB it held; and, for what must be
    equal, `result`."""
    environment: dict[str, str] = field(default_factory=dict)
    repeats: int | None = None
    """Fewer than asked for, where it takes minutes."""
    images: int | None = None
    """Images of its work, where they are not the row's."""


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """What one entry takes over another: what a lever gives, or a target."""

    says: str
    of: str
    """Name of an entry."""
    over: str | None
    """Name of another; None: seconds of the one alone."""
    minus: str | None = None
    """Name of an entry whose seconds are taken off first, for what each further one costs."""
    least: float | None = None
    most: float | None = None
    times: float = 1.0
    """As often as the one has to be done."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One kind of work, and who does it."""

    title: str
    entries: tuple[Entry, ...]
    reference: str
    """The entry that all others are divided by."""
    images: int | None = None
    """Images of the work, for images a second."""
    notes: tuple[str, ...] = ()
    unit: str = "seconds"
    scale: float = 1.0
    """Of the unit in a second."""
    ratios: tuple[Ratio, ...] = ()
    draw: Callable[[Mapping[str, float], Mapping[str, float]], None] | None = None
    """Draws a picture beside README.md from the medians in seconds and the peaks in GiB."""


def main() -> int:
    """Measure the rows asked for; exit code 1 where entries do not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], default=[])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--small", action="store_true", help="a smoke test: its numbers say nothing"
    )
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    asked = parser.parse_args()
    agreed = True
    for name in asked.rows or ROWS:
        row: Row = importlib.import_module(f"benchmark.{name}").entries(asked.small)
        seconds, results, peaks = measure(row, asked.repeats)
        agreed &= len(set(results.values())) <= 1
        table = render(row, seconds, results, peaks)
        print(table, flush=True)
        if asked.write and not asked.small:
            write(name, table)
            if row.draw is not None:
                row.draw({each: statistics.median(times) for each, times in seconds.items()}, peaks)
    return 0 if agreed else 1


def measure(
    row: Row, repeats: int
) -> tuple[dict[str, list[float]], dict[str, str], dict[str, float]]:
    """Seconds of every entry and repeat, what each gave, and the most memory where it is told."""
    seconds: dict[str, list[float]] = {entry.name: [] for entry in row.entries}
    results: dict[str, str] = {}
    peaks: dict[str, float] = {}
    for turn in range(repeats):
        for entry in row.entries:
            if entry.repeats is not None and turn >= entry.repeats:
                continue
            said = _once(entry)
            seconds[entry.name].append(said["seconds"])
            if "result" in said:
                results[entry.name] = said["result"]
            if "peak" in said:
                peaks[entry.name] = max(said["peak"], peaks.get(entry.name, 0.0))
    return seconds, results, peaks


def _once(entry: Entry) -> dict[str, Any]:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *entry.command],
        cwd=HERE.parent,
        env={**os.environ, **entry.environment},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    whole = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"{entry.name}: exit code {done.returncode}: {' '.join(entry.command)}")
    return {"seconds": whole, **json.loads(done.stdout.strip().splitlines()[-1])}


def render(
    row: Row,
    seconds: dict[str, list[float]],
    results: dict[str, str],
    peaks: dict[str, float],
) -> str:
    """The row as a Markdown table."""
    scaled = {name: [row.scale * one for one in times] for name, times in seconds.items()}
    medians = {name: statistics.median(times) for name, times in scaled.items()}
    reference = medians[row.reference]
    images = {entry.name: entry.images or row.images for entry in row.entries}
    heads = ["", row.unit, "spread", *(["images/s"] if any(images.values()) else [])]
    heads += ["peak GiB"] if peaks else []
    heads += [f"to {row.reference}"]
    lines = [
        f"### {row.title}",
        "",
        "| " + " | ".join(heads) + " |",
        "| --- |" + " ---: |" * (len(heads) - 1),
    ]
    for name, times in scaled.items():
        spread = f"{min(times):.2f}-{max(times):.2f}" if len(times) > 1 else "once"
        cells = [name, f"{medians[name]:.2f}", spread]
        if any(images.values()):
            cells.append(f"{(images[name] or 0) / medians[name] * row.scale:,.0f}")
        cells += [f"{peaks[name]:.1f}" if name in peaks else ""] if peaks else []
        lines.append("| " + " | ".join([*cells, f"{medians[name] / reference:.2f}"]) + " |")
    same = "All give the same result." if len(set(results.values())) == 1 else ""
    differ = f"Results differ: {results}" if len(set(results.values())) > 1 else ""
    lines += ["", *_ratios(row, {name: statistics.median(each) for name, each in seconds.items()})]
    return "\n".join([*lines, *filter(None, (same, differ, *row.notes)), ""])


def _ratios(row: Row, medians: Mapping[str, float]) -> list[str]:
    """A second table: what each lever gives, and whether a target is met."""
    if not row.ratios:
        return []
    lines = ["| ratio | is | target |", "| --- | ---: | ---: |"]
    for ratio in row.ratios:
        seconds = medians[ratio.of] - (medians[ratio.minus] if ratio.minus else 0.0)
        value = ratio.times * seconds / (medians[ratio.over] if ratio.over else 1.0)
        target, met = "", True
        if ratio.least is not None:
            target, met = f"{ratio.least:g} or more", value >= ratio.least
        if ratio.most is not None:
            target, met = f"{ratio.most:g} or less", value <= ratio.most
        lines.append(f"| {ratio.says} | {value:.2f} | {target}{'' if met else ', not met'} |")
    return [*lines, ""]


def write(name: str, table: str) -> None:
    """Replace a row's table in README.md."""
    readme = HERE / "README.md"
    commit = subprocess.run(
        ["git", "-C", str(HERE), "describe", "--always", "--dirty=+"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    body = f"<!-- {name} -->\n{table}\n{date}, commit {commit}, {_machine()}.\n<!-- /{name} -->"
    text = readme.read_text(encoding="utf-8")
    pattern = re.compile(rf"<!-- {name} -->.*?<!-- /{name} -->", re.DOTALL)
    readme.write_text(
        pattern.sub(lambda _: body, text) if pattern.search(text) else f"{text}\n{body}\n",
        encoding="utf-8",
    )


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return f"{cores} cores, {found[1] if found else 'unknown processor'}"


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    raise SystemExit(main())
