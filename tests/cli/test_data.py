import io
import sys

import pytest
from PIL import Image

from skinbench import registry
from tests.data.archives import named, zipped
from tests.data.ham10000.make import make
from tests.data.served import Server


@pytest.fixture
def mirror():
    """ISIC 2018's test set with two images, which publishes neither sizes nor digests."""
    made = Server()
    head = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n"
    table = head + "ISIC_1,1,0,0,0,0,0,0\nISIC_2,0,1,0,0,0,0,0\n"
    name = "ISIC2018_Task3_Test_GroundTruth"
    made.add(f"{name}.zip", zipped({f"{name}/{name}.csv": table.encode()}))
    images = {f"ISIC2018_Task3_Test_Input/ISIC_{i}.jpg": picture(i) for i in (1, 2)}
    made.add("ISIC2018_Task3_Test_Input.zip", zipped(images))
    yield made
    made.stop()


def picture(value):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (value, 90, 120)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_download_then_check(shell, mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("SKINBENCH_DATA", str(tmp_path / "data"))
    words = ("data", "download", "isic2018_task3_test", "--from", mirror.url)
    done = shell(*words, "--yes")
    root = tmp_path / "data" / "isic2018_task3_test"
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        f"isic2018_task3_test: 3 files in {root}",
        f"next: skinbench data check isic2018_task3_test --root {root}",
    ]
    info = registry.datasets.get("isic2018_task3_test").info
    lines = done.err.splitlines()
    assert lines[1:4] == [
        f"licence   {info.licence}",
        f"cite      {info.citation}",
        f"homepage  {info.homepage}",
    ]
    assert "unpack  ISIC2018_Task3_Test_Input.zip" in lines
    again = shell(*words)
    assert (again.code, again.out) == (0, f"isic2018_task3_test is complete in {root}\n")
    checked = shell("data", "check", "isic2018_task3_test", "--json")
    assert checked.code == 1  # two of 1,512
    assert checked.json["images"] == 2
    assert checked.json["missing"] == []
    assert checked.json["next_step"].endswith(f"download isic2018_task3_test --root {root}")


def test_without_consent_nothing_is_asked_for(shell, mirror, tmp_path):
    words = ("data", "download", "isic2018_task3_test", "--root", "d", "--from", mirror.url)
    done = shell(*words)
    assert done.code == 2
    assert "CC BY-NC 4.0 must be accepted" in done.err.splitlines()[-1]
    assert "then add --yes" in done.err.splitlines()[-1]
    assert not (tmp_path / "d").exists()
    assert not any(file.requests for file in mirror.files.values())


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 130), ("", 130)])
def test_consent_on_a_terminal(shell, mirror, monkeypatch, answer, code):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    words = ("data", "download", "isic2018_task3_test", "--root", "d", "--from", mirror.url)
    done = shell(*words)
    assert done.code == code
    assert "Download under this licence?" in done.err
    assert any(file.requests for file in mirror.files.values()) == (code == 0)


def test_a_hostile_mirror(shell, mirror, tmp_path):
    mirror.add("ISIC2018_Task3_Test_Input.zip", named("../../evil.jpg"))
    words = ("data", "download", "isic2018_task3_test", "--root", "d", "--yes")
    done = shell(*words, "--from", mirror.url)
    assert done.code == 1
    last = done.err.splitlines()[-1]
    assert last.startswith("error: ISIC2018_Task3_Test_Input.zip: member '../../evil.jpg'")
    assert last.endswith("leaves the folder (..); nothing was unpacked")
    assert not list(tmp_path.rglob("evil*"))
    assert not list(tmp_path.parent.glob("evil*"))


def test_ctrl_c_says_how_to_go_on(shell, mirror, monkeypatch):
    def stop(*words, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("skinbench.data.download.unpack", stop)
    words = ("data", "download", "isic2018_task3_test", "--root", "d", "--from", mirror.url)
    done = shell(*words, "--yes")
    assert done.code == 130
    last = done.err.splitlines()[-1]
    assert "stopped; `skinbench data download isic2018_task3_test --root" in last
    assert f"--from {mirror.url}` continues" in last


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("download", "ham1000", "--root", "d"), 2, "did you mean 'ham10000'?"),
        (("download", "synthetic", "--root", "d"), 2, "synthetic has nothing to download"),
        (("download", "csv", "--root", "d"), 2, "csv has nothing to download"),
        (("download", "ham10000"), 2, "--root DIR, or SKINBENCH_DATA"),
        (("download", "ham10000", "--root", "d", "--from", "x"), 2, "--from 'x' is not an http"),
        (("check", "ham1000"), 2, "did you mean 'ham10000'?"),
        (("check", "ham10000"), 1, "to get it: skinbench data download ham10000"),
        (("check", "ham10000", "--root", "d"), 1, "to get it: skinbench data download ham10000"),
    ],
)
def test_mistakes_are_one_line(shell, monkeypatch, words, code, part):
    monkeypatch.delenv("SKINBENCH_DATA", raising=False)
    assert part in shell.error("data", *words, code=code)


def test_check_shows_expected_beside_found(shell, tmp_path):
    make(tmp_path / "ham", lesions_per_class=2)
    done = shell("data", "check", "ham10000", "--root", "ham")
    assert done.code == 1
    lines = done.out.splitlines()
    assert lines[0] == f"HAM10000 in {tmp_path / 'ham'}"
    assert lines[1] == "licence   CC BY-NC 4.0"
    assert ["nv", "6,705"] in [line.split()[:2] for line in lines]
    assert any(line.startswith("differs: ") and "expected 10,015" in line for line in lines)
    assert lines[-1].endswith("skinbench data download ham10000 --root NEW_FOLDER")
    listed = shell("data", "check", "ham10000", "--root", "ham", "--json").json
    assert listed["ok"] is False
    assert listed["dataset"] == "ham10000"
    assert {"label", "expected", "rows", "images"} == set(listed["classes"][0])
    assert listed["expected_images"] == 10015


def test_the_help_states_the_shape(shell):
    assert "JSON: {dataset, root, ok," in shell("data", "check", "--help").out.replace("\n  ", " ")
    assert "--from URL" in shell("data", "download", "--help").out
