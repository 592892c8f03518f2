"""A suite sent to a real Ray head on loopback, which asks for a token."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.tiny import write_suite

pytestmark = [pytest.mark.ray, pytest.mark.torch, pytest.mark.slow, pytest.mark.timeout(300)]

TOKEN = "not-a-secret-of-anyone-1b7f00"
ROWS = "\nrows:\n  a: {model: baseline_cnn, epochs: 1}\n"


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the dashboard of a cluster without skinbench."""
    pytest.importorskip("aiohttp_cors", reason="ray[default] is not installed")
    words = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    words += ["--port", "0", "--num-cpus", "2", "--include-dashboard", "true"]
    words += ["--dashboard-host", "127.0.0.1", "--dashboard-agent-listen-port", "0"]
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(
        [*words, "--disable-usage-stats"],
        cwd=tmp_path_factory.mktemp("head"),
        env={
            **inherited,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path_factory.mktemp("home")),
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            # The last of its lines: everything has started.
            if "block forever" in line:
                break
        found = re.search(r"127\.0\.0\.1:\d+(?=\D*$)", plain(said).partition("dashboard")[2], re.M)
        assert found, said
        yield f"http://{found[0]}"
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def plain(text: str) -> str:
    """Without colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def heed_ctrl_c() -> None:
    """A process that was started in the background ignores it, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Client:
    """Calls commands as a user does: Ray reads its token once in a process."""

    def __init__(self, head: str, home: Path) -> None:
        self.head, self.home = head, home
        self.environment = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": TOKEN,
            "RAY_API_SERVER_ADDRESS": "http://127.0.0.1:1",  # --address wins
        }

    def start(self, *words: object, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "skinbench", *map(str, words), "--address", self.head],
            cwd=self.home,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_ctrl_c,
        )

    def __call__(self, *words: object, **environment: str) -> tuple[int, str, str]:
        process = self.start(*words, **environment)
        out, err = process.communicate(timeout=250)
        return process.returncode, out, err


def submitted(err: str) -> str:
    found = re.search(r"^submitted as (\S+)$", err, re.MULTILINE)
    assert found, err
    return found[1]


def test_a_suite_goes_there_and_its_report_comes_back(head: str, tmp_path: Path) -> None:
    client, suite = Client(head, tmp_path), write_suite(tmp_path, ROWS)
    there = ("--store", tmp_path / "store", "--folder", tmp_path / "far")
    code, out, err = client("submit", suite, *there)
    assert code == 0, out + err
    assert re.match(r"sends 1\.\d MB: skinbench-\S+\.whl \(1\.\d MB\), tiny\.yaml\n", err)
    assert re.search(r"\d s    done: a in ", out), "the display is that of `run`"
    assert "balanced" in out
    assert "job_manager" not in out
    job = submitted(err)
    here, far = tmp_path / "reports" / "tiny", tmp_path / "far" / job
    for name in ("report.html", "scorecard.json", "predictions/a@0.0.parquet", "run.json"):
        assert (here / name).read_bytes() == (far / name).read_bytes()
        assert TOKEN.encode() not in (here / name).read_bytes()
    said = client("jobs", "status", job, "--json")[1]
    facts = json.loads(said)
    assert (facts["status"], facts["exit_code"]) == ("SUCCEEDED", 0)
    assert TOKEN not in said
    assert client("jobs", "list")[1].split()[:2] == [job, "succeeded"]
    code, _, err = client("jobs", "fetch", job, "--out", here)
    assert (code, "exists already" in err) == (2, True)


def test_ctrl_c_leaves_the_job_and_stop_ends_it(head: str, tmp_path: Path) -> None:
    client, suite = Client(head, tmp_path), write_suite(tmp_path, ROWS)
    endless = ("--set", "rows.a.epochs=100000", "--set", "rows.a.early_stopping=null")
    process = client.start("submit", suite, *endless, "--store", tmp_path / "store")
    assert process.stderr is not None
    err = ""
    while "submitted as" not in err:
        line = process.stderr.readline()
        assert line, err
        err += line
    process.send_signal(signal.SIGINT)
    _, last = process.communicate(timeout=100)
    job = submitted(err)
    assert process.returncode == 130
    assert last.startswith("error: the job goes on without you; come back: skinbench jobs logs")
    assert re.match(rf"{job}: (pending|running) ", client("jobs", "status", job)[1])
    assert client("jobs", "stop", job)[1] == f"{job}: asked to stop\n"
    assert client("jobs", "logs", job, "--follow")[0] == 0
    assert client("jobs", "status", job)[1].startswith(f"{job}: stopped ")


def test_a_cluster_that_refuses(head: str, tmp_path: Path) -> None:
    client = Client(head, tmp_path)
    code, _, err = client("jobs", "status", "none")
    assert (code, err) == (2, f"error: {head} knows no job none\n")
    for settings in (
        {"RAY_AUTH_TOKEN": "another-token-of-someone-else-00"},
        {"RAY_AUTH_MODE": "disabled"},
    ):
        code, _, err = client("jobs", "list", **settings)
        assert code == 1
        assert re.fullmatch(r"error: \S+ asks for a token, or refuses this one; .*\n", err), err
    client.head = "http://127.0.0.1:9"
    code, _, err = client("jobs", "list")
    assert (code, "does not answer" in err) == (1, True)
