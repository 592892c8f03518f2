"""What is wrong in a suite is said on one line: file, line, key, what is allowed, the nearest."""

import pytest
import yaml

from tests.suite.texts import SMALL, fails, load, with_changes

TEXT = """\
name: small
data:
  drawn: {adapter: synthetic}
splits:
  by_lesion: {data: drawn, test: 0.2}
defaults:
  split: by_lesion
  epochs: 2
rows:
  a:
    model: baseline_cnn
    technique: focal
grids:
  g:
    model: baseline_cnn
    technique: [none, focal]
derived:
  e: {kind: mean_probability, of: "g/*"}
evaluate:
  - {rows: "g/*", conditions: [none, blur@3]}
gate:
  - {rows: "*", metric: recall, class: mel, margin: 0.05}
"""


def test_the_text_itself_is_fine(tmp_path):
    assert [row.name for row in load(tmp_path, TEXT).rows] == ["a", "g/none", "g/focal"]


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "parts"),
    [
        # unknown keys
        ("epochs: 2", "epoch: 2", 8, "defaults.epoch", ["did you mean 'epochs'"]),
        ("technique: focal", "tecnique: focal", 12, "rows.a.tecnique", ["'technique'"]),
        ("gate:", "gates:", 21, "gates", ["'gate'"]),
        ("    technique: [", "    techniques: [", 16, "grids.g.techniques", ["'technique'"]),
        ("metric: recall, ", "metric: recall, zzz: 1, ", 22, "gate.0.zzz", ["known: alpha, class"]),
        ("adapter: synthetic", "adapter: synthetic, rot: x", 3, "data.drawn.rot", ["'root'"]),
        # wrong types and values
        ("epochs: 2", "epochs: two", 8, "defaults.epochs", ["integer", "'two'"]),
        ("epochs: 2", "epochs: '2'", 8, "defaults.epochs", ["integer", "'2'"]),
        ("epochs: 2", "epochs: true", 8, "defaults.epochs", ["integer", "True"]),
        ("epochs: 2", "epochs: 2.5", 8, "defaults.epochs", ["integer", "2.5"]),
        ("epochs: 2", "epochs: 0", 8, "defaults.epochs", ["greater than 0", "not 0"]),
        ("epochs: 2", "image_size: 8", 8, "defaults.image_size", ["16", "not 8"]),
        ("epochs: 2", "optimizer: {lr: .inf}", 8, "defaults.optimizer.lr", ["number"]),
        ("epochs: 2", "optimizer: {lr: 1e999}", 8, "defaults.optimizer.lr", ["finite"]),
        ("epochs: 2", "seeds: []", 8, "defaults.seeds", ["at least 1"]),
        ("epochs: 2", "seeds: [1, 1]", 8, "defaults.seeds", ["twice"]),
        ("epochs: 2", "leakage: drop", 8, "defaults.leakage", ["unknown key"]),
        (
            "model: baseline_cnn\n    technique: focal",
            "model: {name: baseline_cnn, frozen: no}",
            11,
            "rows.a.model.frozen",
            ["boolean", "'no'"],
        ),
        ("test: 0.2", "test: 1.5", 5, "splits.by_lesion.test", ["less than 1"]),
        ("test: 0.2", "test: [1]", 5, "splits.by_lesion.test", ["not [1]"]),
        (
            'evaluate:\n  - {rows: "g/*", conditions: [none, blur@3]}',
            "evaluate: 3",
            19,
            "evaluate",
            ["list", "not 3"],
        ),
        ("name: small", "name: ''", 1, "name", ["a name is letters"]),
        ("name: small", "name: ../x", 1, "name", ["a name is letters", "'../x'"]),
        ("name: small", "name: a/b", 1, "name", ["a name is letters"]),
        ("  a:\n", "  a b:\n", 10, "rows.a b", ["a name is letters"]),
        ("name: small\n", "", 1, "name", ["is required"]),
        (
            "name: small",
            "leakage: dorp\nname: small",
            1,
            "leakage",
            ["'error', 'drop' or 'keep'", "not 'dorp'", "did you mean 'drop'"],
        ),
        (
            "  drawn: {adapter: synthetic}",
            "  drawn: {labels: ham7}",
            3,
            "data.drawn.adapter",
            ["is required"],
        ),
        ("epochs: 2", "epochs: 0\n  batch_size: 0", 8, "defaults.epochs", ["and 1 more"]),
        # unknown names
        ("adapter: synthetic", "adapter: syntetic", 3, "data.drawn.adapter", ["'synthetic'"]),
        ("{data: drawn,", "{data: drwan,", 5, "splits.by_lesion.data", ["'drawn'"]),
        ("split: by_lesion", "split: by_leson", 7, "defaults.split", ["did you mean 'by_lesion'"]),
        ("technique: focal", "technique: fcal", 12, "rows.a.technique", ["'focal'"]),
        ("technique: focal", "input: imag", 12, "rows.a.input", ["'image'"]),
        ("technique: focal", "augment: [p7]", 12, "rows.a.augment", ["'p7'", "known: brightness"]),
        ("[none, focal]", "[none, fokal]", 16, "grids.g.technique", ["'focal'"]),
        (
            "model: baseline_cnn\n    technique: focal",
            "model: baseline_cn",
            11,
            "rows.a.model",
            ["'baseline_cnn'"],
        ),
        (
            "kind: mean_probability",
            "kind: mean_probabilty",
            18,
            "derived.e.kind",
            ["'mean_probability'"],
        ),
        ("metric: recall", "metric: recal", 22, "gate.0.metric", ["'recall'"]),
        ("blur@3", "blurr@3", 20, "evaluate.0.conditions", ["'blur'"]),
        ("blur@3", "blur@9", 20, "evaluate.0.conditions", ["1 to 5"]),
        ("blur@3", "blur", 20, "evaluate.0.conditions", ["blur@3"]),
        ("gate:", "explain: {method: gradcan}\ngate:", 21, "explain.method", ["'gradcam'"]),
        # unknown options
        (
            "technique: focal",
            "technique: {name: focal, options: {gama: 1}}",
            12,
            "rows.a.technique.options.gama",
            ["technique 'focal' has no option", "'gamma'"],
        ),
        (
            "adapter: synthetic",
            "adapter: synthetic, options: {lesion: 3}",
            3,
            "data.drawn.options.lesion",
            ["dataset 'synthetic'", "'lesions'"],
        ),
        (
            'of: "g/*"',
            'of: "g/*", options: {x: 1}',
            18,
            "derived.e.options.x",
            ["derived 'mean_probability' has no option"],
        ),
        (
            "name: small\n",
            "name: small\ncompare: {gap: {row: nope, against: a}}\n",
            2,
            "compare.gap.row",
            ["no row 'nope'"],
        ),
        (
            "name: small\n",
            'name: small\ncompare: {gap: {row: a, against: a, metrics: ["recall"]}}\n',
            2,
            "compare.gap.metrics",
            ["metric 'recall' is per class"],
        ),
        (
            "name: small\n",
            "name: small\nranking: {over: seeds}\n",
            2,
            "ranking.over",
            ["ranks over seeds are refused", "independent datasets"],
        ),
        (
            "name: small\n",
            "name: small\nranking: {reference: best on va}\n",
            2,
            "ranking.reference",
            ["no row 'best on va'", "'best on val'"],
        ),
        (
            "name: small\n",
            "name: small\nranking: {by: recall}\n",
            2,
            "ranking.by",
            ["metric 'recall' is per class"],
        ),
        (
            "name: small\n",
            "name: small\nbootstrap: {interval: bcs}\n",
            2,
            "bootstrap.interval",
            ["percentile", "bca"],
        ),
        # references
        ('of: "g/*"', 'of: "h/*"', 18, "derived.e.of", ["no row matches 'h/*'"]),
        ('of: "g/*"', "of: e", 18, "derived.e.of", ["'e' is this row"]),
        ('of: "g/*"', "of: []", 18, "derived.e.of", ["at least 1"]),
        ('rows: "g/*", cond', 'rows: "h/*", cond', 20, "evaluate.0.rows", ["no row matches"]),
        ('rows: "g/*", cond', 'rows: "g/*", on: dran, cond', 20, "evaluate.0.on", ["'drawn'"]),
        (
            "technique: focal",
            "claims: [{metric: acuracy, value: 1, source: s}]",
            12,
            "rows.a.claims.0.metric",
            ["'accuracy'"],
        ),
        (
            'of: "g/*"',
            'of: "g/*", claims: [{metric: recall, value: 1, source: s}]',
            18,
            "derived.e.claims.0",
            ["per class"],
        ),
        # impossible combinations
        ("class: mel, ", "", 22, "gate.0", ["per class", "`class: mel`"]),
        ("metric: recall", "metric: accuracy", 22, "gate.0.class", ["leave `class` out"]),
        ("class: mel, ", "class: mel, slice: sx=male, ", 22, "gate.0.slice", ["'sex'?", "site"]),
        ("class: mel, ", "class: mel, slice: male, ", 22, "gate.0.slice", ["name=value"]),
        ("  split: by_lesion\n", "", 9, "rows.a", ["needs `split`"]),
        (
            "    model: baseline_cnn\n    technique: focal",
            "    technique: focal",
            10,
            "rows.a",
            ["needs `model`"],
        ),
        (
            "epochs: 2",
            "optimizer: {name: adam, momentum: 0.5}",
            8,
            "defaults.optimizer",
            ["for sgd, not adam"],
        ),
        (
            "model: baseline_cnn\n    technique: focal",
            "model: {name: baseline_cnn, weights: {file: x, row: g/none}}",
            11,
            "rows.a.model.weights",
            ["either `file` or `row`"],
        ),
        (
            "model: baseline_cnn\n    technique: focal",
            "model: {name: baseline_cnn, weights: {row: a}}",
            11,
            "rows.a.model.weights.row",
            ["'a' is this row"],
        ),
        (
            "model: baseline_cnn\n    technique: focal",
            "model: {name: baseline_cnn, weights: {row: g/none, mean: [0, 0, 0]}}",
            11,
            "rows.a.model.weights",
            ["go with `file`"],
        ),
        ("  e: {kind", "  g/none: {kind", 18, "derived.g/none", ["two rows are called 'g/none'"]),
        ("  a:\n", "  baseline/x:\n", 10, "rows.baseline/x", ["baseline/"]),
    ],
)
def test_one_line_with_place_and_help(tmp_path, old, new, line, key, parts):
    assert TEXT.count(old) >= 1
    error = fails(tmp_path, TEXT.replace(old, new, 1))
    assert (error.line, error.key) == (line, key), str(error)
    for part in parts:
        assert part in error.message


