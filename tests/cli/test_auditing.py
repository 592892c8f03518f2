"""`skinbench audit`: what it prints, its JSON, its exit codes, and decisions on pairs."""

import csv
import json
import re
import shutil
import sys
import types

import pytest
import yaml
from PIL import Image

from skinbench.data.stored_pairs import RESULT
from skinbench.records import (
    AuditReport,
    ImageName,
    NearDuplicatePair,
    NearDuplicates,
    OverlapReport,
)
from skinbench.store import from_plain, shown_id, write_json
from tests.data.ham10000.make import make as make_ham
from tests.suite.texts import with_changes, write


def suite_text(**changes):
    data = {"drawn": {"adapter": "synthetic", "options": {"lesions": 40, "size": 32}}}
    split = {"data": "drawn", "group": "image", "test": 0.3, "val": 0.1}
    known = {
        "data": data,
        "rows": {"a": {"model": "baseline_cnn"}},
        "grids": {},
        "derived": {},
        "splits": {"by_lesion": split},
        "leakage": "keep",
    }
    return with_changes(**{**known, **changes})


@pytest.fixture
def twins(tmp_path):
    """A suite on six images of a table, two of them one file under two lesions and labels."""
    root = tmp_path / "table"
    root.mkdir()
    rows = [("image", "dx", "lesion", "patient")]
    for n in range(12):
        source = 0 if n == 1 else n
        Image.new("RGB", (24, 18), (20 * source, 90, 160)).save(root / f"i{n:02d}.png")
        rows.append((f"i{n:02d}.png", ["mel", "nv"][n % 2], f"L{n}", f"P{n // 2}"))
    with (root / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    with (root / "split.csv").open("w", newline="") as file:
        parts = ["train", "test", *["train"] * 6, *["test"] * 2, *["val"] * 2]
        csv.writer(file).writerows(
            [("image_id", "split"), *((f"i{n:02d}", part) for n, part in enumerate(parts))]
        )
    options = {"table": "t.csv", "path": "image", "label": "dx", "lesion_id": "lesion"}
    mine = {
        "adapter": "csv",
        "root": "table",
        "options": options,
        "labels": ["mel", "nv"],
        "cleaning": {"contradictory": "keep"},
    }
    text = suite_text(
        data={"drawn": mine},
        splits={"by_lesion": {"data": "drawn", "file": "table/split.csv"}},
        audit={"pairs": "pairs.csv"},
    )
    return write(tmp_path, text)


def test_what_is_shared_is_printed_and_fits(shell, tmp_path):
    write(tmp_path, suite_text())
    done = shell("audit", "suite.yaml")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    words = " ".join(done.out.split())
    assert re.search(r"lesions train, test \d+ \d+ \d+\.\d %", words)
    assert "leakage: keep" in words
    assert re.search(
        r"recognising alone \(nearest train thumbnail\): \d+\.\d % right, of mel", words
    )
    assert "not looked for near-duplicates: audit.near_duplicates is off" in words
    assert not (tmp_path / "reports").exists()


def test_private_data_has_salted_ids_in_json(shell, tmp_path, twins, monkeypatch):
    monkeypatch.delenv("SKINBENCH_SALT", raising=False)
    before = shell("audit", "suite.yaml", "--json").json
    named = before["pairs"][0]["left"]["image_id"]
    asked = ("audit", "suite.yaml", "--json", "--set", "private=true")
    assert "set SKINBENCH_SALT" in shell.error(*asked)
    monkeypatch.setenv("SKINBENCH_SALT", "s3cret text")
    done = shell(*asked)
    assert not re.search(r"\b[iLP][0-9]{1,2}\b", done.out + done.err)
    assert done.json["pairs"][0]["left"]["image_id"] == shown_id(named, "s3cret text")
    counts = [item["count"] for item in before["audit"]["findings"]]
    assert [item["count"] for item in done.json["audit"]["findings"]] == counts


def test_json_has_the_whole_audit(shell, tmp_path):
    write(tmp_path, suite_text())
    found = shell("audit", "suite.yaml", "--json").json
    assert set(found) == {
        "suite",
        "audit",
        "leaks",
        "refused",
        "pairs",
        "columns",
        "cleaning",
        "seconds",
    }
    assert {item["column"] for item in found["columns"]} >= {"age", "site"}
    report = from_plain(AuditReport, found["audit"])
    (finding,) = [
        f for f in report.findings if (f.kind, f.left, f.right) == ("lesion_id", "train", "test")
    ]
    assert 0 < finding.count <= finding.total
    assert len(finding.partners) == len(finding.examples) <= 20
    (memory,) = report.recognition
    assert memory.total == finding.total
    assert 0 <= memory.right <= memory.total
    assert found["refused"] == ""
    assert "share a lesion with train" in found["leaks"]["by_lesion"]


def test_a_leak_that_would_stop_a_run_is_exit_code_one_with_the_way_out(shell, tmp_path):
    write(tmp_path, suite_text(leakage="error"))
    done = shell("audit", "suite.yaml", "--json")
    assert done.code == 1
    assert done.err.startswith("error: split 'by_lesion': ")
    assert done.err.count("\n") == 1
    assert "`leakage: drop` or `leakage: keep`" in done.err
    assert done.json["refused"] in done.err
    clean = {"by_lesion": {"data": "drawn", "group": "lesion", "test": 0.3, "val": 0.1}}
    write(tmp_path, suite_text(leakage="error", splits=clean))
    done = shell("audit", "suite.yaml")
    assert done.code == 0
    assert "nothing shared" in done.out


def test_recognition_once_measured_is_part_of_the_plan(shell, tmp_path):
    write(tmp_path, suite_text())
    assert shell("plan", "suite.yaml", "--json").json["audit"]["recognition"] == []
    shell("audit", "suite.yaml")
    assert len(shell("plan", "suite.yaml", "--json").json["audit"]["recognition"]) == 1
    assert "recognising alone" in shell("plan", "suite.yaml").out


def test_contradicting_twins_are_found_shown_and_decided(shell, twins, tmp_path):
    found = shell("audit", twins, "--json").json
    kinds = {f["kind"]: f for f in found["audit"]["findings"]}
    assert set(kinds) == {"file", "label"}
    assert (kinds["label"]["examples"], kinds["label"]["partners"]) == (["i01"], ["i00 (mel)"])
    (pair,) = found["pairs"]
    assert pair["evidence"] == "same file"
    assert pair["contradicting"]
    assert pair["crosses"] == ["by_lesion: train and test"]
    assert any("pairs.csv is not written yet" in x for x in found["audit"]["not_looked_for"])

    done = shell("audit", twins, "--decide", "i00", "i01", "same")
    assert (done.code, "added; 1 decided" in done.out) == (0, True)
    text = (tmp_path / "pairs.csv").read_text()
    assert text.splitlines() == [
        "dataset_a,image_id_a,dataset_b,image_id_b,decision",
        "drawn,i00,drawn,i01,same",
    ]
    (pair,) = shell("audit", twins, "--json").json["pairs"]
    assert pair["decision"] == "same"
    assert "says so already" in shell("audit", twins, "--decide", "i01", "drawn:i00", "same").out
    assert "changed; 1 decided" in shell("audit", twins, "--decide", "i01", "i00", "different").out
    assert (tmp_path / "pairs.csv").read_text().splitlines()[1:] == [
        "drawn,i01,drawn,i00,different"
    ]


def test_a_decided_pair_is_a_leak_of_its_own(shell, twins):
    shell("audit", twins, "--decide", "i02", "i08", "same")
    found = shell("audit", twins, "--json").json["audit"]["findings"]
    near = [f for f in found if f["kind"] == "near_duplicate"]
    assert [(f["left"], f["right"], f["examples"]) for f in near] == [("train", "test", ["i08"])]


def test_mistakes_of_a_decision_are_one_line_and_change_nothing(shell, twins, tmp_path):
    error = shell.error
    assert "image 'x' is not in drawn" in error("audit", twins, "--decide", "i00", "x", "same")
    assert "with itself" in error("audit", twins, "--decide", "i00", "drawn:i00", "same")
    assert "'maybe' is not same" in error("audit", twins, "--decide", "i00", "i01", "maybe")
    assert not (tmp_path / "pairs.csv").exists()
    (tmp_path / "pairs.csv").write_text("a,b\n1,2\n")
    text = error("audit", twins, "--decide", "i00", "i01", "same", code=1)
    assert "row 2: needs the columns dataset_a, image_id_a" in text
    assert (tmp_path / "pairs.csv").read_text() == "a,b\n1,2\n"
    write(tmp_path, suite_text(), "bare.yaml")
    assert "audit: {pairs: pairs.csv}" in error("audit", "bare.yaml", "--decide", "a", "b", "same")


def test_the_page_is_one_file_with_everything_in_it(shell, twins, tmp_path):
    done = shell("audit", twins, "--page", "pairs.html")
    assert "Page: pairs.html (1 of 1 pairs)" in done.out
    text = (tmp_path / "pairs.html").read_text()
    assert text.count("data:image/jpeg;base64,") == 2
    assert "labels differ" in text
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)
    first = text
    shell("audit", twins, "--page", "pairs.html")
    assert (tmp_path / "pairs.html").read_text() == first


