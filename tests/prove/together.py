"""Runs of one suite at the same time: they share what they train, and none disturbs another.

    python -m tests.prove.together

One suite is run in peace, and then by two processes that use one store,

- in folders of their own, started together, and one some seconds after the other;
- in folders of their own, and one is killed with SIGKILL in training;
- in one folder: the second is refused with one line, and changes nothing of the first.

The suite's sampler notes every epoch that anybody trains. Each time every fit was trained once,
in one process or the other, the scorecards and every table of predictions equal the peaceful
run's byte for byte, and no object of the store is damaged.
"""

# ruff: noqa: T201

from __future__ import annotations

import sys
import time

from tests.pipeline.nodes import wait_for
from tests.pipeline.test_faults import finished
from tests.pipeline.tiny import finish, start, write_suite
from tests.prove.kills import carry_out, compare, in_peace, kill, promise

SAMPLER = """
import os, time
from pathlib import Path

from skinbench.records import TechniqueEntry

KIND = "techniques"
HERE = Path(__file__).parent


def _draw(labels, n_classes, options, generator):
    with (HERE / "epochs").open("a") as file:
        file.write(f"{os.getpid()}\\n")
    while (HERE / "hold").exists():
        time.sleep(0.02)
    return generator.permutation(len(labels))


ENTRY = TechniqueEntry(version=1, draw=_draw)
"""
ROWS = """
plugins: [noted.py]
rows:
  a: {model: baseline_cnn, technique: noted, early_stopping: null, epochs: 6, seeds: [0, 1, 2]}
  b: {model: baseline_cnn, technique: noted, early_stopping: null, epochs: 20}
  c: {model: baseline_cnn, technique: noted, early_stopping: null, epochs: 3, input: fusion_concat}
derived:
  all: {kind: mean_probability, of: [a, b]}
"""
FITS, EPOCHS = 5, 3 * 6 + 20 + 3
LATER = (0.0, 0.0, 4.0)
"""Seconds between the starts of two runs."""
KILLED = 2
"""Epochs that a killed run may lose: one of each of its workers."""
REFUSED = "error: another run is at work in "


def write(folder):
    """The suite and its sampler."""
    suite = write_suite(folder, ROWS)
    (folder / "noted.py").write_text(SAMPLER, encoding="utf-8")
    return suite


def epochs(folder):
    """The process of every epoch that was begun."""
    path = folder / "epochs"
    return path.read_text("utf-8").split() if path.exists() else []


def two(peace, folder, later):
    """Two runs in folders of their own; how many processes trained."""
    suite, store = write(folder), folder / "store"
    runs = [start(suite, folder / "run", store)]
    time.sleep(later)
    runs.append(start(suite, folder / "other", store))
    for process in runs:
        code, out, err = finish(process)
        promise(code == 0, f"one of two runs failed: {out}{err}")
    compare(peace, folder)
    compare(peace, folder, "other")
    trained = epochs(folder)
    promise(len(trained) == EPOCHS, f"{len(trained)} epochs were trained, not {EPOCHS}")
    return len(set(trained))


def one_killed(peace, folder):
    """One of two is killed in training; epochs that were trained again for it."""
    suite, store = write(folder), folder / "store"
    (folder / "hold").touch()
    victim = start(suite, folder / "other", store)
    wait_for(lambda: len(set(epochs(folder))) == 2, victim, "an epoch in both workers")
    survivor = start(suite, folder / "run", store)
    wait_for(lambda: (folder / "run" / "plan.json").exists(), survivor, "the second run's plan")
    kill(victim)
    (folder / "hold").unlink()
    code, out, err = finish(survivor)
    promise(code == 0, f"beside a killed run the other failed: {out}{err}")
    again = len(epochs(folder)) - EPOCHS
    promise(0 <= again <= KILLED, f"{again} epochs were trained again")
    before = finished(store)
    code, out, err = finish(start(suite, folder / "other", store))
    promise(code == 0, f"the killed run, started again, failed: {out}{err}")
    promise(finished(store) == before, "a finished fit was trained again")
    promise(len(epochs(folder)) == EPOCHS + again, "the killed run trained what was finished")
    compare(peace, folder)
    compare(peace, folder, "other")
    return again


def one_folder(peace, folder):
    """Two runs in one folder; the line with which the second is refused."""
    suite, store = write(folder), folder / "store"
    (folder / "hold").touch()
    first = start(suite, folder / "run", store)
    wait_for(lambda: epochs(folder), first, "an epoch")
    code, _, line = finish(start(suite, folder / "run", store))
    promise(code == 1, f"the second run in one folder ended with {code}: {line}")
    told = line.startswith(REFUSED) and line.count("\n") == 1
    promise(told, f"the second run in one folder was not refused with one line: {line}")
    (folder / "hold").unlink()
    code, out, err = finish(first)
    promise(code == 0, f"the first run in one folder failed: {out}{err}")
    promise(len(epochs(folder)) == EPOCHS, "the refused run trained something")
    compare(peace, folder)
    code, out, err = finish(start(suite, folder / "run", store))
    promise(code == 0, f"the refused run, started again, failed: {out}{err}")
    promise(len(epochs(folder)) == EPOCHS, "a finished fit was trained again")
    compare(peace, folder)
    return line.strip()


def prove(folder):
    """All of it; a summary for the table."""
    peace = folder / "peace"
    in_peace(write(peace), peace)
    promise(len(epochs(peace)) == EPOCHS, f"the undisturbed run: {len(epochs(peace))} epochs")
    print("undisturbed: ended", flush=True)
    for k, later in enumerate(LATER):
        workers = two(peace, folder / f"two{k}", later)
        print(f"two, {later:g} s apart: {workers} workers trained, each fit once", flush=True)
    again = one_killed(peace, folder / "killed")
    print(f"one of two killed: {again} epochs trained again", flush=True)
    print(f"in one folder: {one_folder(peace, folder / 'one')}", flush=True)
    print(
        f"{len(LATER)} x two runs in one store: {FITS} fits, {EPOCHS} epochs, each trained once by "
        f"one of both; one of two killed in training: {again} epochs more; in one folder the "
        "second refused with one line: each time the same scorecard and predictions byte for byte, "
        "no object damaged"
    )


if __name__ == "__main__":
    sys.exit(carry_out("together", prove))