@pytest.mark.parametrize(
    ("split", "part"),
    [
        ({}, "needs `data`"),
        ({"data": "drawn"}, "needs `test`"),
        ({"data": "drawn", "test": "drawn"}, "a share of the images"),
        ({"data": "drawn", "test": 0.2, "folds": 5}, "not both"),
        ({"data": "drawn", "folds": 1}, "greater than or equal to 2"),
        ({"data": "drawn", "test": 0.7, "val": 0.3}, "leave nothing to train on"),
        ({"data": "drawn", "test": 0.2, "exclude": "drawn"}, "goes with `train` and `test`"),
        ({"data": "drawn", "file": "x.csv", "test": 0.2}, "leave `test` and `folds` out"),
        ({"data": "drawn", "file": "x.csv", "folds": 2}, "leave `test` and `folds` out"),
        ({"train": "drawn"}, "needs `train` and `test`"),
        ({"train": "drawn", "test": 0.2}, "needs `train` and `test`"),
        ({"train": "drawn", "test": "drawn", "data": "drawn"}, "takes no `data`"),
        ({"train": "drawn", "test": "drawn", "folds": 3}, "takes no `data`, `folds`"),
        ({"train": "drawn", "test": "other"}, "no dataset 'other'"),
        ({"data": "drawn", "test": 0.2, "group": "patiant"}, "did you mean 'patient'"),
    ],
)
def test_splits_that_cannot_be(tmp_path, split, part):
    assert part in str(fails(tmp_path, with_changes(splits={"by_lesion": split})))


