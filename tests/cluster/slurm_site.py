"""A Slurm of one node on loopback: munged, slurmctld and slurmd, for as long as a block takes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

_CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={munge}
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1
KillWait=10
MinJobAge=1000
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
_TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol", "scancel")


def absent() -> str:
    """Why there can be no Slurm here; empty where there can."""
    missing = [name for name in _TOOLS if _where(name) is None]
    if missing:
        return f"no Slurm: apt-get install slurmctld slurmd slurm-client munge ({missing[0]})"
    return "" if os.geteuid() == 0 else "a Slurm of one's own needs root"


def _where(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@dataclass(frozen=True, kw_only=True)
class Site:
    """A running Slurm."""

    root: Path
    environment: Mapping[str, str]

    def call(self, *words: object, **more: str) -> str:
        """Run one of Slurm's commands; what it prints."""
        done = subprocess.run(
            [str(word) for word in words],
            env={**self.environment, **more},
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def submit(self, script: Path) -> str:
        """The job's number."""
        return self.call("sbatch", "--parsable", script).strip()

    def state(self, job: str) -> str:
        """E.g. RUNNING."""
        said = self.call("scontrol", "show", "job", job)
        return said.partition("JobState=")[2].split()[0]

    def ended(self, job: str, patience: float) -> str:
        """The state that a job ends in."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            state = self.state(job)
            if state not in ("PENDING", "RUNNING", "COMPLETING", "CONFIGURING"):
                return state
            time.sleep(0.3)
        raise AssertionError(f"job {job} has not ended: {self.log(job)}")

    def jobs(self) -> list[str]:
        """Numbers of all jobs, in order."""
        lines = self.call("scontrol", "--oneliner", "show", "job").splitlines()
        found = (line.partition("JobId=")[2].split() for line in lines)
        return sorted((words[0] for words in found if words), key=int)

    def log(self, job: str) -> str:
        """What a job has printed."""
        return "".join(path.read_text() for path in self.root.glob(f"*-{job}.log"))


@contextmanager
def running(root: Path, environment: Mapping[str, str]) -> Iterator[Site]:
    """Start a Slurm in a folder; everything ends with the block."""
    host = socket.gethostname().partition(".")[0]
    for name in ("state", "spool", "munge"):
        (root / name).mkdir(mode=0o755)
    key = root / "munge" / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    munge = root / "munge" / "socket"
    with socket.socket() as one, socket.socket() as two:
        for item in (one, two):
            item.bind(("127.0.0.1", 0))
        ports = [item.getsockname()[1] for item in (one, two)]
    conf = root / "slurm.conf"
    conf.write_text(_CONF.format(host=host, root=root, ports=ports, munge=munge))
    path = f"{environment['PATH']}:/usr/sbin:/sbin"
    env = {**environment, "PATH": path, "SLURM_CONF": str(conf)}
    munged = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={munge}"]
    munged += [f"--{kind}-file={root}/munge/{kind}" for kind in ("pid", "seed", "log")]
    site = Site(root=root, environment=env)
    with ExitStack() as stack:
        for name, words in (
            ("munged", munged),
            ("slurmctld", ["slurmctld", "-D", "-f", str(conf)]),
            ("slurmd", ["slurmd", "-D", "-f", str(conf), "-N", host]),
        ):
            said = stack.enter_context((root / f"{name}.out").open("w"))
            process = subprocess.Popen(words, env=env, stdout=said, stderr=said)
            stack.callback(process.wait)
            stack.callback(process.terminate)
        _wait_until_idle(site)
        yield site
        subprocess.run(["scancel", "--full", "--user=root"], env=env, check=False)


def _wait_until_idle(site: Site) -> None:
    for _ in range(300):
        done = subprocess.run(
            ["sinfo", "--noheader", "--format=%T"],
            env=dict(site.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    logs = "".join(path.read_text()[-800:] for path in site.root.glob("*.out"))
    raise AssertionError(f"Slurm does not start: {logs}")
