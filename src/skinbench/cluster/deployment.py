"""What every way of deploying is told: which suite, on how many machines, where data lies."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from skinbench.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A suite and the machines that it is to run on."""

    suite: Path
    name: str
    """The suite's name."""
    options: tuple[str, ...] = ()
    """Of `skinbench run`, as `--set` and `--only`."""
    nodes: int = 1
    cpus: int = 4
    """Cores of each node."""
    gpus: int = 0
    """GPUs of each node."""
    memory: int = 16
    """GiB of each node."""
    shared: str = "/shared"
    """Folder that all nodes see: data/, weights/, store/ and runs/ lie in it."""
    image: str = ""
    """Container image that holds skinbench[cluster]."""
    claim: str = ""
    """Kubernetes volume claim that `shared` is on."""
    minutes: int = 720
    """Time limit."""

    @property
    def label(self) -> str:
        """The name as Kubernetes and Slurm take it: lower case, digits and hyphens."""
        text = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        return f"skinbench-{text}"[:40].rstrip("-")

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the run."""
        return {
            "SKINBENCH_DATA": f"{self.shared}/data",
            "SKINBENCH_WEIGHTS": f"{self.shared}/weights",
            "SKINBENCH_STORE": f"{self.shared}/store",
            "RAY_USAGE_STATS_ENABLED": "0",
        }

    def command(self, suite: str, address: str) -> str:
        """The shell line that runs the suite.

        Args:
            suite: its path there, quoted where need be.
            address: Ray's, as the shell is to read it.
        """
        out = shlex.quote(f"{self.shared}/runs/{self.name}")
        words = ["python -m skinbench run", suite, "--address", address, "--out", out]
        return " ".join([*words, *map(shlex.quote, self.options)])


def need(value: str, option: str, why: str) -> str:
    """The value of an option that this way of deploying cannot do without.

    Raises:
        UsageError: it is not given.
    """
    if not value:
        raise UsageError(f"{option}: {why}")
    return value
