"""The worked guide of suites/README.md: what it says to type runs, what it shows is valid."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from skinbench.pipeline.judging import policy_of
from skinbench.store import RunFolder
from skinbench.suite import load_suite
from tests.score.drawn import CLASSES, frame

GUIDE = Path(__file__).parents[2] / "suites" / "README.md"
TEXT = GUIDE.read_text("utf-8").partition("## A melanoma gate for your own data")[2]
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture
def files(tmp_path):
    probabilities = [f"p_{code}" for code in CLASSES]
    old, new = frame(1600), frame(1600, seed=1, skill=1.7)
    old[["image_id", *probabilities]].to_csv(tmp_path / "old.csv", index=False)
    new[["image_id", *probabilities]].to_csv(tmp_path / "new.csv", index=False)
    table = old[["image_id", "label"]].assign(lesion_id=old["group_id"])
    table.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path


def test_the_commands_on_tables_and_predictions_run_in_their_order(shell, files):
    typed = [line for line in COMMANDS if ".csv" in line]
    assert [line.split()[1] for line in typed] == ["power", *["gate"] * 4]
    said = []
    for line in typed:
        done = shell(*shlex.split(line)[1:])
        assert done.code == 0, (line, done)
        said.append(done.out)
    assert "passed" in said[3]
    assert "first baseline written: own.json" in said[4]


def test_every_option_that_it_names_exists(shell):
    for line in COMMANDS:
        words = shlex.split(line)
        known = shell(words[1], "--help").out
        for word in words:
            if word.startswith("--"):
                assert word in known, line


def test_the_suite_that_it_shows_is_valid(tmp_path):
    shown = yaml.safe_load(next(iter(re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL))))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "suite.yaml").write_text(yaml.safe_dump(shown))
    assert len(load_suite(tmp_path / "run" / "suite.yaml").file.gate) == 3
    policy = policy_of(RunFolder(tmp_path / "run"))
    assert policy.decision.title == "mel at recall 0.9 on val"
    assert [check.required for check in policy.checks] == [True, True, False]
