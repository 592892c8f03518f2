"""A cluster of several nodes on one machine, and a suite that waits where a node is to be killed.

Fits wait after their first epoch (`training`), while they build a store of features (`store`),
and in inference on Ray Data (`inference`), each for as long as the file `hold-<where>` is there;
whoever waits leaves `reached-<where>-<process>`.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.pipeline.tiny import write_suite

WAIT = """
def wait(where):
    hold = HERE / f"hold-{where}"
    if hold.exists():
        (HERE / f"reached-{where}-{os.getpid()}").touch()
    while hold.exists():
        time.sleep(0.02)
"""
TECHNIQUE = f"""
import itertools, os, time
from pathlib import Path

from skinbench.records import TechniqueEntry

KIND = "techniques"
HERE = Path(__file__).parent
calls = itertools.count()
{WAIT}

def _draw(labels, n_classes, options, generator):
    if next(calls):
        wait("training")
    return generator.permutation(len(labels))


ENTRY = TechniqueEntry(version=1, draw=_draw)
"""
MODEL = f"""
import os, time
from pathlib import Path

from skinbench.records import ModelEntry

KIND = "models"
HERE = Path(__file__).parent
{WAIT}

def _build(options, weights_path, pretrained, image_size):
    from torch import nn

    class Net(nn.Module):
        num_features = 16

        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Conv2d(3, 16, 5, stride=3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
            )

        def forward(self, pixels):
            if "MapWorker" in Path("/proc/self/cmdline").read_text():
                wait("inference")
            elif not (pixels.is_meta or any(p.requires_grad for p in self.parameters())):
                wait("store")
            return self.layers(pixels)

    return Net()


ENTRY = ModelEntry(version=1, build=_build)
"""
ROWS = """
plugins: [waits.py, patient.py]
inference: {engine: ray, batch_size: 8}
rows:
  a: {model: patient, technique: waits, early_stopping: null, seeds: [0, 1]}
  b: {model: {name: patient, frozen: true, weights: {row: a}}, early_stopping: null, seeds: [0, 1]}
"""
PLACES = ("training", "store", "inference")
PATIENCE = 240.0


def write(folder: Path, rows: str = ROWS, held: tuple[str, ...] = ()) -> Path:
    """The suite and its plug-ins; fits wait at the places that are held."""
    suite = write_suite(folder, rows)
    (folder / "waits.py").write_text(TECHNIQUE, encoding="utf-8")
    (folder / "patient.py").write_text(MODEL, encoding="utf-8")
    for where in held:
        (folder / f"hold-{where}").touch()
    return suite


def release(folder: Path, where: str) -> None:
    """Let go on what waits there."""
    (folder / f"hold-{where}").unlink()


def reached(folder: Path, where: str) -> set[int]:
    """Processes that wait or have waited at a place."""
    return {int(path.name.rpartition("-")[2]) for path in folder.glob(f"reached-{where}-*")}


def wait_for(
    condition: Callable[[], object], process: subprocess.Popen[str] | None, what: str
) -> None:
    """Wait until a condition holds; a run that ends before it is a failure."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"never saw {what}"
        ended = process is not None and process.poll() is not None
        assert not ended, f"the run ended before {what}: {process and process.communicate()}"
        time.sleep(0.02)


class Nodes:
    """A head and other nodes, each of one core, all real processes of Ray."""

    def __init__(self, others: int) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
        )
        self.others = [self.add() for _ in range(others)]

    @property
    def address(self) -> str:
        """For `--address`."""
        return str(self.cluster.address)

    def add(self) -> Any:
        """One more node."""
        return self.cluster.add_node(num_cpus=1)

    def holds(self, node: Any, pid: int) -> bool:
        """Whether a worker is one of a node's."""
        raylet = node.all_processes["raylet"][0].process.pid
        try:
            return any(parent.pid == raylet for parent in psutil.Process(pid).parents())
        except psutil.NoSuchProcess:
            return False

    def kill(self, node: Any) -> None:
        """SIGKILL all that a node runs, its workers included, as when its machine is gone."""
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        workers = raylet.children(recursive=True)
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.send_signal(signal.SIGKILL)
        self.cluster.remove_node(node, allow_graceful=False)
        psutil.wait_procs(workers, timeout=30)

    def kill_where(
        self, folder: Path, where: str, node: Any, process: subprocess.Popen[str]
    ) -> None:
        """Kill a node as soon as one of its workers waits at a place."""
        wait_for(
            lambda: any(self.holds(node, pid) for pid in reached(folder, where)),
            process,
            f"a worker of the node that is to be killed in {where}",
        )
        self.kill(node)


@contextlib.contextmanager
def nodes(others: int = 1) -> Iterator[Nodes]:
    """A cluster for as long as a block takes."""
    made = Nodes(others)
    try:
        yield made
    finally:
        made.cluster.shutdown()