def test_usage(shell, tmp_path):
    write(tmp_path, suite_text())
    assert "needs one SUITE" in shell.error("audit")
    assert "needs one SUITE" in shell.error("audit", "suite.yaml", "suite.yaml")
    assert "names of datasets" in shell.error("audit", "--datasets", "--page", "x.html")


def test_a_search_without_its_extra_says_which(shell, tmp_path):
    write(tmp_path, suite_text(audit={"near_duplicates": True}))
    shell.monkeypatch.setitem(sys.modules, "skinbench.learn.duplicates", None)
    text = shell("audit", "suite.yaml")
    assert text.code == 1
    assert "pip install 'skinbench[run]'" in text.err
    done = shell("audit", "suite.yaml", "--no-near-duplicates")
    assert "near-duplicates: this audit was told not to" in " ".join(done.out.split())
    plan = " ".join(shell("plan", "suite.yaml").out.split())
    assert "near-duplicates: not searched yet" in plan


# --- whole datasets ---


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """SKINBENCH_DATA with a HAM10000 in which two images of different lesions are one file."""
    make_ham(tmp_path / "data" / "ham10000", lesions_per_class=3)
    (tmp_path / "data" / "holiday").mkdir()
    files = sorted((tmp_path / "data" / "ham10000").rglob("*.jpg"))
    shutil.copy(files[0], files[-1])
    monkeypatch.setenv("SKINBENCH_DATA", str(tmp_path / "data"))
    return files


