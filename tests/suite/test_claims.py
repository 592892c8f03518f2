"""Claims keep their digits, reports become claims, papers say what differs."""

import jsonschema
import pytest
import yaml

from skinbench.suite import load_suite, suite_to_yaml
from skinbench.suite.json_schema import suite_schema
from tests.suite.texts import fails, load, with_changes, write

HEAD = """
name: small
data: {drawn: {adapter: synthetic, options: {lesions: 20}}}
splits:
  by_image: {data: drawn, group: image, test: 0.2, leakage: keep}
  by_lesion: {data: drawn, group: lesion, test: 0.2}
"""
ROWS = (
    HEAD
    + """
rows:
  a:
    model: baseline_cnn
    split: by_lesion
    claims:
      - {metric: accuracy, value: 0.80, n: 2003, source: Table 2}
      - {metric: recall, class: mel, value: "39 %", sd: .250, folds: 5, source: text}
      - source: Figure 4
        report:
          mel: [0.66, 0.53, 0.59, 223]
          nv: [0.92, 0.940, null, 1341]
          accuracy: 0.85
          macro: [0.78, 0.75, 0.76, 1564]
          weighted: [0.85, 0.85, 0.85, 1564]
      - {metric: macro_auroc, value: 1, source: text}
"""
)


def claims(suite, row=0):
    return [
        (c.metric, c.class_, c.value, c.n, c.n_positive, c.source) for c in suite.rows[row].claims
    ]


def test_claims_keep_their_digits_and_reports_become_claims(tmp_path):
    suite = load(tmp_path, ROWS)
    assert claims(suite) == [
        ("accuracy", None, "0.80", 2003, None, "Table 2"),
        ("recall", "mel", "0.39", None, None, "text"),
        ("precision", "mel", "0.66", None, 223, "Figure 4"),
        ("recall", "mel", "0.53", None, 223, "Figure 4"),
        ("f1", "mel", "0.59", None, 223, "Figure 4"),
        ("precision", "nv", "0.92", None, 1341, "Figure 4"),
        ("recall", "nv", "0.940", None, 1341, "Figure 4"),
        ("accuracy", None, "0.85", 1564, None, "Figure 4"),
        ("macro_precision", None, "0.78", 1564, None, "Figure 4, macro avg"),
        ("balanced_accuracy", None, "0.75", 1564, None, "Figure 4, macro avg"),
        ("macro_f1", None, "0.76", 1564, None, "Figure 4, macro avg"),
        ("weighted_precision", None, "0.85", 1564, None, "Figure 4, weighted avg"),
        ("accuracy", None, "0.85", 1564, None, "Figure 4, weighted avg"),
        ("weighted_f1", None, "0.85", 1564, None, "Figure 4, weighted avg"),
        ("macro_auroc", None, "1", None, None, "text"),
    ]
    assert (suite.rows[0].claims[1].sd, suite.rows[0].claims[1].folds) == (".250", 5)
    jsonschema.validate(yaml.safe_load(ROWS), suite_schema())


def test_the_resolved_suite_says_the_same_claims(tmp_path):
    suite = load(tmp_path, ROWS)
    resolved = suite_to_yaml(suite)
    assert "value: '0.80'" in resolved
    again = load_suite(write(tmp_path, resolved, "resolved.yaml"))
    assert again.rows[0].claims == suite.rows[0].claims
    jsonschema.validate(yaml.safe_load(resolved), suite_schema())


@pytest.mark.parametrize(
    ("claim", "key", "words"),
    [
        ("{metric: accuracy, value: high, source: x}", "claims.0.value", "as printed, e.g. 0.80"),
        ("{metric: accuracy, value: true, source: x}", "claims.0.value", "as printed, e.g. 0.80"),
        ("{metric: accuracy, value: 0.8}", "claims.0.source", "is required"),
        ("{metric: accuracy, source: x}", "claims.0.value", "is required"),
        ("{metric: accurcy, value: 0.8, source: x}", "claims.0.metric", "did you mean 'accuracy'"),
        ("{metric: recall, value: 0.8, source: x}", "claims.0", "is per class"),
        ("{metric: accuracy, value: 0.8, sd: -1, source: x}", "claims.0.sd", "not negative"),
        ("{metric: accuracy, value: 0.8, folds: 1, source: x}", "claims.0.folds", "2"),
        ("{metric: accuracy, value: 0.8, souce: x}", "claims.0.souce", "did you mean 'source'"),
        ("{source: x, report: {mel: [0.8, 0.8]}}", "claims.0.report.mel", "4"),
        ("{source: x, report: {mel: 0.8}}", "claims.0", "'mel' needs [precision"),
        ("{source: x, report: {accuracy: [1, 1, 1, 1]}}", "claims.0", "'accuracy' needs one"),
        ("{source: x, report: {mel: [1, 1, 1, 2.5]}}", "claims.0", "is its images, e.g. 223"),
    ],
)
def test_a_wrong_claim_is_one_line_with_its_place(tmp_path, claim, key, words):
    row = "rows:\n  a:\n    model: baseline_cnn\n    split: by_lesion\n    claims:\n      - "
    text = f"{HEAD}{row}{claim}\n"
    error = fails(tmp_path, text)
    assert error.key == f"rows.a.{key}"
    assert error.line == 12
    assert words in error.message


