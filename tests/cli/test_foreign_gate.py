"""`gate NEW --baseline OLD --manifest TABLE` on predictions that skinbench did not make."""

import pandas as pd
import pytest

from skinbench.records import Verdict
from skinbench.store import from_plain, read_json
from tests.cli.commands import write_run
from tests.gate.runs import damage, plain_run
from tests.score.drawn import CLASSES, frame

PROBABILITIES = [f"p_{code}" for code in CLASSES]


@pytest.fixture
def files(tmp_path):
    """old.csv (as ISIC has it), new.parquet, bad.csv and table.csv."""
    old, new = frame(1600), frame(1600, seed=1, skill=1.7)
    isic = old[["image_id", *PROBABILITIES]].set_axis(["image", *map(str.upper, CLASSES)], axis=1)
    isic.to_csv(tmp_path / "old.csv", index=False)
    new[["image_id", *PROBABILITIES]].to_parquet(tmp_path / "new.parquet")
    damage(old, 0.7)[["image_id", *PROBABILITIES]].to_csv(tmp_path / "bad.csv", index=False)
    table = old[["image_id", "label"]].assign(
        lesion_id=old["group_id"], sex=["female", "male"] * 800, camera=["a", "b"] * 800
    )
    table.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path


def test_two_files_of_predictions(shell, files):
    done = shell("gate", "old.csv", "--baseline", "old.csv", "--manifest", "table.csv", "--json")
    verdict = from_plain(Verdict, done.json)
    assert (done.code, verdict.outcome) == (0, "passed")
    assert [(c.row, c.metric, c.difference) for c in verdict.checks] == [
        ("model", "recall", 0.0),
        ("model", "specificity", 0.0),
    ]
    assert verdict.checks[0].n_groups < verdict.checks[0].n, "lesions of the table"
    bad = shell("gate", "bad.csv", "--baseline", "old.csv", "--manifest", "table.csv")
    assert bad.code == 3
    assert "recall mel" in bad.out
    assert max(map(len, bad.out.splitlines())) <= 80


def test_a_committed_baseline_of_given_predictions(shell, files):
    words = ["--baseline", "b.json", "--manifest", "table.csv"]
    assert shell("gate", "old.csv", *words, "--update-baseline").code == 0
    done = shell("gate", "new.parquet", *words, "--json")
    assert done.code == 0
    assert done.json["uses"][0]["total"] == 2
    assert shell("gate", "bad.csv", *words).code == 3
    before = read_json(files / "b.json")
    renewed = shell("gate", "new.parquet", *words, "--update-baseline")
    assert "baseline updated" in renewed.out
    after = read_json(files / "b.json")
    assert after["anchor"]["digest"] == before["digest"]
    assert len(next(iter(after["uses"].values()))) == 3, "old, new and bad"
    # The policy is the baseline's own, and files may be called otherwise.
    (files / "table.csv").rename(files / "images.csv")
    again = shell("gate", "new.parquet", "--baseline", "b.json", "--manifest", "images.csv")
    assert again.code == 0


def test_the_first_baseline_keeps_its_rules(shell, files):
    words = ["--baseline", "b.json", "--manifest", "table.csv"]
    given = ["--decision", "mel:threshold=0.3", "--on-inconclusive", "warn"]
    assert shell("gate", "old.csv", *words, *given, "--update-baseline").code == 0
    done = shell("gate", "new.parquet", *words, "--json")
    assert "decision rule: mel from 0.3 on, as given" in done.json["notes"]
    assert read_json(files / "b.json")["stated"]["on_inconclusive"] == "warn"
    once = shell("gate", "new.parquet", *words, "--decision", "argmax", "--json")
    assert "decision rule: argmax" in once.json["notes"]
    assert "the baseline decides by another rule: mel from 0.3 on, as given" in once.json["notes"]
    assert shell("gate", "new.parquet", *words, "--update-baseline").code == 0
    assert read_json(files / "b.json")["stated"]["on_inconclusive"] == "warn"
    assert shell("gate", "new.parquet", *words, "--json").json["outcome"] == "passed"