def test_datasets_against_each_other(shell, archive):
    done = shell("audit", "--datasets", "--json")
    found = json.loads(done.out)
    seconds = found.pop("seconds")
    report = from_plain(OverlapReport, found)
    assert done.code == 0
    assert seconds >= 0
    assert [item.name for item in report.datasets] == ["ham10000"]
    assert set(report.not_read) == {"holiday"}
    cells = {item.kind: item for item in report.overlaps}
    assert cells["pixels"].groups == cells["file"].groups == 1
    assert cells["file"].left_images == 2
    text = shell("audit", "--datasets", "ham10000").out
    assert max(map(len, text.splitlines())) <= 80
    assert "identical pixels" in text


def test_datasets_that_are_not_there(shell, archive, monkeypatch, tmp_path):
    assert "did you mean 'ham10000'" in shell.error("audit", "--datasets", "ham1000")
    assert "isic2019" in shell.error("audit", "--datasets", "isic2019", code=1)
    monkeypatch.setenv("SKINBENCH_DATA", str(tmp_path / "nowhere"))
    assert "SKINBENCH_DATA is not a folder" in shell.error("audit", "--datasets", code=1)


# --- a search, by a stand-in ---


def stand_in(asked):
    """A module in place of the search: i02 and i08 are near-duplicates."""

    def find(manifests, store, *, weights, workers, progress):
        asked.append(weights)
        pair = NearDuplicatePair(
            left=ImageName(dataset="drawn", image_id="i02"),
            right=ImageName(dataset="drawn", image_id="i08"),
            verdict="duplicate",
            inliers=33,
            similarity=0.9,
            overlap=0.9,
            transform=(1, 0, 0, 0, 1, 0),
        )
        found = NearDuplicates(
            datasets={item.name: item.digest for item in manifests},
            images=12,
            compared=1,
            pairs=(pair,),
            groups=(),
        )
        store.publish("duplicates", "made", lambda folder: write_json(folder / RESULT, found))
        return found

    module = types.ModuleType("skinbench.learn.duplicates")
    module.find_near_duplicates = find
    return module


def test_what_a_search_finds_is_a_leak_and_kept_together_by_lesion(shell, twins, tmp_path):
    asked: list[object] = []
    shell.monkeypatch.setitem(sys.modules, "skinbench.learn.duplicates", stand_in(asked))
    shell.monkeypatch.delenv("SKINBENCH_WEIGHTS", raising=False)
    words = ("audit", twins, "--set", "audit.near_duplicates=true", "--json")
    done = shell(*words)
    near = [f for f in done.json["audit"]["findings"] if f["kind"] == "near_duplicate"]
    assert [(f["examples"], f["partners"], f["advisory"]) for f in near] == [
        (["i08"], ["i02"], False)
    ]
    assert asked == [None]
    assert "searching for near-duplicates" in done.err
    (tmp_path / "w").mkdir()
    shell.monkeypatch.setenv("SKINBENCH_WEIGHTS", str(tmp_path / "w"))
    shell(*words)
    shell(*words, "--set", "audit.weights=mine.safetensors")
    assert asked[1:] == [tmp_path / "w", (tmp_path / "mine.safetensors").resolve()]
    text = yaml.safe_load(twins.read_text())
    text["splits"] = {"by_lesion": {"data": "drawn", "group": "lesion", "test": 0.3, "val": 0.2}}
    twins.write_text(yaml.safe_dump(text))
    found = shell(*words).json
    assert "near_duplicate" not in {f["kind"] for f in found["audit"]["findings"]}
    (pair,) = [item for item in found["pairs"] if item["evidence"] == "duplicate"]
    assert pair["crosses"] == []


def test_an_earlier_search_is_told_to_a_suite_that_does_not_ask(shell, twins):
    shell.monkeypatch.setitem(sys.modules, "skinbench.learn.duplicates", stand_in([]))
    shell("audit", twins, "--near-duplicates")
    done = shell("audit", twins, "--set", "leakage=error", "--json")
    near = [f for f in done.json["audit"]["findings"] if f["kind"] == "near_duplicate"]
    assert [f["advisory"] for f in near] == [True]
    assert "near-duplicate" not in done.json["refused"]
    assert "told, not acted on" in " ".join(shell("audit", twins).out.split())
    plan, audit = (shell(word, twins, "--json").json for word in ("plan", "audit"))
    assert plan["leaks"] == audit["leaks"]
