"""A run whose store is at a URL of a real S3 server, with a worker that sees no disk of the driver.

The driver's copies and the workers' lie in different folders, as on different machines.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from skinbench.cluster import session
from skinbench.pipeline import Options, run_suite
from skinbench.records import Event
from skinbench.store import COPIES, RunFolder, Store, open_store, remote
from skinbench.suite import load_suite
from tests.cli.commands import Shell
from tests.pipeline.in_process import predicted
from tests.pipeline.tiny import write_suite
from tests.s3 import keys_in, s3_server, url_at

pytestmark = [pytest.mark.ray, pytest.mark.torch, pytest.mark.slow]

ROWS = """
rows:
  a: {model: baseline_cnn}
  b: {model: baseline_cnn, technique: class_weights, input: fusion_concat}
"""


@pytest.fixture(scope="module")
def s3() -> Iterator[int]:
    with s3_server() as port:
        yield port


def run(suite: Path, folder: Path, store: Store, address: str) -> tuple[RunFolder, list[str]]:
    """Run a suite; its folder, and the rows that were trained."""
    events: list[Event] = []
    options = Options(folder=folder, store=store, address=address)
    result = run_suite(load_suite(suite), options, events.append)
    assert not result.failed
    return result.folder, sorted(event.name for event in events if event.kind == "fit")


def test_nodes_that_share_nothing_but_a_url(
    tmp_path: Path,
    ray_address: str,
    s3: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    suite, url = write_suite(tmp_path, ROWS), url_at(s3, "store")
    for name, value in keys_in(tmp_path).items():
        monkeypatch.setenv(name, value)
    carried = session._worker_environment()
    here = {**carried, **keys_in(tmp_path), COPIES: str(tmp_path / "worker")}
    monkeypatch.setattr(session, "_worker_environment", lambda: here)
    monkeypatch.setenv(COPIES, str(tmp_path / "driver"))

    folder, trained = run(suite, tmp_path / "run", open_store(url), ray_address)
    assert trained == ["a", "b"]
    for path in folder.root.rglob("*"):
        assert path.is_dir() or b"VERYSECRET" not in path.read_bytes(), path
    [worker] = (tmp_path / "worker").iterdir()
    assert {item.kind for item in Store(worker).objects()} == {
        "manifests",
        "splits",
        "pixels",
        "fits",
    }
    assert Store(worker).verify() == []
    assert not remote.RemoteFolder(url).files("unfinished")

    # The same without a URL and without Ray, in this process and a store of its own.
    _, _, alone = predicted(write_suite(tmp_path / "alone", ROWS))
    for cell in ("a@0.0", "b@0.0"):
        assert folder.prediction(cell).read_bytes() == alone.prediction(cell).read_bytes()

    # A third machine trains nothing, and sends its run to a URL of its own.
    monkeypatch.setenv(COPIES, str(tmp_path / "third"))
    monkeypatch.setenv("COLUMNS", "80")
    shell = Shell(monkeypatch, capsys)
    there = url_at(s3, "runs/run")
    done = shell("run", suite, "--store", url, "--out", there, "--address", ray_address)
    assert done.code == 0, done
    assert f"Sent to {there}" in done.out
    assert remote.RemoteFolder(there).read("scorecard.json") == folder.scorecard.read_bytes()
    monkeypatch.setenv(COPIES, str(tmp_path / "fourth"))
    assert shell("report", there, "--json").json == shell("report", folder.root, "--json").json
