"""`skinbench report --serve`: to this machine alone, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import click
import pytest

from skinbench.cli.page_server import serve_page
from skinbench.cli.report_command import run_folders
from skinbench.errors import UsageError
from tests.report.fixture import Wish, make_run


def fetched(address: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=240) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def test_a_taken_port_is_one_clear_line(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port} of 127\.0\.0\.1 cannot be used"):
            serve_page(tmp_path / "page.html", port, lambda address: None)


def test_a_models_page_on_a_taken_port_is_one_clear_line(shell, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = shell.error("serve", tmp_path, "--port", port)
    assert f"port {port} of 127.0.0.1 cannot be used" in said


def test_only_the_page_and_only_for_this_machine(tmp_path):
    page = tmp_path / "report.html"
    page.write_text("<p>first</p>")
    (tmp_path / "secret.txt").write_text("secret")
    ready, found = threading.Event(), []

    def started(address: str) -> None:
        found.append(address)
        ready.set()

    threading.Thread(target=serve_page, args=(page, 0, started), daemon=True).start()
    assert ready.wait(240)
    assert found[0].startswith("http://127.0.0.1:")
    assert fetched(found[0]) == (200, b"<p>first</p>")
    page.write_text("<p>second</p>")
    assert fetched(found[0])[1] == b"<p>second</p>"
    assert fetched(f"{found[0]}secret.txt")[0] == 404
    assert fetched(f"{found[0]}../secret.txt")[0] == 404
    assert fetched(found[0], Host="evil.example")[0] == 403


def test_a_glob_over_reports_leaves_out_what_is_no_run(tmp_path, capsys):
    run = make_run(tmp_path / "reports" / "run", Wish(rows=3, cases=0))
    (tmp_path / "reports" / "example").mkdir()
    (tmp_path / "reports" / "README.md").write_text("about")
    given = sorted((tmp_path / "reports").iterdir())
    assert run_folders(given) == [run.root]
    said = capsys.readouterr().err
    assert "README.md is no run folder (no scorecard.json): left out" in said
    assert "example is no run folder" in said
    with pytest.raises(click.UsageError, match=r"README\.md' is a file; expected a run folder"):
        run_folders(given[:1])


@pytest.mark.slow
def test_ctrl_c_ends_it_cleanly(tmp_path):
    folder = make_run(tmp_path / "run", Wish(rows=3, cases=0))
    command = [sys.executable, "-m", "skinbench", "report", str(folder.root), "--serve"]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as a shell's &
    ) as process:
        line = process.stderr.readline()
        assert line.startswith(f"Serving {folder.html} at http://127.0.0.1:")
        assert "this machine only" in line
        address = next(word for word in line.split() if word.startswith("http://"))
        assert fetched(address)[0] == 200
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=240)
    assert process.returncode == 0
    assert said.strip() == "Stopped."