def test_other_images_are_refused(shell, files):
    table = pd.read_csv(files / "table.csv")
    table["label"] = ["vasc", *table["label"][1:]]
    table.to_csv(files / "other.csv", index=False)
    assert shell("gate", "old.csv", "--baseline", "b.json", "--manifest", "table.csv",
                 "--update-baseline").code == 0  # fmt: skip
    done = shell("gate", "old.csv", "--baseline", "b.json", "--manifest", "other.csv", "--json")
    assert (done.code, done.json["outcome"]) == (4, "refused")
    assert "labels of 1 image differ" in done.json["checks"][0]["reason"]
    table.drop(columns="lesion_id").to_csv(files / "alone.csv", index=False)
    done = shell("gate", "old.csv", "--baseline", "b.json", "--manifest", "alone.csv", "--json")
    assert "labels of 1 image" in done.json["checks"][0]["reason"]


def test_slices_and_rules_of_given_predictions(shell, files):
    words = ["--baseline", "old.csv", "--manifest", "table.csv", "--json"]
    asked = ["--metric", "recall", "--class", "mel", "--margin", "0.2", "--alpha", "0.025"]
    done = shell("gate", "new.parquet", *words, *asked, "--slice", "camera=a")
    assert done.code == 0
    assert done.json["checks"][0]["slice"] == "camera=a"
    assert done.json["checks"][0]["alpha"] == 0.025
    rule = shell("gate", "new.parquet", *words, "--decision", "mel:threshold=0.2")
    assert rule.json["decision_rule"] == "mel from 0.2 on, as given"
    line = shell.error("gate", "new.parquet", *words, "--decision", "mel:youden", code=1)
    assert "no val images to choose it on (threshold of mel" in line
    assert "no column 'camra'" in shell.error(
        "gate", "new.parquet", *words, *asked, "--slice", "camra=a"
    )


def test_mixed_up_arguments_are_usage_errors(shell, files):
    write_run(files / "run")
    said = shell.error("gate", "old.csv", "--baseline", "b.json")
    assert "old.csv is no run folder; give --manifest" in said
    said = shell.error("gate", "run", "--baseline", "b.json", "--manifest", "table.csv")
    assert "run is a folder" in said
    words = ["--baseline", "old.csv", "--manifest", "table.csv", "--update-baseline"]
    assert "writes a baseline (.json)" in shell.error("gate", "new.parquet", *words)


def test_an_inconclusive_verdict_may_warn_by_suite_or_by_option(shell, tmp_path):
    write_run(tmp_path / "old", plain_run(n=600))
    write_run(tmp_path / "new", plain_run(n=600, seed=3))
    assert shell("gate", "old", "--baseline", "b.json", "--update-baseline").code == 0
    asked = ["--metric", "recall", "--class", "mel", "--margin", "0.01"]
    words = ["gate", "new", "--baseline", "b.json", *asked]
    assert shell(*words).code == 4
    warned = shell(*words, "--on-inconclusive", "warn")
    assert warned.code == 0
    assert "inconclusive, and the policy only warns of that" in warned.out
    path = tmp_path / "new" / "suite.yaml"
    path.write_text(path.read_text() + "\ngate_policy: {on_inconclusive: warn}\n")
    assert shell(*words).code == 0
    assert shell(*words, "--on-inconclusive", "fail").code == 4


@pytest.fixture
def binary(files):
    """bin.csv, worse.csv (ISIC 2020's one column) and bin_table.csv: benign or malignant."""
    table = pd.read_csv(files / "table.csv")
    table["label"] = ["malignant" if label == "mel" else "benign" for label in table["label"]]
    table.to_csv(files / "bin_table.csv", index=False)
    old = pd.read_csv(files / "old.csv")
    for name, factor in (("bin.csv", 1.0), ("worse.csv", 0.3)):
        two = pd.DataFrame({"image_name": old["image"], "target": factor * old["MEL"]})
        two.to_csv(files / name, index=False)
    return ["--baseline", "b.json", "--manifest", "bin_table.csv"]


