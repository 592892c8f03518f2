"""A suite small enough to run many times in a test, and ways to run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SUITE = """
name: tiny
data:
  drawn: {adapter: synthetic, options: {lesions: 60, size: 32, seed: 3}}
splits:
  by_lesion: {data: drawn, group: lesion, test: 0.3, val: 0.2, seed: 0}
defaults: {split: by_lesion, image_size: 24, epochs: 4, batch_size: 16}
bootstrap: {replicates: 200}
baselines: false
explain: null
"""

ROWS = """
rows:
  a: {model: baseline_cnn}
  b: {model: baseline_cnn, technique: class_weights, input: fusion_concat}
derived:
  both: {kind: mean_probability, of: [a, b]}
"""


def write_suite(folder: Path, text: str = ROWS, name: str = "tiny.yaml") -> Path:
    """A suite file of tiny rows."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(SUITE + text, encoding="utf-8")
    return path


def environment(store: Path) -> dict[str, str]:
    """The environment of a run with its own store."""
    return {**os.environ, "SKINBENCH_STORE": str(store), "COLUMNS": "100"}


def start(suite: Path, folder: Path, store: Path, *options: str) -> subprocess.Popen[str]:
    """Start `skinbench run` as a user would."""
    command = [sys.executable, "-m", "skinbench", "run", str(suite), "--out", str(folder)]
    return subprocess.Popen(
        [*command, *options],
        env=environment(store),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a started run."""
    out, err = process.communicate(timeout=400)
    return process.returncode, out, err


def run(suite: Path, folder: Path, store: Path, *options: str) -> tuple[int, str, str]:
    """Run `skinbench run` to its end."""
    return finish(start(suite, folder, store, *options))
