"""Killed, interrupted, out of disk: what is finished stays finished, and nothing looks so."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from skinbench.store import RunFolder, Store
from tests.pipeline.tiny import environment, finish, run, start, write_suite

pytestmark = [pytest.mark.ray, pytest.mark.torch, pytest.mark.slow]

HELD = """
import itertools, os, time

from skinbench.records import TechniqueEntry

KIND = "techniques"
calls = itertools.count()


def _draw(labels, n_classes, options, generator):
    hold = os.environ.get("SKINBENCH_TEST_HOLD", "")
    while next(calls) and os.path.exists(hold):
        open(hold + "-reached", "w").close()
        time.sleep(0.02)
    return generator.permutation(len(labels))


ENTRY = TechniqueEntry(version=1, draw=_draw)
"""
"""A plug-in that trains one epoch and then waits for as long as a file is there."""
ROWS = """
plugins: [held.py]
rows:
  a: {model: baseline_cnn, early_stopping: null}
  b: {model: baseline_cnn, technique: held, early_stopping: null}
  c: {model: baseline_cnn, technique: class_weights, early_stopping: null}
"""


def write(folder: Path) -> Path:
    """The suite and its plug-in."""
    path = write_suite(folder, ROWS)
    (folder / "held.py").write_text(HELD, encoding="utf-8")
    return path


@pytest.fixture
def hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """While this file is there, row b has an epoch behind it and does not end."""
    path = tmp_path / "hold"
    path.touch()
    monkeypatch.setenv("SKINBENCH_TEST_HOLD", str(path))
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same suite run in peace, in a store of its own."""
    root = tmp_path_factory.mktemp("peace")
    code, _, err = run(write(root), root / "run", root / "store")
    assert code == 0, err
    return RunFolder(root / "run")


def wait_for(condition: object, process: subprocess.Popen[str], what: str) -> None:
    """Wait until a condition holds; the run must not end before."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        if condition():  # type: ignore[operator]
            return
        assert process.poll() is None, f"the run ended before {what}: {process.communicate()[1]}"
        time.sleep(0.02)
    pytest.fail(f"never saw {what}")


def states(store: Path) -> list[Path]:
    """Epoch checkpoints of fits that are not finished."""
    return list((store / "work" / "fits").glob("*/state.safetensors"))


def finished(store: Path) -> dict[str, int]:
    """Finished fits and when they were finished."""
    found = (store / "fits").glob("[!.]*/complete.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in found}


def children(process: subprocess.Popen[str], word: str = "") -> list[psutil.Process]:
    """Living descendants whose title has a word in it."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if word in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL a run; its workers end with it, Ray's agents a minute later: they write nothing."""
    writers = children(process, "ray::ImplicitFunc")
    process.send_signal(signal.SIGKILL)
    finish(process)
    assert not psutil.wait_procs(writers, timeout=120)[1]


def test_killed_three_times_it_ends_as_if_nothing_had_happened(
    tmp_path: Path, undisturbed: RunFolder, hold: Path
) -> None:
    suite, store, folder = write(tmp_path), tmp_path / "store", RunFolder(tmp_path / "run")
    process = start(suite, folder.root, store)
    wait_for(folder.plan.exists, process, "a plan")
    kill(process)

    process = start(suite, folder.root, store)
    # Row b waits with an epoch behind it; another row's state may go before the kill.
    held = hold.with_name("hold-reached")
    wait_for(lambda: finished(store) and held.exists(), process, "a finished and a running fit")
    kill(process)
    before = finished(store)
    hold.unlink()
    assert not folder.scorecard.exists()
    assert states(store), "a running fit left its last epoch"

    process = start(suite, folder.root, store)
    wait_for(lambda: len(finished(store)) == 3, process, "the last fit")
    kill(process)
    after = finished(store)
    assert {name: after[name] for name in before} == before, "a finished fit was trained again"

    code, out, err = run(suite, folder.root, store)
    assert code == 0, err
    assert "done:" not in out
    assert finished(store) == after
    assert folder.scorecard.read_bytes() == undisturbed.scorecard.read_bytes()
    assert not states(store), "checkpoints of finished fits are removed"