def test_the_place_of_a_claim_after_a_report(tmp_path):
    error = fails(tmp_path, ROWS.replace("macro_auroc", "makro_auroc"))
    assert error.key == "rows.a.claims.3.metric"


PAPER = (
    HEAD
    + """
papers:
  p1:
    title: A paper
    protocol: {split: image, weights: imagenet, augment: on the fly, epochs: 30, image_size: 128}
    notes: [it contradicts itself]
defaults: {epochs: 30, image_size: 128, augment: p1}
rows:
  p1/cnn: {model: baseline_cnn, split: by_image, protocol: {weights: random}}
  p1/net: {model: {name: resnet50, pretrained: true}, split: by_lesion, differences: [in words]}
  other/x: {model: baseline_cnn, split: by_lesion}
derived:
  p1/both: {kind: mean_probability, of: "p1/*", claims: [{metric: accuracy, value: 0.9, source: x}]}
profiles:
  local: {rows: {p1/net: {model: {pretrained: false, weights: {file: w.safetensors}}}}}
  laptop: {data: {drawn: {sample: 10}}, defaults: {epochs: 3, image_size: 32}}
  random: {rows: {p1/net: {model: {pretrained: false}}}}
  fixed: {rows: {p1/net: {augment: dihedral}}}
"""
)


def said(suite):
    """Row to its differences, as the plan takes them."""
    from skinbench.suite import differences

    found = {}
    for row in suite.rows:
        if row.protocol is not None:
            split = suite.file.splits[str(row.settings.split)]
            found[row.name] = (*differences(row.settings, split, row.protocol), *row.stated)
    return found


def test_what_a_row_does_otherwise_than_its_paper(tmp_path):
    suite = load(tmp_path, PAPER)
    assert [row.paper for row in suite.rows] == ["p1", "p1", ""]
    assert said(suite) == {
        "p1/cnn": (),
        "p1/net": ("split by lesion; the source split by image", "in words"),
    }
    assert suite.reduced == {}
    jsonschema.validate(yaml.safe_load(PAPER), suite_schema())
    resolved = load_suite(write(tmp_path, suite_to_yaml(suite), "resolved.yaml"))
    assert said(resolved) == said(suite)


def test_weights_from_a_file_differ_and_no_weights_are_less(tmp_path):
    local = load(tmp_path, PAPER, profile="local")
    assert "first weights from w.safetensors, not the source's own" in said(local)["p1/net"]
    assert local.reduced == {}
    random = load(tmp_path, PAPER, profile="random")
    assert "random first weights: ImageNet's were not available" in said(random)["p1/net"]
    assert random.reduced == {
        "p1/net": "random first weights instead of pretrained ones",
        "p1/both": "random first weights instead of pretrained ones",
    }


def test_what_is_reduced_names_data_epochs_and_size(tmp_path):
    suite = load(tmp_path, PAPER, profile="laptop")
    whole = "image_size 32 instead of 128; epochs 3 instead of 30; about 10 images of drawn"
    assert suite.reduced == dict.fromkeys(["p1/cnn", "p1/net", "other/x", "p1/both"], whole)
    assert "epochs 3 instead of 30" in said(suite)["p1/cnn"]


def test_a_file_that_asks_for_less_than_its_paper_says_so_without_any_profile(tmp_path):
    text = PAPER.replace(
        "defaults: {epochs: 30, image_size: 128", "defaults: {epochs: 5, image_size: 64"
    )
    assert (
        load(tmp_path, text).reduced["p1/cnn"]
        == "image_size 64 instead of 128; epochs 5 instead of 30"
    )
    assert "other/x" not in load(tmp_path, text).reduced


def test_no_augmentation_and_another_dataset_are_said(tmp_path):
    text = yaml.safe_load(PAPER)
    text["data"]["second"] = {"adapter": "synthetic", "options": {"lesions": 20, "seed": 3}}
    text["splits"]["cross"] = {"train": "drawn", "test": "second"}
    text["rows"]["p1/net"] |= {"split": "cross", "augment": []}
    text["rows"]["p1/cnn"]["protocol"]["split"] = "not stated"
    suite = load(tmp_path, text)
    assert said(suite)["p1/net"][:2] == (
        "split from another dataset; the source split by image",
        "no augmentation; the source varied its training images on the fly",
    )
    assert said(suite)["p1/cnn"] == ("split by image; the source does not say by what it split",)


def test_tolerances_are_options_of_the_suite(tmp_path):
    assert load(tmp_path).file.claims.tolerance == 0.03
    suite = load(tmp_path, with_changes(claims={"tolerance": 0.01}))
    assert (suite.file.claims.tolerance, suite.file.claims.class_tolerance) == (0.01, 0.05)
    error = fails(tmp_path, with_changes(claims={"tolerence": 0.01}))
    assert "did you mean 'tolerance'" in error.message
