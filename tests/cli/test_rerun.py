"""The command that a cell's page prints plans that row, with the same fits."""

from __future__ import annotations

import copy
import shlex

import pytest

from skinbench.records import Plan, Row
from skinbench.report.rerun import rerun
from skinbench.store import from_plain
from tests.cli.test_reading import TINY
from tests.suite.texts import write

TYPED = (
    "skinbench run suite.yaml --set defaults.epochs=9 --only '*' --out=elsewhere --workers 2 "
    "--set 'data.drawn.options={lesions: 60}' --fail-fast --baseline 'b c.json'"
)


def row(name: str, kind: str = "fit", **changes: object) -> Row:
    facts = {"model": "m", "input": "image", "technique": "none", "split": "s"}
    values = {"name": name, "kind": kind, "label_space": "ham7", "classes": ("nv",), **facts}
    return from_plain(Row, {**values, **changes})


def planned(shell, *words: str) -> Plan:
    return from_plain(Plan, shell("plan", *words, "--json").json["plan"])


def test_the_printed_command_plans_exactly_that_row_with_the_same_fit(shell, tmp_path):
    write(tmp_path, TINY)
    whole = planned(shell, "suite.yaml", "--set", "defaults.epochs=9")
    typed = "skinbench run suite.yaml --set defaults.epochs=9 --out x --only '*'"
    for item in (row for row in whole.rows if row.kind == "fit"):
        found = rerun(typed, item, whole.rows, "again")
        words = shlex.split(found.command)
        assert words[:2] == ["skinbench", "run"]
        assert words[-2:] == ["--out", "reports/again"]
        made = planned(shell, *words[2:-2])
        needed = {"a", "b"} if item.name == "b" else {item.name}  # b starts from a's weights
        assert {row.name for row in made.rows if row.kind == "fit"} == needed
        fits = {cell.fit for cell in whole.cells if cell.row == item.name}
        assert fits == {cell.fit for cell in made.cells if cell.row == item.name}


def test_run_takes_the_printed_command():
    from skinbench.cli.run_command import command

    found = rerun(TYPED, row("a"), [row("a")], "again")
    # A copy: a context without its group would leave the command without `-h`.
    given = copy.copy(command).make_context("run", shlex.split(found.command)[2:]).params
    assert given["suite"] == "suite.yaml"
    assert given["only"] == ("a",)
    assert given["sets"] == ("defaults.epochs=9", "data.drawn.options={lesions: 60}")
    assert given["out"].as_posix() == "reports/again"
    assert (given["baseline"], given["workers"], given["fail_fast"]) == (None, None, False)


@pytest.mark.parametrize(
    ("asked", "only", "said"),
    [
        (row("baseline/s/majority", "plain"), "a", "comes with every row of split s"),
        (row("e", "derived"), "e", "members"),
        (row("a:binary", of="a"), "a", "judges what a predicts"),
    ],
)
def test_rows_that_are_not_trained_say_what_makes_them(asked, only, said):
    found = rerun(TYPED, asked, [row("a"), asked], "again")
    words = shlex.split(found.command)
    assert words[words.index("--only") + 1] == only
    assert said in found.note


@pytest.mark.parametrize("typed", ["", "skinbench score x", "skinbench run 'a", "skinbench run"])
def test_without_a_run_there_is_no_command(typed):
    found = rerun(typed, row("a"), [row("a")], "again")
    assert (found.command, bool(found.note)) == ("", True)


def test_a_baseline_alone_has_no_command():
    alone = row("baseline/s/majority", "plain")
    assert rerun(TYPED, alone, [alone], "again").command == ""
