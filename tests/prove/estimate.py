"""The simulated schedule beside real ones: a suite of unequal fits on one worker and on two.

    python -m tests.prove.estimate

Each run's own fits, as it measured them, are given to the simulation; its makespan must be within
15 % of the time from the start of the first fit to the end of the last. Exits with 1 where not.
"""

# ruff: noqa: T201

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from skinbench.cli.display import told
from skinbench.plan.simulation import Job, Machine, simulate
from skinbench.records import FitRecord, Plan
from skinbench.store import Store, read_record
from tests.pipeline.tiny import SUITE

WITHIN = 0.15
EPOCHS = (60, 40, 25, 15, 10, 8)


def suite(folder: Path) -> Path:
    """Fits of very different length."""
    rows = "".join(
        f"  r{k}: {{model: baseline_cnn, epochs: {epochs}, early_stopping: null}}\n"
        for k, epochs in enumerate(EPOCHS)
    )
    path = folder / "tiny.yaml"
    path.write_text(f"{SUITE.replace('lesions: 60', 'lesions: 600')}\nrows:\n{rows}")
    return path


def measured(folder: Path, workers: int) -> tuple[float, list[Job]]:
    """(seconds from the first fit's start to the last's end, the fits as they ran)."""
    words = ["run", str(suite(folder)), "--workers", str(workers), "--out", str(folder / "run")]
    process = subprocess.Popen(
        [sys.executable, "-m", "skinbench", *words, "--store", str(folder / "store")],
        env={**os.environ, "SKINBENCH_EVENTS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = last = 0.0
    for text in process.stdout:
        event = told(text)
        now = time.monotonic()
        if event is not None and event.kind == "epoch" and event.epoch is not None:
            first = first or now - event.epoch.seconds
        if event is not None and event.kind == "fit":
            last = now
    assert process.wait() == 0
    plan = read_record(folder / "run" / "plan.json", Plan)
    store = Store(folder / "store")
    records = [read_record(store.open("fits", fit) / "record.json", FitRecord) for fit in plan.fits]
    return last - first, [Job(name=item.fit_id, seconds=item.seconds) for item in records]


def main() -> int:
    """One worker, then two; the last line says how far the simulation was off."""
    off = []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as place:
            took, jobs = measured(Path(place), workers)
        expected = simulate(jobs, [Machine(cpu=1)] * workers).makespan
        off.append(expected / took - 1)
        print(f"{workers}: measured {took:.1f} s, simulated {expected:.1f} s", flush=True)
    print(f"off by {off[0]:+.1%} on one worker, {off[1]:+.1%} on two")
    return 0 if max(map(abs, off)) <= WITHIN else 1


if __name__ == "__main__":
    sys.exit(main())
