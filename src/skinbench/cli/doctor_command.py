"""`skinbench doctor`."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import click

from skinbench.cli.options import Place, json_option, print_json, store_option
from skinbench.errors import SkinbenchError
from skinbench.store import COPIES, SharedStore, checked_url, is_url, open_store


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing about this machine."""

    name: str
    state: Literal["ok", "warn", "missing"]
    detail: str
    advice: str = ""


@click.command()
@click.option("--online", is_flag=True, help="Also ask whether weights can be downloaded.")
@store_option
@json_option
def command(online: bool, store: Place | None, as_json: bool) -> None:
    """What this machine has, and what to do about what it lacks.

    Looks at versions, cores, memory, GPUs, /dev/shm, the store, data roots and weights. Makes no
    outbound call without --online, except to a store at a URL. Exit code 1 if something needed
    to run is missing.

    JSON: [{name, state: ok|warn|missing, detail, advice}].
    """
    findings = [
        *_packages(),
        *_machine(),
        *_store(store),
        *_datasets(),
        *_weights(),
        *(_online() if online else ()),
    ]
    if as_json:
        print_json(findings)
    else:
        width = click.HelpFormatter(max_width=100).width
        for item in findings:
            click.echo(_hanging(f"{item.state:<7}  ", f"{item.name}: {item.detail}", width))
            if item.advice:
                click.echo(_hanging(" " * 9 + "-> ", item.advice, width))
    raise SystemExit(1 if any(item.state == "missing" for item in findings) else 0)


def _hanging(first: str, text: str, width: int) -> str:
    """Text wrapped between words (a long path stays whole), further lines indented."""
    return textwrap.fill(
        text,
        width=width,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _packages() -> Iterator[Finding]:
    from skinbench.cli.extras import RUN_MODULES, missing

    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding(name="python", state="ok", detail=detail)
    absent = missing(RUN_MODULES)
    for name in RUN_MODULES:
        if name in absent:
            advice = "pip install 'skinbench[run]' (gate, score and report work without it)"
            yield Finding(name=name, state="missing", detail="not installed", advice=advice)
        else:
            version = metadata.version(name)
            yield Finding(name=name, state="ok", detail=version)


def _machine() -> Iterator[Finding]:
    import psutil

    usable = hasattr(psutil.Process, "cpu_affinity")  # Linux and Windows
    cores = len(psutil.Process().cpu_affinity()) if usable else psutil.cpu_count()
    yield Finding(name="cores", state="ok", detail=str(cores))
    memory = psutil.virtual_memory()
    free = memory.available / 1e9
    yield Finding(
        name="memory",
        state="ok" if free > 4 else "warn",
        detail=f"{free:.1f} of {memory.total / 1e9:.1f} GB available",
        advice="" if free > 4 else "each worker takes about 1 GB; lower --workers",
    )
    shm = Path("/dev/shm")
    if shm.is_dir():
        size = shutil.disk_usage(shm).total / 1e9
        enough = size >= 1
        advice = "" if enough else "in Docker start with --shm-size=2g; Ray is slow without it"
        state: Literal["ok", "warn"] = "ok" if enough else "warn"
        yield Finding(name="/dev/shm", state=state, detail=f"{size:.1f} GB", advice=advice)
    yield _gpus()


def _gpus() -> Finding:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding(name="gpu", state="ok", detail="none found; suites run on the CPU")
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        advice = "run nvidia-smi by hand to see why"
        return Finding(name="gpu", state="warn", detail="nvidia-smi fails", advice=advice)
    names = "; ".join(done.stdout.strip().splitlines())
    return Finding(name="gpu", state="ok", detail=f"{names} (use with `resources: {{gpu: 1}}`)")


def _store(named: Place | None) -> Iterator[Finding]:
    try:
        opened = open_store(named)
    except SkinbenchError as error:
        yield Finding(name="store", state="missing", detail=str(error))
        return
    if isinstance(opened, SharedStore):
        yield _shared(opened)
    elsewhere = COPIES if isinstance(opened, SharedStore) else "--store or SKINBENCH_STORE"
    name = "copies of the store" if isinstance(opened, SharedStore) else "store"
    root = opened.root
    place = next(folder for folder in (root, *root.parents) if folder.exists())
    free = shutil.disk_usage(place).free / 1e9
    writable = os.access(place, os.W_OK)
    state: Literal["ok", "warn", "missing"] = "ok" if free > 5 else "warn"
    advice = "" if free > 5 else "HAM10000 at 128 px takes 0.5 GB, at 224 px 1.5 GB"
    if not writable:
        state, advice = "missing", f"choose another folder with {elsewhere}"
    detail = f"{root}, {free:.0f} GB free" + ("" if writable else ", not writable")
    yield Finding(name=name, state=state, detail=detail, advice=advice)


def _shared(store: SharedStore) -> Finding:
    """Whether a store at a URL can be used: a small file is written, read and removed there."""
    try:
        store.check()
    except SkinbenchError as error:
        advice = "name another place with --store or SKINBENCH_STORE"
        return Finding(name="store", state="missing", detail=str(error), advice=advice)
    return Finding(name="store", state="ok", detail=f"{store.place}, can be written and read")


def _elsewhere(name: str, url: str) -> Finding:
    """A folder at a URL, not asked for anything here."""
    try:
        detail = f"{checked_url(url)}, fetched to this machine when a suite reads it"
    except SkinbenchError as error:
        return Finding(name=name, state="warn", detail=str(error))
    return Finding(name=name, state="ok", detail=detail)


def _datasets() -> Iterator[Finding]:
    named = os.environ.get("SKINBENCH_DATA")
    if not named:
        advice = (
            "set it to the folder with one sub-folder per dataset, e.g. $PWD/data; "
            "skinbench data download ham10000 fills one"
        )
        yield Finding(name="SKINBENCH_DATA", state="warn", detail="not set", advice=advice)
        return
    if is_url(named):
        yield _elsewhere("SKINBENCH_DATA", named)
        return
    root = Path(named)
    folders = sorted(item.name for item in root.iterdir() if item.is_dir()) if root.is_dir() else []
    detail = f"{root}: {', '.join(folders) if folders else 'no sub-folders'}"
    advice = "" if folders else "unpack a dataset there, or: skinbench data download ham10000"
    yield Finding(
        name="SKINBENCH_DATA", state="ok" if folders else "warn", detail=detail, advice=advice
    )


def _weights() -> Iterator[Finding]:
    named = os.environ.get("SKINBENCH_WEIGHTS")
    if not named:
        advice = "only needed by suites with `weights: {file: ${SKINBENCH_WEIGHTS}/...}`"
        yield Finding(name="SKINBENCH_WEIGHTS", state="warn", detail="not set", advice=advice)
        return
    if is_url(named):
        yield _elsewhere("SKINBENCH_WEIGHTS", named)
        return
    root = Path(named)
    files = sorted(item.name for item in root.glob("*.safetensors"))
    detail = f"{root}: {', '.join(files) if files else 'no .safetensors file'}"
    yield Finding(name="SKINBENCH_WEIGHTS", state="ok" if files else "warn", detail=detail)


def _online() -> Iterator[Finding]:
    host = "huggingface.co"
    try:
        with socket.create_connection((host, 443), timeout=5):
            yield Finding(
                name="hub", state="ok", detail=f"{host} answers: `pretrained: true` works"
            )
    except OSError as error:
        advice = "use `weights: {file: model.safetensors, mean: [...], std: [...]}` instead"
        yield Finding(
            name="hub", state="warn", detail=f"{host} cannot be reached ({error})", advice=advice
        )
