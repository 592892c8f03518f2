"""Nodes are killed under a run, and the head as well; the run ends as if nothing had happened.

    python -m tests.prove.nodes

Two nodes of one core each, real processes of Ray on one machine. In one run a node is killed in
training, one (that took its place) while it builds a store of features, and one in inference:
every cell is scored, and the scorecard and every table of predictions equal those of one node with
the same engine byte for byte. In another run the head is killed in training: the run ends with one
line, and the same command on a new cluster goes on from the last epoch, to the same bytes.
"""

# ruff: noqa: T201

from __future__ import annotations

import sys
import time

from skinbench.store import RunFolder
from tests.pipeline.nodes import PLACES, nodes, reached, release, wait_for, write
from tests.pipeline.test_faults import finished, states
from tests.pipeline.tiny import finish, start
from tests.prove.kills import carry_out, compare, in_peace, promise

FITS = 4


def lose_nodes(peace, folder):
    """Three nodes, each killed at another place."""
    suite = write(folder, held=PLACES)
    took = {}
    with nodes() as cluster:
        process = start(suite, folder / "run", folder / "store", "--address", cluster.address)
        (node,) = cluster.others
        for where in PLACES:
            cluster.kill_where(folder, where, node, process)
            killed = time.monotonic()
            if where != PLACES[-1]:
                node = cluster.add()
            release(folder, where)
            following = reached_after(folder, where)
            if following:
                wait_for(following, process, f"what follows {where}")
            took[where] = round(time.monotonic() - killed, 1)
        code, out, err = finish(process)
    promise(code == 0, f"the run failed: {out}{err}")
    compare(peace, folder)
    return took


def reached_after(folder, where):
    """A condition that holds once somebody waits at the next place."""
    if where == PLACES[-1]:
        return None
    following = PLACES[PLACES.index(where) + 1]
    return lambda: reached(folder, following)


def lose_head(peace, folder):
    """The head killed in training; seconds until the run ended, and its last line."""
    suite = write(folder, held=("training",))
    with nodes() as cluster:
        process = start(suite, folder / "run", folder / "store", "--address", cluster.address)
        wait_for(lambda: len(states(folder / "store")) == 2, process, "an epoch on each node")
        cluster.kill(cluster.cluster.head_node)
        killed = time.monotonic()
        code, out, err = finish(process)
        took = time.monotonic() - killed
    promise(code == 1, f"without its head the run ended with {code}: {out}{err}")
    ours = err.startswith("error: the head of the Ray cluster") and err.count("\n") == 1
    promise(ours, f"without its head the run did not end with one line of ours: {err}")
    print(f"without its head: {err.strip()}", flush=True)
    promise(not RunFolder(folder / "run").scorecard.exists(), "there is a scorecard")
    release(folder, "training")
    before, kept = finished(folder / "store"), set(states(folder / "store"))
    promise(len(kept) == 2, f"epochs were lost: {kept}")
    with nodes() as cluster:
        address = ("--address", cluster.address)
        code, out, err = finish(start(suite, folder / "run", folder / "store", *address))
    promise(code == 0, f"the next run failed: {out}{err}")
    after = finished(folder / "store")
    promise({name: after[name] for name in before} == before, "a finished fit was trained again")
    compare(peace, folder)
    return took


def prove(folder):
    """Both, beside the same run in peace on one node."""
    in_peace(write(folder / "peace"), folder / "peace")
    print("undisturbed, on one node: ended", flush=True)
    took = lose_nodes(folder / "peace", folder / "nodes")
    print(f"nodes killed: {took}", flush=True)
    head = lose_head(folder / "peace", folder / "head")
    print(
        "a node killed in training, in building a store and in inference: every cell scored, the "
        "same bytes as one node; the head killed: the run ended "
        f"{head:.0f} s later with one line, and the next went on to the same bytes"
    )


if __name__ == "__main__":
    sys.exit(carry_out("nodes", prove))
