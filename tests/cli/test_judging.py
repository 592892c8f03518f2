"""`report` and `gate` on a run folder: exit codes, files and JSON."""

import json

import pytest

from skinbench.records import Verdict
from skinbench.store import from_plain
from tests.cli.commands import write_run
from tests.gate.runs import damage, plain_run, run
from tests.report.fixture import make_run
from tests.score.drawn import frame


def test_report_as_json(shell, tmp_path):
    make_run(tmp_path / "one")
    found = shell("report", "one", "--json").json
    assert set(found) == {"schema", "runs", "sort", "tables", "smoke", "notes", "history"}
    assert found["runs"] == ["one"]
    assert (tmp_path / "one/report.html").exists()
    done = shell("report", "one", "--markdown", "b.md", "--html", "b.html")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    assert (tmp_path / "b.md").read_text()
    assert (tmp_path / "b.html").read_text().startswith("<!")
    assert "recal" in shell.error("report", "one", "--sort", "recal:mel")


def test_gate_codes_and_json(shell, tmp_path):
    write_run(tmp_path / "run")
    first = shell("gate", "run", "--baseline", "b.json", "--update-baseline", "--json")
    assert (first.code, first.out) == (0, "")
    assert "first baseline written: b.json" in first.err
    done = shell("gate", "run", "--baseline", "b.json", "--json")
    verdict = from_plain(Verdict, done.json)
    assert (done.code, verdict.exit_code, verdict.outcome) == (0, 0, "passed")
    text = shell("gate", "run", "--baseline", "b.json").out
    assert text.startswith("gate: passed (exit 0; decision rule: argmax)")
    assert max(map(len, text.splitlines())) <= 80
    assert (
        shell("gate", "run", "--baseline", "b.json", "--junit", "j.xml", "--markdown", "c.md").code
        == 0
    )
    assert (tmp_path / "j.xml").read_text().startswith("<?xml")
    assert "passed" in (tmp_path / "c.md").read_text()


def test_gate_regressed_missing_and_edited(shell, tmp_path):
    good = plain_run()
    write_run(tmp_path / "good", good)
    assert shell("gate", "good", "--baseline", "b.json", "--update-baseline").code == 0
    ((cell, predictions),) = good.predictions.items()
    write_run(tmp_path / "bad", run({cell: damage(predictions.frame, share=0.9)}))
    done = shell("gate", "bad", "--baseline", "b.json", "--json")
    assert (done.code, done.json["outcome"]) == (3, "regressed")
    before = (tmp_path / "b.json").read_bytes()
    done = shell("gate", "bad", "--baseline", "b.json", "--update-baseline")
    assert done.code == 3
    assert "left as it is" in done.err
    assert (tmp_path / "b.json").read_bytes() == before
    write_run(tmp_path / "other", run({"grid/z@0.0": frame(1600)}))
    done = shell("gate", "other", "--baseline", "b.json", "--json")
    assert (done.code, done.json["outcome"]) == (4, "missing")
    edited = json.loads(before)
    edited["scores"][0]["value"] = 0.123
    (tmp_path / "b.json").write_text(json.dumps(edited))
    shell.error("gate", "good", "--baseline", "b.json", code=1)
    shell.error("gate", "good", "--baseline", "absent.json", code=1)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--metric", "recal", "--class", "mel"], "'recall'"),
        (["--metric", "recall", "--class", "mell"], "mel"),
        (["--metric", "recall"], "class"),
        (["--class", "mel"], "--class goes with --metric"),
        (["--floor", "0.5"], "--floor goes with --metric"),
        (["--rows", "x"], "--rows goes with --metric"),
        (["--metric", "recall", "--class", "mel", "--slice", "sx=male"], "did you mean 'sex'?"),
        (["--salt", " "], "is empty"),
    ],
)
def test_gate_usage(shell, tmp_path, options, part):
    write_run(tmp_path / "run")
    assert shell("gate", "run", "--baseline", "b.json", "--update-baseline").code == 0
    assert part in shell.error("gate", "run", "--baseline", "b.json", *options)


def test_salted_ids_for_private_images(shell, tmp_path, monkeypatch):
    good = plain_run()
    write_run(tmp_path / "run", good)
    ids = next(iter(good.predictions.values())).frame["image_id"]
    first = shell("gate", "run", "--baseline", "b.json", "--update-baseline", "--salt", "s3cret")
    assert first.code == 0
    text = (tmp_path / "b.json").read_text()
    assert not any(image_id in text for image_id in ids)
    assert "s3cret" not in text
    assert "are salted; give the salt" in shell.error("gate", "run", "--baseline", "b.json", code=1)
    monkeypatch.setenv("SKINBENCH_SALT", "s3cret")
    assert shell("gate", "run", "--baseline", "b.json").code == 0
    done = shell("gate", "run", "--baseline", "b.json", "--update-baseline")
    assert done.code == 0
    assert not any(image_id in (tmp_path / "b.json").read_text() for image_id in ids)
    line = shell.error("gate", "run", "--baseline", "b.json", "--salt", "other", code=1)
    assert "salted with another text" in line


def test_a_floor_is_shown_with_the_run_alone(shell, tmp_path):
    write_run(tmp_path / "run")
    shell("gate", "run", "--baseline", "b.json", "--update-baseline")
    asked = ["--metric", "recall", "--class", "mel"]
    for floor, said, code in (
        ("0.2", "its lower bound is at or above the floor", 0),
        ("0.99", "all of it is below the floor", 3),
    ):
        done = shell("gate", "run", "--baseline", "b.json", *asked, "--floor", floor)
        assert done.code == code
        assert f"floor {floor} [" in done.out
        assert "now - baseline" not in done.out
        assert max(map(len, done.out.splitlines())) <= 80
        words = shell("gate", "run", "--baseline", "b.json", *asked, "--floor", floor, "--json")
        assert said in words.json["checks"][0]["reason"]
        assert words.json["checks"][0]["own_low"] < words.json["checks"][0]["own_high"]
