"""The batch script on a real Slurm of one node: to its end, cancelled, and over its time limit.

    python -m tests.prove.slurm

Starts munged, slurmctld and slurmd on loopback (root, and Debian's packages of Slurm). Exits with
1 where a script does not do what it should, 2 where there is no Slurm.
"""

# ruff: noqa: T201

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from skinbench.cluster.deployment import Deployment
from skinbench.cluster.slurm import batch_script
from tests.cluster.slurm_site import Site, absent, running
from tests.pipeline.test_faults import write
from tests.pipeline.tiny import write_suite

ONE_ROW = "\nrows:\n  a: {model: baseline_cnn, epochs: 1}\n"


def script(site: Site, suite: Path, name: str, minutes: int = 10, warning: int = 60) -> Path:
    """A batch script with a shared folder of its own."""
    shared = site.root / name
    shared.mkdir()
    deployment = Deployment(
        suite=suite, name=name, cpus=2, memory=3, shared=str(shared), minutes=minutes
    )
    path = site.root / f"{name}.sh"
    path.write_text(batch_script(deployment, python=sys.executable, warning=warning))
    return path


def finished(site: Site, name: str) -> bool:
    """Whether the run folder of a suite is whole."""
    folder = site.root / name / "runs" / name
    return all((folder / part).is_file() for part in ("report.html", "scorecard.json"))


def left_over(site: Site) -> list[str]:
    """Processes of Ray that a job left behind."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        inside = (process.info["environ"] or {}).get("SLURM_CONF", "")
        words = " ".join(process.info["cmdline"] or [])
        if inside.startswith(str(site.root)) and ("raylet" in words or "gcs_server" in words):
            found.append(words[:80])
    return found


def to_its_end(site: Site) -> str:
    """A suite runs to its end."""
    job = site.submit(script(site, write_suite(site.root / "suite_end", ONE_ROW), "end"))
    state = site.ended(job, 400)
    assert state == "COMPLETED", site.log(job)
    assert finished(site, "end"), site.log(job)
    assert not left_over(site)
    return "to its end"


def cancelled(site: Site, hold: Path) -> str:
    """A cancelled job stops, is not submitted again, and leaves no process."""
    hold.touch()
    job = site.submit(script(site, write(site.root / "suite_cancel"), "cancel"))
    _wait_for_training(site, job)
    before = site.jobs()
    site.call("scancel", "--batch", "--signal=TERM", job)
    assert site.ended(job, 120) in ("CANCELLED", "FAILED"), site.log(job)
    assert site.jobs() == before
    assert not finished(site, "cancel")
    assert not left_over(site)
    hold.unlink()
    return "cancelled"


def continued(site: Site, hold: Path) -> str:
    """At its time limit a job submits itself again, and the second round ends the suite."""
    hold.touch()
    path = script(site, write(site.root / "suite_limit"), "limit", minutes=4, warning=45)
    job = site.submit(path)
    _wait_for_training(site, job)
    assert site.ended(job, 500) in ("FAILED", "TIMEOUT", "CANCELLED"), site.log(job)
    assert "round 2 continues" in site.log(job), site.log(job)
    hold.unlink()
    again = site.jobs()[-1]
    assert again != job
    assert site.ended(again, 400) == "COMPLETED", site.log(again)
    assert finished(site, "limit")
    assert "done: a" in site.log(job)
    assert "done: a" not in site.log(again), "what the first round trained is not trained again"
    return "over its time limit and resubmitted"


def _wait_for_training(site: Site, job: str) -> None:
    """Until the first row is done; the second waits for the file to go."""
    end = time.monotonic() + 300
    while "done: a" not in site.log(job):
        assert time.monotonic() < end, site.log(job)
        assert site.state(job) in ("PENDING", "RUNNING"), site.log(job)
        time.sleep(0.3)


def main() -> int:
    """All three; the last line says what was shown."""
    if why := absent():
        print(f"not done: {why}")
        return 2
    root = Path(tempfile.mkdtemp(prefix="skinbench-slurm-"))
    hold = root / "hold"
    environment = {**os.environ, "SKINBENCH_TEST_HOLD": str(hold)}
    shown = []
    with running(root, environment) as site:
        for show in (to_its_end, lambda s: cancelled(s, hold), lambda s: continued(s, hold)):
            began = time.monotonic()
            shown.append(show(site))
            print(f"{shown[-1]}: {time.monotonic() - began:.0f} s", flush=True)
    print(f"real sbatch jobs: {', '.join(shown)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
