"""`compare` for a person."""

from dataclasses import replace

from skinbench.records.run_difference import RunDifference
from skinbench.store import from_plain
from tests.cli.commands import write_run
from tests.gate.runs import damage, run
from tests.score.drawn import frame


def test_two_runs_on_80_columns_and_as_json(shell, tmp_path):
    data = frame(400)
    write_run(tmp_path / "one", run({"a@0.0": data, "x=1@0.0": data}))
    write_run(tmp_path / "two", run({"a@0.0": damage(data, 0.5), "y@0.0": data}))
    asked = ["--metric", "recall:mel", "--metric", "specificity:mel"]
    done = shell("compare", "one", "two", *asked, "--images", "2")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    for part in ("A: one", "B: two", "recall mel", "broken", "settings", "only in A: x=1"):
        assert part in done.out
    assert done.out.count(" broken\n") == 2, "as many images as asked for"
    found = from_plain(RunDifference, shell("compare", "one", "two", *asked, "--json").json)
    assert [score.metric for score in found.scores] == ["recall", "specificity"]
    assert len(found.flips[0].flips) > 2
    assert "did you mean" in shell.error("compare", "one", "two", "--metric", "recal:mel")
    assert "a row of each run, A=B" in shell.error("compare", "one", "two", "--row", "a")


def test_a_pair_of_rows_whose_names_hold_the_sign(shell, tmp_path):
    data = frame(300)
    write_run(tmp_path / "one", run({"x=1@0.0": data}))
    write_run(tmp_path / "two", run({"y@0.0": data}))
    asked = ["--row", "x=1=y", "--metric", "accuracy", "--json"]
    (score,) = shell("compare", "one", "two", *asked).json["scores"]
    assert (score["old_row"], score["row"], score["difference"]) == ("x=1", "y", 0)


def test_rows_of_leaky_splits_are_marked(shell, tmp_path):
    item = run({"a@0.0": frame(300)})
    stamped = replace(item.scorecard, stamps={"by_lesion": "leaky split: copies"})
    write_run(tmp_path / "one", replace(item, scorecard=stamped))
    write_run(tmp_path / "two", item)
    for pair in (("one", "two"), ("two", "one")):
        done = shell("compare", *pair, "--metric", "accuracy")
        assert "\na †\n" in done.out
        assert "† leaky split: copies" in done.out
    assert shell("compare", "one", "two", "--json").json["stamps"] == {"a": "leaky split: copies"}
    assert "†" not in shell("compare", "two", "two").out


def test_a_folder_that_is_no_run(shell, tmp_path):
    write_run(tmp_path / "one", run({"a@0.0": frame(300)}))
    (tmp_path / "g").mkdir()
    for words in (["compare", "one", "g"], ["compare", "g", "one"], ["power", "g"]):
        assert "g is no finished run" in shell.error(*words, code=1)
