"""200 cells of a tiny model: what a cell costs beside its training, and what is left behind.

    python -m tests.prove.scale [--cells 200] [--overhead 0.35]

In one process, in a store of its own: a suite of few cells first, so that all is loaded, then the
one that is measured. Shown: over the stage `fits` the time that both cores spend beside training
is at most `--overhead` seconds a cell, the start of Ray and of its workers included; memory of this
process and of the workers that train is as large at the last cell as at the 20th; at the end there
are as many open files as before, nothing more in /dev/shm, and no process.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil

from skinbench.cluster.sizing import local_cores
from skinbench.pipeline import Options, run_suite
from skinbench.store import RunFolder, Store, read_json
from skinbench.suite import load_suite
from tests.pipeline.tiny import write_suite
from tests.prove.kills import BrokenPromiseError, promise

SHARED = Path("/dev/shm")
SEEDS = 20
EARLY = 20
"""Cell from which on memory is flat."""
KEPT = collections.Counter({"socket": 2, "/tmp/ray": 1})
"""What Ray 2.60 keeps open of a session until the process ends, however many cells: two sockets and
its driver's log."""
GROWTH = 24e6
"""Bytes that a process may have grown by from there to the end."""
ROW = (
    "{{model: baseline_cnn, technique: {}, input: {}, epochs: {}, early_stopping: null, seeds: {}}}"
)
TECHNIQUES = ("none", "class_weights", "oversampling", "focal", "label_smoothing")


def rows(cells, epochs):
    """Rows of up to `SEEDS` seeds, as many as make up the cells."""
    kinds = [(t, i) for i in ("image", "fusion_concat") for t in TECHNIQUES]
    count = -(-cells // SEEDS)
    seeds = list(range(cells // count))
    return "rows:\n" + "".join(
        f"  {technique}/{given}: {ROW.format(technique, given, epochs, seeds)}\n"
        for technique, given in kinds[:count]
    )


class Watch:
    """Memory and open files at every cell, as the run's listener."""

    def __init__(self):
        self.own, self.memory, self.workers, self.files = psutil.Process(), [], [], []

    def __call__(self, event):
        if event.kind != "fit":
            return
        promise(event.status == "done", f"{event.name} {event.status}: {event.detail}")
        self.memory.append(self.own.memory_info().rss)
        self.files.append(self.own.num_fds())
        self.workers.append(max(trainers(self.own), default=0))


def trainers(process):
    """Private memory of the workers that train."""
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "ImplicitFunc" in " ".join(child.cmdline()):
                found = child.memory_info()
                yield found.rss - found.shared


def go(folder, cells, epochs, watch):
    """Run a suite of so many cells; its run folder."""
    suite = load_suite(write_suite(folder, rows(cells, epochs)))
    store = Store(folder / "store")
    run_suite(suite, Options(folder=folder / "run", store=store), watch)
    return RunFolder(folder / "run")


def prove(options, folder):
    """The measurements; a summary for the table."""
    go(folder / "first", 4, 1, Watch())
    own, shm = psutil.Process(), set(SHARED.iterdir())
    files, watch = opened(), Watch()
    run = go(folder / "many", options.cells, options.epochs, watch)
    records = [read_json(path)["record"] for path in sorted(run.fits.glob("*.json"))]
    promise(len(records) == len(watch.memory) == options.cells, f"{len(records)} fits")
    trained = sum(record["seconds"] for record in records)
    stages = {stage["name"]: stage["seconds"] for stage in read_json(run.run)["stages"]}
    beside = (stages["fits"] * local_cores() - trained) / options.cells
    grown = [seen[-1] - seen[EARLY - 1] for seen in (watch.memory, watch.workers)]
    print(f"stages: {stages}; trained {trained:.1f} s", flush=True)
    print(f"memory at cell {EARLY}: {watch.memory[EARLY - 1]:,}, {watch.workers[EARLY - 1]:,}")
    print(f"files at cell {EARLY} and the last: {watch.files[EARLY - 1]}, {watch.files[-1]}")
    gone = processes_gone(own)
    left = set(SHARED.iterdir()) - shm
    promise(beside <= options.overhead, f"{beside:.2f} s a cell beside training")
    promise(max(grown) <= GROWTH, f"memory grew by {[f'{g / 1e6:.0f} MB' for g in grown]}")
    promise(watch.files[-1] <= watch.files[EARLY - 1], f"open files grew: {watch.files[-1]}")
    more = opened() - files - KEPT
    promise(not more, f"left open: {dict(more)}")
    promise(not left, f"left in /dev/shm: {left}")
    promise(gone, f"left running: {own.children(recursive=True)}")
    print(
        f"{options.cells} cells in {stages['fits']:.0f} s on {local_cores()} cores, "
        f"{trained / options.cells:.2f} s of training and {beside:.2f} s beside it a cell (limit "
        f"{options.overhead:g}); from cell {EARLY} to the last the driver grew by "
        f"{grown[0] / 1e6:.0f} MB and the workers by {grown[1] / 1e6:.0f} MB; no file, no "
        "process and nothing in /dev/shm was left"
    )


def opened():
    """How often each file is open; sockets, and what lies in Ray's folder, together."""
    found = collections.Counter()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            name = str(path.readlink()).partition(":[")[0]
            found["/tmp/ray" if name.startswith("/tmp/ray/") else name] += 1
    found.pop(f"/proc/{os.getpid()}/fd", None)
    return found


def processes_gone(own):
    """Whether every process that the run started ends within a minute."""
    deadline = time.monotonic() + 60
    while own.children(recursive=True) and time.monotonic() < deadline:
        time.sleep(0.2)
    return not own.children(recursive=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--overhead", type=float, default=0.35, help="seconds a cell, at most")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="scale-", ignore_cleanup_errors=True) as name:
        try:
            prove(options, Path(name))
        except BrokenPromiseError as error:
            print(f"broken: {error}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
