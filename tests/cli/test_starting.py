"""`schema` and `init`: what a user starts from."""

import re

import jsonschema
import pytest

from skinbench.suite import load_suite, read_document


def test_schema_is_a_schema_that_accepts_every_starter(shell, tmp_path):
    schema = shell("schema").json
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for dataset in ("synthetic", "ham10000", "csv"):
        assert shell("init", dataset, "--out", f"{dataset}.yaml").code == 0
        values = read_document(tmp_path / f"{dataset}.yaml").values
        assert not list(validator.iter_errors(values))
        broken = {**values, "splits": {"s": {"dta": "x"}}}
        assert list(validator.iter_errors(broken))


@pytest.mark.parametrize("dataset", ["synthetic", "ham10000", "csv"])
def test_init_writes_a_suite_and_leaves_what_is_there(shell, tmp_path, dataset):
    done = shell("init", dataset)
    path = tmp_path / f"{dataset}_suite.yaml"
    assert f"next: skinbench plan {path.name}" in done.out
    suite = load_suite(path)
    assert suite.rows
    assert suite.file.gate
    assert path.read_text().count("#") >= 5
    path.write_text("mine")
    assert "exists; use --force" in shell.error("init", dataset)
    assert path.read_text() == "mine"
    assert shell("init", dataset, "--force").code == 0
    assert load_suite(path).rows


@pytest.mark.parametrize("dataset", ["synthetic", "ham10000", "csv"])
def test_what_a_starter_leaves_as_comments_is_valid_where_the_sign_is_taken_away(
    shell, tmp_path, dataset
):
    shell("init", dataset)
    path = tmp_path / f"{dataset}_suite.yaml"
    before, mark, after = path.read_text().partition("# What else a suite can ask for")
    assert mark
    path.write_text(before + re.sub(r"^# ?", "", after.partition("\n")[2], flags=re.MULTILINE))
    suite = load_suite(path).file
    assert suite.gate_policy.decision == "mel:recall=0.9"
    assert (len(suite.operating_points), len(suite.prevalence)) == (2, 1)
    (contrast,) = suite.compare.values()
    rows = {row.name for row in load_suite(path).rows}
    assert {contrast.row, contrast.against, suite.ranking.reference} <= rows
    assert suite.derived["calibrated"].kind == "temperature"
    assert suite.evaluate[0].conditions[-1] == "hair@5"


def test_the_first_suite_can_be_planned_at_once(shell):
    assert shell("init").code == 0
    assert shell("plan", "synthetic_suite.yaml", "--set", "data.drawn.options.lesions=40").code == 0
