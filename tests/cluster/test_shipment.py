"""What is sent to a cluster, what comes back, and to whom: without Ray."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

import skinbench
from skinbench.cli.display import EVENTS_VARIABLE, open_display, told
from skinbench.cluster.jobs import check_address, token_warning
from skinbench.cluster.packed import PROGRAM, unpacked
from skinbench.cluster.shipment import LIMIT, build_wheel, pack_suite, pack_working_copy
from skinbench.errors import DataError, ResourceError, SkinbenchError, UsageError
from skinbench.records import EpochRecord, Event
from skinbench.suite import load_suite

SUITE = {
    "name": "sent",
    "data": {"drawn": {"adapter": "synthetic"}},
    "splits": {"s": {"data": "drawn", "test": 0.2}},
    "defaults": {"split": "s"},
    "rows": {"a": {"model": "baseline_cnn"}},
}
WEIGHTS = {
    "name": "resnet18",
    "weights": {"file": "w.safetensors", "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]},
}


def suite(folder: Path, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "my.yaml"
    path.write_text(yaml.safe_dump({**SUITE, **changes}))
    return path


def packed(path: Path, place: Path) -> object:
    place.mkdir()
    return pack_suite(load_suite(path), place)


def test_the_suite_its_small_files_and_a_wheel_are_sent_and_nothing_else(tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = suite(
        home,
        plugins=["plugs/p.py"],
        splits={"s": {"data": "drawn", "file": "given.csv"}},
        audit={"pairs": "pairs.csv"},
    )
    for name in ("plugs/p.py", "given.csv", "pairs.csv", ".git/config", "images/a.jpg", "x.csv"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text('KIND = "techniques"\n')
    found = packed(path, tmp_path / "place")
    assert sorted(found.files) == ["given.csv", "my.yaml", "pairs.csv", "plugs/p.py"]
    assert found.suite == "my.yaml"
    (line,) = found.lines()
    assert line.startswith("sends 1.")
    assert "given.csv, my.yaml, pairs.csv, plugs/p.py" in line


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"data": {"drawn": {"adapter": "csv", "root": "images"}}}, "data.drawn.root: 'images'"),
        ({"rows": {"a": {"model": WEIGHTS}}}, "weights.file"),
        ({"plugins": ["../p.py"]}, r"plugins: \.\./p\.py is no file in the suite's folder"),
        ({"splits": {"s": {"data": "drawn", "file": "absent.csv"}}}, "absent.csv is no file"),
        ({"splits": {"s": {"data": "drawn", "file": "large.csv"}}}, r"large\.csv has 6\.0 MB"),
    ],
)
def test_what_is_not_sent_is_refused_by_key(
    changes: dict[str, object], why: str, tmp_path: Path
) -> None:
    (tmp_path / "p.py").write_text('KIND = "techniques"\n')
    path = suite(tmp_path / "home", **changes)
    (path.parent / "large.csv").write_bytes(bytes(6_000_000))
    with pytest.raises(UsageError, match=why):
        packed(path, tmp_path / "place")


def test_data_that_the_cluster_sees_is_fine(tmp_path: Path) -> None:
    for root in ("/shared/ham", "${SKINBENCH_DATA}/ham", "~/ham"):
        place = tmp_path / str(len(root))
        assert packed(
            suite(tmp_path / "h", data={"drawn": {"adapter": "csv", "root": root}}), place
        )


def test_a_working_copy_goes_without_git_and_what_it_ignores(tmp_path: Path) -> None:
    home = tmp_path / "home"
    path = suite(home)
    for name in (".gitignore", "code/a.py", "new.py", "data/big.bin"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text("data/\n")
    for words in (["init", "-q"], ["add", "code", ".gitignore"]):
        subprocess.run(["git", "-C", str(home), *words], check=True)
    (tmp_path / "place").mkdir()
    found = pack_working_copy(load_suite(path), home, tmp_path / "place")
    assert sorted(found.files) == [".gitignore", "code/a.py", "my.yaml", "new.py"]
    for other in ("one", "two"):
        (tmp_path / other).mkdir()
    with pytest.raises(UsageError, match="is no working copy of git"):
        pack_working_copy(load_suite(suite(tmp_path / "one")), tmp_path / "one", tmp_path / "two")
    with (home / "new.py").open("wb") as file:
        file.truncate(LIMIT + 1)
    with pytest.raises(UsageError, match=r"too much to send.*new\.py 104\.9 MB"):
        pack_working_copy(load_suite(path), home, tmp_path / "two")


def test_the_wheel_is_this_installation_and_its_name_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    first, second = build_wheel(tmp_path / "a"), build_wheel(tmp_path / "b")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert b"Requires-Dist" not in archive.read(next(n for n in names if "METADATA" in n))
    assert {"skinbench/cli/__init__.py", "skinbench/suites/quickstart.yaml"} <= set(names)
    assert "skinbench/report/templates/report.html.j2" in names
    assert not [name for name in names if "__pycache__" in name]
    monkeypatch.setattr(skinbench, "__version__", "0.1.1")
    assert build_wheel(tmp_path / "c").name != first.name


@pytest.mark.slow
def test_pip_installs_the_wheel_alone(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path)
    into = tmp_path / "into"
    words = [sys.executable, "-m", "pip", "install", "-q", "--no-index", f"--target={into}"]
    subprocess.run([*words, str(wheel)], check=True)
    show = "import skinbench.suite as s; print(s.__file__, *s.shipped_suites())"
    done = subprocess.run(
        [sys.executable, "-c", show], env={"PYTHONPATH": str(into)}, capture_output=True, text=True
    )
    assert str(into) in done.stdout, done.stderr
    assert "quickstart" in done.stdout


# --- back ----------------------------------------------------------------------------------


def log_of(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "$PLACE"],
        env={"PLACE": str(folder)},
        capture_output=True,
        text=True,
    )


def test_a_folder_comes_back_through_a_log(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "predictions").mkdir(parents=True)
    (run / "report.html").write_text("x" * 30_000)
    (run / "predictions" / "a@0.0.parquet").write_bytes(bytes(range(256)) * 9)
    (run / ".half.tmp").write_text("unfinished")
    log = f"a line of Ray\n{log_of(run).stdout}another\n"
    files = unpacked(log, tmp_path / "here")
    assert files == {"predictions/a@0.0.parquet": 2304, "report.html": 30_000}
    assert (tmp_path / "here" / "report.html").read_text() == "x" * 30_000


@pytest.mark.parametrize(
    ("old", "new", "error", "why"),
    [
        ("skinbench-end", "", ResourceError, "nothing came back"),
        ("skinbench-folder", "other", ResourceError, "nothing came back"),
        ("\neA", "\n!!", DataError, "damaged"),
        ("skinbench-folder 50", "skinbench-folder 1", DataError, "is not what was packed"),
        ("skinbench-folder 50", "skinbench-folder x", DataError, "damaged"),
    ],
)
def test_half_a_folder_is_none(
    old: str, new: str, error: type[SkinbenchError], why: str, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "a.txt").write_bytes(bytes(range(250)) * 200)
    log = log_of(run).stdout
    assert old in log
    with pytest.raises(error, match=why):
        unpacked(log.replace(old, new, 1), tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = log_of(tmp_path / "none")
    assert done.returncode == 1
    assert "no folder" in done.stderr


# --- to whom --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.0.0.1:8265", "http://127.0.0.1:8265"),
        ("https://head.lab/", "https://head.lab"),
        ("head:8265", "http://head:8265"),
        ("http://[::1]:8265", "http://[::1]:8265"),
    ],
)
def test_addresses(address: str, expected: str) -> None:
    assert check_address(address) == expected


@pytest.mark.parametrize("address", ["ray://head:10001", "os://x", "http://", "http://me:pw@x"])
def test_what_is_no_job_server(address: str) -> None:
    with pytest.raises(UsageError, match="expected the job server's address"):
        check_address(address)


def test_an_open_address_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    for own in ("http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9"):
        assert token_warning(own) == ""
    assert "no token is set" in token_warning("http://10.0.0.3:8265")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "hush")
    assert "unencrypted" in token_warning("http://10.0.0.3:8265")
    assert token_warning("https://head.lab") == ""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert "no token is set" in token_warning("https://head.lab")


def test_events_pass_as_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    epoch = EpochRecord(
        epoch=1,
        train_loss=0.5,
        val_log_loss=None,
        val_accuracy=None,
        val_balanced_accuracy=None,
        seconds=1.0,
        images=3,
        learning_rate=0.1,
    )
    sent = [
        Event(kind="stage", name="fits"),
        Event(kind="epoch", name="a", fit="f", epoch=epoch, epochs=3),
        Event(kind="progress", name="x", done=9, total=9),
    ]
    monkeypatch.setenv(EVENTS_VARIABLE, "1")
    with open_display("s") as display:
        for event in sent:
            display.listen(event)
        for done in range(8):
            display.listen(Event(kind="progress", name="x", done=done, total=9))
    lines = capsys.readouterr().out.splitlines()
    assert [told(line) for line in lines[:3]] == sent
    assert len(lines) < 8, "counted work is thinned"
    for other in ("a line", "@event {", "@event {}", '@event {"kind": "evil"}', "@event 1"):
        assert told(other) is None
