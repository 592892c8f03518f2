"""`schema` and `init`: what a user starts from."""

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


def test_the_first_suite_can_be_planned_at_once(shell):
    assert shell("init").code == 0
    assert shell("plan", "synthetic_suite.yaml", "--set", "data.drawn.options.lesions=40").code == 0
