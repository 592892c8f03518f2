"""`power` on a run and on a table."""

import pandas as pd
import pytest

from tests.cli.commands import write_run
from tests.gate.runs import plain_run, run
from tests.score.drawn import CLASSES, frame
from tests.suite.texts import with_changes, write

QUICK = ["--simulations", "200"]


@pytest.fixture
def table(tmp_path):
    data = frame(1600)
    named = data.rename(columns={"group_id": "lesion_id"})
    named[["image_id", "lesion_id", "label"]].to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


def test_a_run_by_its_own_policy_and_values(shell, tmp_path):
    tables = {
        f"grid/{name}@0.0": frame(1600, skill=skill)
        for name, skill in zip("abc", (1, 2, 3), strict=True)
    }
    tables["grid/b@0.1"] = frame(1600, seed=1, skill=2)
    item = run(tables)
    write_run(tmp_path / "run", item)
    done = shell("power", "run", *QUICK, "--json")
    (line,) = done.json  # the suite of write_run: melanoma recall with margin 0.2
    assert (line["row"], line["metric"], line["class"], line["margin"]) == (
        "grid/b",
        "recall",
        "mel",
        0.2,
    )
    card = {s.row: s for s in item.scorecard.scores if s.metric == "recall" and s.class_ == "mel"}
    assert line["value"] == pytest.approx(card["grid/b"].value)
    assert line["n_groups"] == card["grid/b"].n_groups
    assert "changed images as between its 2 seeds" in line["assumed"]
    assert [drop["drop"] for drop in line["drops"]] == [0.2, 0.4]
    assert line["unchanged"]["passed"] > 0.9 > 0.2 > line["drops"][0]["passed"]
    named = shell("power", "run", *QUICK, "--row", "grid/c", "--drop", "0.1", "--json").json[0]
    assert (named["row"], named["drops"][0]["drop"]) == ("grid/c", 0.1)
    assert "changed images assumed" in named["assumed"]


def test_a_loss_that_no_model_can_have_is_named(shell, table):
    asked = ["--value", "recall=0.6", "--value", "specificity=0.9", "--drop", "0.7", *QUICK]
    lines = shell("power", "table.csv", *asked, "--json").json
    assert (lines[0]["impossible"], lines[0]["drops"]) == ([0.7], [])
    assert [drop["drop"] for drop in lines[1]["drops"]] == [0.7]
    assert "impossible" not in lines[1]
    assert (
        "a loss of 0.7 is not possible: the value is 0.600"
        in shell("power", "table.csv", *asked).out
    )


def test_a_table_before_anything_is_trained(shell, table):
    done = shell("power", "table.csv", *QUICK)
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    assert "recall mel on table: 185 images of 97 lesion groups, margin 0.05" in done.out
    assert "specificity mel on table" in done.out
    assert "to pass" in done.out
    less = shell("power", "table.csv", "--share", "0.4", *QUICK, "--json").json
    assert 35 <= less[0]["n_groups"] <= 43
    given = ["--value", "recall=0.95", "--discordant", "0.05", "--correlation", "0"]
    line = shell("power", "table.csv", *QUICK, *given, "--json").json[0]
    assert (line["value"], line["discordant"], line["correlation"]) == (0.95, 0.05, 0)


def test_a_share_too_small_says_so(shell, table):
    done = shell("power", "table.csv", "--share", "0.1", "--metric", "recall", "--class", "mel")
    assert done.code == 0
    assert "at least 30 are needed" in done.out


def test_a_metric_that_is_no_share_says_so(shell, table, tmp_path):
    folder = write_run(tmp_path / "run", plain_run())
    for test in ("run", "table.csv"):
        said = shell.error("power", test, "--metric", "auroc", "--class", "mel")
        assert "shares of images (recall, specificity, accuracy), not for auroc" in said
    checks = [{"metric": name, "class": "mel", "margin": 0.2} for name in ("recall", "auroc")]
    write(folder.root, with_changes(gate=checks))
    done = shell("power", "run", *QUICK)
    assert "auroc is no share of images" in done.out
    assert " 0 images" not in done.out


def test_a_table_as_isic_publishes_truth(shell, tmp_path):
    data = frame(1600)
    truth = pd.DataFrame({"image": data["image_id"]})
    for code in CLASSES:
        truth[code.upper()] = (data["label"] == code).astype(float)
    truth.to_csv(tmp_path / "truth.csv", index=False)
    (recall, specificity) = shell("power", "truth.csv", *QUICK, "--json").json
    assert recall["images"] == recall["n_groups"] == (data["label"] == "mel").sum()
    assert recall["images"] + specificity["images"] == data["label"].notna().sum()
    two = data[["image_id"]].assign(target=(data["label"] == "mel").astype(int))
    two.to_csv(tmp_path / "two.csv", index=False)
    assert shell("power", "two.csv", *QUICK, "--json").json[0]["class"] == "malignant"
    data[["image_id"]].assign(note="x").to_csv(tmp_path / "none.csv", index=False)
    assert "or ISIC's one-hot columns" in shell.error("power", "none.csv", code=1)


@pytest.mark.parametrize(
    ("words", "part", "code"),
    [
        (["table.csv", "--row", "a"], "--row goes with a run folder", 2),
        (["table.csv", "--class", "mel"], "--class goes with --metric", 2),
        (["table.csv", "--value", "recall"], "expected METRIC=NUMBER", 2),
        (["table.csv", "--value", "recall=1.5"], "a number above 0 and below 1", 2),
        (["table.csv", "--value", "recall=nan"], "a number above 0 and below 1", 2),
        (["table.csv", "--value", "recal=0.8"], "did you mean 'recall'", 2),
        (["table.csv", "--share", "0"], "'--share': 0.0 is not in the range", 2),
        (["table.csv", "--share", "0.000001"], "leaves none of the", 2),
        (["table.csv", "--share", "0.002"], "no test image is labelled 'mel'", 1),
        (["table.csv", "--discordant", "0.9"], "disagree on 0.320", 2),
        (["table.csv", "--metric", "recall", "--class", "mell"], "did you mean 'mel'", 1),
        (["run", "--share", "0.2"], "--share goes with a table", 2),
        (["run", "--row", "grid/z"], "did you mean 'grid/a'", 2),
    ],
)
def test_mistakes(shell, table, tmp_path, words, part, code):
    write_run(tmp_path / "run", plain_run())
    assert part in shell.error("power", *words, code=code)
