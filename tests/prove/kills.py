"""A suite that is killed again and again ends as if nothing had happened.

    python -m tests.prove.kills [--kills 20] [--seed 0] [--json FILE]

Runs a suite in peace; then the same suite in another store, killing the driver with SIGKILL and
starting it again at once. The moments are drawn with a seed: one in three from 2 to 14 s after a
start, the others up to 8 s after the first epoch that this start kept, so that they fall into
training however slow the machine is. Where the suite ends before all kills were dealt, the rest
is dealt to it in a fresh store.

Shown: every scorecard, and every table of predictions, equals the peaceful run's byte for byte;
what was finished when the driver was killed was not trained again; no object is damaged and no
checkpoint is left. After `--starts` starts it gives up and fails.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import psutil

from skinbench.store import RunFolder, Store
from tests.pipeline.test_faults import finished, states
from tests.pipeline.tiny import finish, start, write_suite

ROOT = Path(__file__).resolve().parents[2]
AFTER_START = (2.0, 14.0)
AFTER_EPOCH = (0.0, 8.0)
"""Seconds between which a kill falls."""
PATIENCE = 900.0
"""Seconds after which a start has hung."""
ROW = (
    "{{model: baseline_cnn, technique: {}, input: {}, epochs: 40, early_stopping: null, "
    "seeds: [0, 1, 2]}}"
)
TECHNIQUES = ("none", "class_weights", "oversampling", "focal")
ROWS = "rows:\n" + "".join(
    f"  {technique}/{given}: {ROW.format(technique, given)}\n"
    for technique in TECHNIQUES
    for given in ("image", "fusion_concat")
)
DERIVED = "derived:\n  all: {kind: mean_probability, of: '*/image'}\n"


class BrokenPromiseError(Exception):
    """What a killed run did and must not."""


def promise(kept, what):
    """Raise where a promise is broken."""
    if not kept:
        raise BrokenPromiseError(what)


def in_peace(suite, root):
    """Run the suite undisturbed."""
    code, _, err = finish(start(suite, root / "run", root / "store"))
    promise(code == 0, f"the undisturbed run failed: {err}")


def kill(process):
    """SIGKILL the driver, and end what it leaves behind after giving it time to go by itself."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stderr.close()
    _, alive = psutil.wait_procs(family, timeout=3)
    left = [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    for one in left:
        one.kill()
    return len(left)


def progress(store):
    """Changes whenever an epoch is kept or a fit is finished."""
    times = {}
    for path in states(store):
        with contextlib.suppress(FileNotFoundError):  # its fit has just been finished
            times[path.parent.name] = path.stat().st_mtime_ns
    return times, finished(store)


def attempt(suite, root, draw):
    """Start once and kill at a moment; the state left, or None where the run ended before.

    Without `draw` nothing is killed.
    """
    store, seen = root / "store", progress(root / "store")
    process, began = start(suite, root / "run", store), time.monotonic()
    try:
        wait_for_the_moment(process, store, seen, draw)
    except BaseException:
        kill(process)
        raise
    at = time.monotonic() - began
    ended = process.poll() is not None
    if ended:
        code, _, err = finish(process)
        promise(code == 0, f"a start after a kill failed: {err}")
    left = 0 if ended else kill(process)
    after = finished(store)
    again = [name for name, when in seen[1].items() if after.get(name) != when]
    promise(not again, f"finished fits were trained again: {again}")
    if ended:
        return None
    trained = progress(store) != seen
    return {"after_s": round(at, 1), "trained": trained, "fits": len(after), "leftovers": left}


def wait_for_the_moment(process, store, seen, draw):
    """Return when a run is to be killed, or has ended."""
    began = time.monotonic()
    training = draw is not None and draw.random() < 2 / 3
    delay = draw.uniform(*(AFTER_EPOCH if training else AFTER_START)) if draw else math.inf
    moment = math.inf if training else began + delay
    while process.poll() is None and time.monotonic() < moment:
        time.sleep(0.02)
        if training and math.isinf(moment) and progress(store) != seen:
            moment = time.monotonic() + delay
        promise(time.monotonic() < began + PATIENCE, f"a start did not end in {PATIENCE:g} s")


def carry_out(name, prove, *arguments):
    """Prove something in a folder for the time being; the exit code."""
    with tempfile.TemporaryDirectory(prefix=f"{name}-", ignore_cleanup_errors=True) as folder:
        try:
            prove(Path(folder), *arguments)
        except (BrokenPromiseError, AssertionError) as error:
            print(f"broken: {error}")
            return 1
    return 0


def compare(peace, root, run="run"):
    """A disturbed run's results against the undisturbed ones."""
    ours, theirs = RunFolder(root / run), RunFolder(peace / "run")
    promise(ours.scorecard.read_bytes() == theirs.scorecard.read_bytes(), "scorecards differ")
    tables = sorted(path.name for path in theirs.predictions.glob("*.parquet"))
    promise(bool(tables), "the undisturbed run has no predictions")
    for name in tables:
        same = (ours.predictions / name).read_bytes() == (theirs.predictions / name).read_bytes()
        promise(same, f"predictions differ: {name}")
    damaged = Store(root / "store").verify()
    promise(not damaged, f"damaged objects: {damaged}")
    promise(not states(root / "store"), "checkpoints of finished fits were left")


def prove(options, folder):
    """All kills; a summary for the table."""
    draw = random.Random(options.seed)
    suite = write_suite(folder, ROWS + DERIVED, "kills.yaml")
    in_peace(suite, folder / "peace")
    print(f"undisturbed: {len(finished(folder / 'peace' / 'store'))} fits", flush=True)
    kills, starts, rounds = [], 0, 0
    while len(kills) < options.kills:
        rounds, state = rounds + 1, {}
        root = folder / f"round{rounds}"
        while state is not None:
            starts += 1
            promise(starts <= options.starts, f"no end after {starts - 1} starts")
            state = attempt(suite, root, draw if len(kills) < options.kills else None)
            if state is not None:
                kills.append(state)
                print(f"kill {len(kills):2d}: {state}", flush=True)
        compare(folder / "peace", root)
        print(f"round {rounds}: ended after {starts} starts, the bytes are equal", flush=True)
    print(
        f"{len(kills)} kills, {sum(state['trained'] for state in kills)} of them after that start "
        f"had trained; {starts} starts, {rounds} x to the end, each time the same scorecard and "
        "predictions byte for byte and no finished fit trained again"
    )
    return {"kills": kills, "starts": starts, "rounds": rounds}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--starts", type=int, default=40, help="give up after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="kills-", ignore_cleanup_errors=True) as name:
        shutil.copytree(ROOT / "src", Path(name) / "src")  # whatever is edited meanwhile
        os.environ["PYTHONPATH"] = f"{Path(name) / 'src'}:{ROOT}"
        try:
            found = prove(options, Path(name))
        except BrokenPromiseError as error:
            print(f"broken: {error}")
            return 1
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
