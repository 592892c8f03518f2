"""Facts about a run for run.json: when, how long, on what, and what was left out.

The environment is recorded by allow-list: no variable, user name or host is written.
"""

from __future__ import annotations

import datetime
import os
import platform
from importlib import metadata

import psutil

from skinbench import __version__
from skinbench.pipeline.prepared import Clock, Options, Prepared

PACKAGES = (
    "ray",
    "torch",
    "timm",
    "kornia",
    "captum",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "scipy",
    "pillow",
)


def utc_now() -> str:
    """The time in UTC to the second, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def package_versions() -> dict[str, str]:
    """Installed versions of what can change a number."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def environment() -> dict[str, object]:
    """Python, platform, cores, memory, GPUs and packages."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "cores": len(psutil.Process().cpu_affinity() or []) or psutil.cpu_count() or 1,
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": _gpus(),
        "packages": package_versions(),
    }


def _gpus() -> list[str]:
    """Names of GPUs, asked of torch only where something has loaded it already."""
    import sys

    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def _commit() -> str:
    """The commit that CI says it runs for; empty elsewhere."""
    return os.environ.get("GITHUB_SHA") or os.environ.get("CI_COMMIT_SHA") or ""


def run_facts(
    prepared: Prepared, options: Options, clock: Clock, *, started: str, engine: dict[str, str]
) -> dict[str, object]:
    """Everything in run.json but the total of seconds."""
    return {
        "schema": 1,
        "suite": prepared.suite.name,
        "description": prepared.suite.file.description,
        "version": __version__,
        "commit": _commit(),
        "command": options.command,
        "continue": options.command,
        "started": started,
        "stages": clock.stages,
        "environment": environment(),
        "engine": engine,
        "reduced": dict(prepared.suite.reduced),
        "notes": [*prepared.audit.not_looked_for],
    }
