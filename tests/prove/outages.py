"""The store's folder fails, or its disk is full: no byte of the result changes.

    python -m tests.prove.outages [--seconds 30]

One suite is run in peace, and then

- with a shared folder that fails: for some seconds every call of every process that names a path
  in the store fails as on a network file system whose server is gone (ESTALE, by a library that is
  loaded before libc; it needs gcc), once in training and once when the fits have ended;
- with a disk (a tmpfs, which needs root) that is full in training: one line, nothing half written;
  with room again, the same command goes on.

Each time the scorecard and every table of predictions equal the peaceful run's byte for byte, no
finished fit was trained again and no object of the store is damaged.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from skinbench.store import Store
from tests.pipeline.nodes import reached, release, wait_for, write
from tests.pipeline.test_faults import finished, small_disk, states
from tests.pipeline.tiny import finish, start
from tests.prove.kills import carry_out, compare, in_peace, promise

ROWS = """
plugins: [waits.py]
rows:
  a: {model: baseline_cnn, technique: waits, early_stopping: null, seeds: [0, 1]}
  b: {model: baseline_cnn, technique: class_weights, early_stopping: null, seeds: [0, 1, 2]}
  c: {model: baseline_cnn, input: fusion_concat, early_stopping: null}
"""
FITS = 6


def compiled(folder):
    """The library that makes calls fail; None where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    made = folder / "outage.so"
    source = str(Path(__file__).with_name("outage.c"))
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(made), source, "-ldl"], check=True)
    return made


def shared_folder(peace, folder, seconds):
    """The folder fails in training and after the last fit; the notes that the run printed."""
    suite, flag, store = write(folder, ROWS, ("training",)), folder / "flag", folder / "store"
    library = compiled(folder)
    if library is None:
        return None
    with environment(LD_PRELOAD=library, OUTAGE_FOLDER=store, OUTAGE_FLAG=flag):
        process = start(suite, folder / "run", store)
    wait_for(lambda: reached(folder, "training"), process, "an epoch")
    flag.touch()
    began, before = time.monotonic(), finished(store)
    release(folder, "training")
    wait_for(lambda: time.monotonic() > began + seconds, process, "the end of the outage")
    promise(finished(store) == before, "something was finished while the folder failed")
    flag.unlink()
    wait_for(lambda: len(finished(store)) == FITS, process, "the last fit")
    flag.touch()
    time.sleep(seconds / 2)
    flag.unlink()
    code, out, err = finish(process)
    promise(code == 0, f"the run failed: {out}{err}")
    after = finished(store)
    promise({name: after[name] for name in before} == before, "a finished fit was trained again")
    compare(peace, folder)
    return [line.strip() for line in (out + err).splitlines() if "waiting for" in line]


def full_disk(peace, folder):
    """The disk is filled in training; the line that the run ended with."""
    suite = write(folder, ROWS, ("training",))
    with small_disk(folder / "disk", "512m") as disk:
        store = disk / "store"
        process = start(suite, folder / "run", store)
        wait_for(lambda: states(store) and reached(folder, "training"), process, "an epoch")
        fill(disk / "filler")
        release(folder, "training")
        code, out, err = finish(process)
        promise(code == 1, f"with a full disk the run ended with {code}: {out}{err}")
        promise("Traceback" not in out + err, f"a full disk is a traceback: {err}")
        promise("No space left" in out + err, f"a full disk is not named: {out}{err}")
        promise(not Store(store).verify(), "a half-written object")
        promise(not list(store.rglob("*.tmp")), "temporary files are left")
        before = finished(store)
        promise(len(before) < FITS, "everything was finished on a full disk")
        (disk / "filler").unlink()
        code, _, again = finish(start(suite, folder / "run", store))
        promise(code == 0, f"with room again the run failed: {again}")
        after = finished(store)
        promise({name: after[name] for name in before} == before, "a finished fit: trained again")
        shutil.copytree(store, folder / "store")
    compare(peace, folder)
    return next(line.strip() for line in (err + out).splitlines() if "No space left" in line)


def fill(path):
    """Take every byte that the disk has left."""
    for size in (1 << 20, 4096):
        with contextlib.suppress(OSError), path.open("ab") as file:
            while True:
                file.write(b"\0" * size)
                file.flush()


class environment:  # noqa: N801 -- reads as a function
    """Variables that what is started in the block inherits."""

    def __init__(self, **variables):
        self.variables = {name: str(value) for name, value in variables.items()}

    def __enter__(self):
        os.environ.update(self.variables)

    def __exit__(self, *_):
        for name in self.variables:
            del os.environ[name]


def prove(folder, seconds):
    """All of it; a summary for the table."""
    peace = folder / "peace"
    in_peace(write(peace, ROWS), peace)
    print("undisturbed: ended", flush=True)
    notes = shared_folder(peace, folder / "folder", seconds)
    print(f"shared folder: {notes}", flush=True)
    line = full_disk(peace, folder / "full")
    print(f"full disk: {line}", flush=True)
    first = (
        "no compiler, so no folder failed"
        if notes is None
        else f"the folder failed for {seconds:g} s in training and {seconds / 2:g} s after it"
    )
    print(
        f"{first}, the disk was full in training: each time the same scorecard and predictions "
        "byte for byte, no finished fit trained again, no object damaged"
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="that the folder fails")
    options = parser.parse_args(arguments)
    return carry_out("outages", prove, options.seconds)


if __name__ == "__main__":
    sys.exit(main())
