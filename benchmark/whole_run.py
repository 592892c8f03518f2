"""`skinbench run` of a suite in an empty store, timed from the start of Python."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def seconds_to_scorecard(suite: str, *, again: bool = False, place: Path | None = None) -> float:
    """Until the scorecard is on the disk; `again`: the whole of a second run into the same folder.

    Args:
        suite: its text.
        again: time the second run.
        place: where the store and the run folder are made for the time being.
    """
    with tempfile.TemporaryDirectory(dir=place) as home:
        path = Path(home) / "suite.yaml"
        path.write_text(suite, encoding="utf-8")
        command = [sys.executable, "-m", "skinbench", "run", str(path), "--out", f"{home}/run"]
        environment = {**os.environ, "SKINBENCH_STORE": f"{home}/store"}
        seconds = 0.0
        for _ in range(2 if again else 1):
            start = time.time()
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
            ended = time.time() if again else Path(home, "run/scorecard.json").stat().st_mtime
            seconds = ended - start
    return seconds
