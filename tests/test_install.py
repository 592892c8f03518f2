"""The base without extras: installs alone, gates, scores and reports, and names what it lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.tiny import run, write_suite

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "ray", "timm", "kornia", "captum")

pytestmark = pytest.mark.slow


OFFLINE = (
    "No matching distribution",
    "Could not find a version",
    "Temporary failure",
    "ConnectionError",
    "Max retries exceeded",
    "ReadTimeoutError",
    "IncompleteRead",
    "Connection broken",
)
"""What pip says where no package index answers; everything else is a failure of ours."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and its base dependencies alone, for all tests here.

    Installed from outside, without a pip of its own and without compiling what is never
    imported: half the work.
    """
    root = tmp_path_factory.mktemp("install")
    python = root / "env" / "bin" / "python"
    make = [sys.executable, "-m", "venv", "--without-pip", str(root / "env")]
    subprocess.run(make, check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-compile", "--prefer-binary", str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stderr.strip()[-300:]
    if done.returncode and any(sign in done.stderr for sign in OFFLINE):
        pytest.skip(f"no package index can be reached: {said}")
    assert done.returncode == 0, said
    return python


def call(python: Path, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [str(python), *words],
        cwd=folder,
        env={**environment, "SKINBENCH_STORE": str(folder / "base-store")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_base_brings_neither_torch_nor_ray(base: Path, tmp_path: Path) -> None:
    code = f"import importlib.util as u; print([m for m in {HEAVY} if u.find_spec(m)])"
    assert call(base, "-c", code, folder=tmp_path).stdout.strip() == "[]"


def test_running_names_the_extra(base: Path, tmp_path: Path) -> None:
    done = call(base, "-m", "skinbench", "run", "quickstart", folder=tmp_path)
    assert done.returncode == 1
    assert "pip install 'skinbench[run]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_shipped_suites_are_inside_the_wheel(base: Path, tmp_path: Path) -> None:
    done = call(base, "-m", "skinbench", "list", "suites", "--json", folder=tmp_path)
    names = {item["name"] for item in json.loads(done.stdout)["suites"]}
    assert {"quickstart", "ham10000"} <= names
    assert call(base, "-m", "skinbench", "init", "csv", folder=tmp_path).returncode == 0
    done = call(base, "-m", "skinbench", "plan", "quickstart", folder=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.ray
@pytest.mark.torch
def test_the_base_gates_scores_and_reports_a_run_made_elsewhere(base: Path, tmp_path: Path) -> None:
    code, _, err = run(write_suite(tmp_path), tmp_path / "run", tmp_path / "store")
    assert code == 0, err
    card = (tmp_path / "run" / "scorecard.json").read_bytes()
    page = (tmp_path / "run" / "report.html").read_bytes()
    report = call(base, "-m", "skinbench", "report", "run", folder=tmp_path)
    assert report.returncode == 0, report.stderr
    assert (tmp_path / "run" / "report.html").read_bytes() == page
    again = "import skinbench; skinbench.score_run('run')"
    done = call(base, "-c", again, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "scorecard.json").read_bytes() == card
    gate = ("-m", "skinbench", "gate", "run", "--baseline", "b.json")
    assert call(base, *gate, "--update-baseline", folder=tmp_path).returncode == 0
    judged = call(base, *gate, "--json", folder=tmp_path)
    assert judged.returncode == 4, "a handful of melanomas decides nothing"
    assert json.loads(judged.stdout)["outcome"] == "missing"
