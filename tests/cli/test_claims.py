"""`skinbench claims`: anyone's paper, as YAML, CSV or a suite."""

import json

import jsonschema
import pytest
import yaml

from skinbench.suite.claims_file import claims_schema

YAML = """
claims:
  - {row: smith/net, metric: accuracy, value: 0.96, sd: 0.25, source: Table 1}
  - {row: smith/net, metric: recall, class: mel, value: 0.90, source: text}
  - row: smith/net
    source: Figure 2
    report:
      mel: [0.80, 0.94, 0.86, 100]
      nv: [0.90, 0.80, 0.85, 300]
      accuracy: 0.84
  - {row: smith/other, metric: dice, value: 0.9, source: Table 1}
"""
CSV = """row,metric,class,value,n,sd,folds,source
smith/net,accuracy,,0.96,,0.25,,Table 1

smith/net,recall,mel,94 %,223,,,"Table 2, note"
smith/net,recall,mel,0.90,223,,,text
"""
SUITE = """
name: mine
data: {drawn: {adapter: synthetic}}
splits:
  by_image: {data: drawn, group: image, test: 0.2, leakage: keep}
  by_lesion: {data: drawn, test: 0.2}
papers: {p1: {title: A paper}}
grids:
  p1/net:
    model: baseline_cnn
    split: [by_image, by_lesion]
    claims:
      - {metric: accuracy, value: 0.81, source: Table 2}
      - {metric: accuracy, value: 0.85, source: Figure 4}
  p1/none: {model: baseline_cnn, split: [by_lesion]}
derived:
  p1/both: {kind: mean_probability, of: "p1/*", claims: [{metric: macro_f1, value: 0.5, source: x}]}
"""


def write(folder, text, name="paper.yaml"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_claims(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    path = write(tmp_path, YAML)
    done = shell("claims", path)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split() == ["row", "metric", "in", "print", "source", "verdict", "why"]
    assert "0.96 ± 0.25  Table 1" in lines[1]
    assert "impossible" in lines[1]
    assert "0.90 in text, 0.94 in Figure 2" in done.out
    assert "smith/other" in lines[-2]
    assert lines[-1] == "10 claims of 2 rows: 1 impossible, 3 contradictory, 6 consistent"


def test_a_narrow_terminal_has_the_reasons_below(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = shell("claims", write(tmp_path, YAML)).out
    assert max(map(len, out.splitlines())) <= 80
    assert "smith/net, accuracy: 0.96 ± 0.25 exceeds" in out


def test_json_and_markdown(shell, tmp_path):
    path, page = write(tmp_path, YAML), tmp_path / "out.md"
    done = shell("claims", path, "--json", "--markdown", page)
    assert done.json["counts"] == {"impossible": 1, "contradictory": 3, "consistent": 6}
    assert done.json["rows"] == 2
    first = done.json["claims"][0]
    assert (first["row"], first["metric"], first["class"]) == ("smith/net", "accuracy", None)
    assert first["verdict"] == "impossible"
    text = page.read_text("utf-8")
    assert "# Claims of paper.yaml" in text
    assert "| smith/net | accuracy | 0.96 ± 0.25 | Table 1 | impossible |" in text


def test_a_table_of_claims_says_the_same(shell, tmp_path):
    done = shell("claims", write(tmp_path, CSV, "paper.csv"), "--json")
    assert [item["verdict"] for item in done.json["claims"]] == [
        "impossible",
        "contradictory",
        "contradictory",
    ]
    assert done.json["claims"][1]["printed"] == "0.94"
    assert done.json["claims"][1]["source"] == "Table 2, note"
    tabs = CSV.replace('"Table 2, note"', "Table 2").replace(",", "\t")
    assert len(shell("claims", write(tmp_path, tabs, "paper.tsv"), "--json").json["claims"]) == 3


def test_a_suite_has_each_row_of_a_paper_once(shell, tmp_path):
    found = shell("claims", write(tmp_path, SUITE), "--json").json
    assert [item["row"] for item in found["claims"]] == ["p1/net", "p1/net", "p1/both"]
    assert [item["verdict"] for item in found["claims"]] == [
        "contradictory",
        "contradictory",
        "consistent",
    ]


def test_the_schema_takes_what_the_command_takes(shell):
    schema = shell("schema", "--claims").json
    assert schema == json.loads(json.dumps(claims_schema()))
    jsonschema.validate(yaml.safe_load(YAML), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"claims": [{"row": "a", "metric": "accuracy"}]}, schema)


@pytest.mark.parametrize(
    ("text", "name", "where", "words"),
    [
        ("claims: []", "a.yaml", "a.yaml:1: claims", "needs a claim"),
        ("claims: [3]", "a.yaml", "a.yaml:1: claims.0", "needs a mapping"),
        ("x: 1\nclaims: [{}]", "a.yaml", "a.yaml:1: x", "`claims` alone"),
        (
            "claims:\n - {row: a, metric: acuracy, value: 0.9, source: x}",
            "a.yaml",
            "a.yaml:2: claims.0.metric",
            "did you mean 'accuracy'",
        ),
        (
            "claims:\n - {metric: accuracy, value: 0.9, source: x}",
            "a.yaml",
            "a.yaml:2: claims.0.row",
            "is required",
        ),
        (
            "claims:\n - {row: a, metric: accuracy, value: x, source: x}",
            "a.yaml",
            "a.yaml:2: claims.0.value",
            "as printed",
        ),
        ("a,b\n1,2\n", "a.csv", "a.csv:1", "row, metric"),
        ("row,value\n", "a.csv", "a.csv", "no claim"),
        ("row,metric,value,source\na,accuracy,high,x\n", "a.csv", "a.csv:2: value", "as printed"),
        ("row,metric,value,source\na,acc,0.9,x\n", "a.csv", "a.csv:2: metric", "unknown metric"),
        ("row,metric,value,source\na,accuracy,0.9,x,y\n", "a.csv", "a.csv:2", "5 cells under 4"),
        ("row,metric,value,sauce\na,accuracy,0.9,x\n", "a.csv", "a.csv:2", "did you mean 'source'"),
        ("row,metric,value,n,source\na,accuracy,0.9,1.5,x\n", "a.csv", "a.csv:2: n", "integer"),
        ('row,metric,value,source\na,"accuracy,0.9,x\n', "a.csv", "a.csv:2", "is no table"),
        (SUITE.split("papers")[0] + "rows: {a: {model: baseline_cnn, split: by_lesion}}", "a.yaml",
         "a.yaml", "has no claims"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_with_their_place(shell, tmp_path, text, name, where, words):
    error = shell.error("claims", write(tmp_path, text, name))
    assert where in error
    assert words in error


def test_no_such_file(shell):
    assert "no such suite file" in shell.error("claims", "nosuch.yaml")
