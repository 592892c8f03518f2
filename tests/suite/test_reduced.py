"""Rows on data of which a part is missing are reduced, and so is what is made of them."""

from __future__ import annotations

from skinbench.suite import load_suite
from skinbench.suite.reduced import reduced_by_data

TEXT = """
name: two
data:
  a: {adapter: synthetic, options: {lesions: 60}}
  b: {adapter: synthetic, options: {lesions: 60}}
splits:
  alone: {data: a, group: lesion, test: 0.2}
  across: {train: a, test: b, group: lesion}
rows:
  here: {model: baseline_cnn, split: alone}
  there: {model: baseline_cnn, split: across}
derived:
  mean: {kind: mean_probability, of: [there]}
"""


def test_rows_of_a_dataset_that_lacks_images_and_what_is_made_of_them(tmp_path):
    path = tmp_path / "suite.yaml"
    path.write_text(TEXT, encoding="utf-8")
    suite = load_suite(path)
    known = {"there": "epochs 3 instead of 30"}
    found = reduced_by_data(suite.file, suite.rows, known, {"b": "9 images of b not here"})
    said = "epochs 3 instead of 30; 9 images of b not here"
    assert found == {"there": said, "mean": said}
    both = reduced_by_data(suite.file, suite.rows, {}, {"a": "1 image of a not here"})
    assert set(both) == {"here", "there", "mean"}
    assert reduced_by_data(suite.file, suite.rows, known, {}) == known