def test_two_classes_are_checked_by_the_malignant_one(shell, files, binary):
    first = shell("gate", "bin.csv", *binary, "--update-baseline")
    assert first.code == 0
    assert "without its specificity" not in first.err
    checks = shell("gate", "bin.csv", *binary, "--json").json["checks"]
    assert [(c["metric"], c["class"], c["margin"]) for c in checks] == [
        ("recall", "malignant", 0.05),
        ("specificity", "malignant", 0.03),
    ]
    assert "baseline updated" in shell("gate", "bin.csv", *binary, "--update-baseline").out
    assert shell("gate", "worse.csv", *binary).code == 3


def test_a_narrow_policy_is_kept_renewed_and_warned_of(shell, files, binary):
    asked = ["--metric", "recall", "--class", "malignant", "--update-baseline"]
    first = shell("gate", "bin.csv", *binary, *asked)
    assert "recall of malignant (*) is checked without its specificity" in first.err
    assert "baseline updated" in shell("gate", "bin.csv", *binary, *asked).out
    kept = read_json(files / "b.json")["policy"]
    other = ["--metric", "accuracy", "--update-baseline"]
    said = shell.error("gate", "bin.csv", *binary, *other)
    assert "b.json was written with (recall of malignant at margin 0.05)" in said
    assert read_json(files / "b.json")["policy"] == kept
    wider = ["--check", "recall:malignant", "--check", "specificity:malignant margin=0.03"]
    assert shell("gate", "bin.csv", *binary, *wider, "--update-baseline").code == 0
    assert [c["metric"] for c in read_json(files / "b.json")["policy"]] == ["recall", "specificity"]


def test_several_checks_as_they_are_typed(shell, files):
    words = ["new.parquet", "--baseline", "old.csv", "--manifest", "table.csv"]
    typed = ["recall:mel margin=0.2 slice=camera=a alpha=0.025", "specificity:nv required=false"]
    done = shell("gate", *words, *(w for text in typed for w in ("--check", text)), "--json")
    assert [(c["metric"], c["class"], c["slice"], c["margin"]) for c in done.json["checks"]] == [
        ("recall", "mel", "camera=a", 0.2),
        ("specificity", "nv", None, 0.05),
    ]
    assert not done.json["checks"][1]["required"]
    assert done.json["files"] == ["new.parquet", "old.csv"]
    assert "new.parquet beside the baseline old.csv" in shell("gate", *words).out


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("recall:mel margn=0.1", "unknown key 'margn'; did you mean 'margin'?"),
        ("recall:mel margin=2", "margin: Input should be less than 1"),
        ("recall:mel 0.05", "'0.05' is not KEY=VALUE"),
        ("recall:mel slice='sex", "expected METRIC:CLASS KEY=VALUE"),
        ("", "expected METRIC:CLASS KEY=VALUE"),
    ],
)
def test_a_check_that_cannot_be_read(shell, files, text, part):
    words = ["gate", "old.csv", "--baseline", "old.csv", "--manifest", "table.csv"]
    assert part in shell.error(*words, "--check", text)


def test_predictions_without_a_malignant_class_need_a_check(shell, files, binary):
    table = pd.read_csv(files / "bin_table.csv")
    table["label"] = table["label"].replace({"benign": "x", "malignant": "y"})
    table.to_csv(files / "xy_table.csv", index=False)
    old = pd.read_csv(files / "bin.csv")
    pd.DataFrame({"image": old["image_name"], "X": 1 - old["target"], "Y": old["target"]}).to_csv(
        files / "xy.csv", index=False
    )
    words = ["gate", "xy.csv", "--baseline", "xy.csv", "--manifest", "xy_table.csv"]
    assert "none of the classes x, y is melanoma" in shell.error(*words)
    assert shell(*words, "--check", "recall:y").code == 0