def test_a_killed_worker_is_replaced(tmp_path: Path, undisturbed: RunFolder, hold: Path) -> None:
    suite, store = write(tmp_path), tmp_path / "store"
    process = start(suite, tmp_path / "run", store)
    wait_for(lambda: states(store), process, "an epoch")
    workers = children(process, "ray::")
    trainers = [child for child in workers if "ImplicitFunc" in " ".join(child.cmdline())]
    assert trainers, [child.cmdline() for child in workers]
    trainers[0].kill()
    hold.unlink()
    code, _, err = finish(process)
    assert code == 0, err
    ours = RunFolder(tmp_path / "run").scorecard.read_bytes()
    assert ours == undisturbed.scorecard.read_bytes()


def test_one_and_two_trials_at_a_time_give_the_same_bytes(
    tmp_path: Path, undisturbed: RunFolder
) -> None:
    code, _, err = run(write(tmp_path), tmp_path / "run", tmp_path / "store", "--workers", "1")
    assert code == 0, err
    folder = RunFolder(tmp_path / "run")
    assert folder.scorecard.read_bytes() == undisturbed.scorecard.read_bytes()
    for path in undisturbed.predictions.glob("*.parquet"):
        assert (folder.predictions / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_clean_and_says_how_to_go_on(
    tmp_path: Path, hold: Path, stop: signal.Signals
) -> None:
    suite, store = write(tmp_path), tmp_path / "store"
    # A shell's background job ignores SIGINT and would hand that down to the run.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = start(suite, tmp_path / "run", store)
    finally:
        signal.signal(signal.SIGINT, before)
    wait_for(lambda: states(store), process, "an epoch")
    process.send_signal(stop)
    code, out, err = finish(process)
    assert code == 130, (out, err)
    assert "Traceback" not in err + out
    assert f"to continue: skinbench run {suite}" in err
    assert not RunFolder(tmp_path / "run").scorecard.exists()


@contextmanager
def small_disk(folder: Path, size: str, mode: str = "rw") -> Iterator[Path]:
    """A tmpfs of a given size; the test is skipped where one cannot be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    options = f"size={size},{mode}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_one_clear_line_and_nothing_looks_finished(tmp_path: Path) -> None:
    suite = write(tmp_path)
    with small_disk(tmp_path / "disk", "600k") as disk:
        code, out, err = run(suite, tmp_path / "run", disk / "store")
        assert code == 1, (out, err)
        assert "Traceback" not in err
        assert "No space left" in err or "free" in err
        assert not finished(disk / "store")
        assert not Store(disk / "store").verify()
    assert not RunFolder(tmp_path / "run").scorecard.exists()


def test_read_only_output_is_one_clear_line(tmp_path: Path) -> None:
    suite = write(tmp_path)
    with small_disk(tmp_path / "disk", "600k", "ro") as disk:
        code, _, err = run(suite, disk / "run", tmp_path / "store")
        assert code == 1
        assert err.count("\n") == 1
        assert "Read-only file system" in err


def test_damaged_files_are_named(tmp_path: Path, undisturbed: RunFolder) -> None:
    shutil.copytree(undisturbed.root.parent, tmp_path, dirs_exist_ok=True)
    suite, store = tmp_path / "tiny.yaml", tmp_path / "store"
    fit = next(path for path in (store / "fits").iterdir() if not path.name.startswith("."))
    model = fit / "model.safetensors"
    model.write_bytes(model.read_bytes()[:100])
    assert not Store(store).has("fits", fit.name)
    code, out, _ = run(suite, tmp_path / "run", store)
    assert code == 0
    assert out.count("done:") == 1, "the damaged fit alone is trained again"
    ours = RunFolder(tmp_path / "run")
    assert ours.scorecard.read_bytes() == undisturbed.scorecard.read_bytes()

    table = ours.prediction("a@0.0")
    table.write_bytes(table.read_bytes()[:-50])
    gate = ["-m", "skinbench", "gate", str(ours.root), "--baseline", str(tmp_path / "b.json")]
    done = subprocess.run(
        [sys.executable, *gate, "--update-baseline"],
        capture_output=True,
        text=True,
        env=environment(store),
        check=False,
    )
    assert done.returncode == 1
    assert str(table) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "b.json").exists()
