"""What every way of deploying is told: which suite, on how many machines, where data lies."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from skinbench.errors import UsageError
from skinbench.store import checked_url, is_url, joined

PLACES = ("data", "weights", "store", "runs")
"""What a run reads and writes, as a sub-folder of `shared` unless a place of its own is named."""


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
    """Folder that all nodes see, or a URL: data/, weights/, store/ and runs/ lie in it."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Of `PLACES`: those that lie elsewhere, each a folder that all nodes see or a URL."""
    copies: str = ""
    """Folder on each node's own disk for copies of a store at a URL."""
    image: str = ""
    """Container image that holds skinbench[cluster]."""
    claim: str = ""
    """Kubernetes volume claim that `shared` is on."""
    secret: str = ""
    """Kubernetes secret whose entries become variables of the pods: the keys to URLs."""
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
        copies = {"SKINBENCH_STORE_CACHE": self.copies} if self.copies else {}
        return {
            "SKINBENCH_DATA": self.place("data"),
            "SKINBENCH_WEIGHTS": self.place("weights"),
            "SKINBENCH_STORE": self.place("store"),
            **copies,
            "RAY_USAGE_STATS_ENABLED": "0",
        }

    @property
    def folders(self) -> list[str]:
        """Places that are folders, which all nodes must see."""
        named = [self.place(what) for what in PLACES]
        return [place for place in named if not is_url(place)]

    def place(self, what: str) -> str:
        """Where one of `PLACES` is: a folder or a URL.

        Raises:
            UsageError: a URL with a key in it, or without a bucket.
        """
        named = self.places.get(what)
        if not named:
            return below(self.shared, what)
        return checked_url(named) if is_url(named) else named

    def command(self, suite: str, address: str) -> str:
        """The shell line that runs the suite.

        Args:
            suite: its path there, quoted where need be.
            address: Ray's, as the shell is to read it.
        """
        out = shlex.quote(below(self.place("runs"), self.name))
        words = ["python -m skinbench run", suite, "--address", address, "--out", out]
        return " ".join([*words, *map(shlex.quote, self.options)])


def below(place: str, name: str) -> str:
    """Something in a folder or at a URL."""
    return joined(checked_url(place), name) if is_url(place) else f"{place}/{name}"


def need(value: str, option: str, why: str) -> str:
    """The value of an option that this way of deploying cannot do without.

    Raises:
        UsageError: it is not given.
    """
    if not value:
        raise UsageError(f"{option}: {why}")
    return value