@pytest.mark.parametrize(
    "split",
    [
        {"data": "drawn", "test": 0.2},
        {"data": "drawn", "folds": 5, "group": "image", "val": 0},
        {"data": "drawn", "file": "given.csv"},
        {"train": "drawn", "test": "drawn2", "exclude": "drawn2"},
    ],
)
def test_splits_that_can_be(tmp_path, split):
    data = {"drawn": SMALL["data"]["drawn"], "drawn2": SMALL["data"]["drawn"]}
    suite = load(tmp_path, with_changes(data=data, splits={"by_lesion": split}))
    assert suite.file.splits["by_lesion"].group == split.get("group", "lesion")


def test_a_suite_needs_rows(tmp_path):
    assert "needs rows or grids" in str(fails(tmp_path, with_changes(rows={})))


def test_every_key_of_the_schema_is_checked_for_near_misses(tmp_path):
    """Drop the last letter of any key of the text: the error names it, or what is missing."""
    values = yaml.safe_load(TEXT)
    for key in values:
        broken = {(k[:-1] if k == key else k): v for k, v in values.items()}
        assert f"did you mean '{key}'" in str(fails(tmp_path, broken))


def test_what_a_stranger_wrote_stays_on_one_line(tmp_path):
    error = fails(tmp_path, with_changes(**{"a\n\x1b[2J": 1}))
    assert "unknown key 'a\\n\\x1b[2J'" in str(error)


def test_a_row_that_needs_itself_or_what_is_made_below_it(tmp_path):
    start = {"name": "baseline_cnn", "weights": {"row": "a"}}
    error = fails(tmp_path, with_changes(rows={"a": {"model": start}}))
    assert "'a' is this row" in error.message
    derived = {
        "first": {"kind": "mean_probability", "of": ["second"]},
        "second": {"kind": "mean_probability", "of": ["a"]},
    }
    error = fails(tmp_path, with_changes(derived=derived))
    assert error.key == "derived.first.of"
    assert "move it above 'first'" in error.message
