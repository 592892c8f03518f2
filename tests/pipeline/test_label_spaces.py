"""A model of eight classes, judged on test sets of seven and of two: the whole line but Ray."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinbench.catalog.datasets import synthetic
from skinbench.pipeline.prepared import Prepared
from skinbench.pipeline.scoring import score
from skinbench.records import Scorecard
from skinbench.report.leaderboard import leaderboard
from skinbench.score.predictions import read_predictions
from skinbench.store import RunFolder, write_json
from tests.pipeline.in_process import predicted

pytestmark = [pytest.mark.torch, pytest.mark.slow]

SUITE = """
name: spaces
data:
  eight:
    adapter: csv
    root: eight/metadata.csv
    labels: isic8
    options: {label: dx, site: localization}
  seven: {adapter: synthetic, options: {lesions: 60, size: 24, seed: 5}}
  two:
    adapter: synthetic
    labels: {space: malignant, ak: malignant}
    options: {lesions: 40, size: 24, seed: 6}
  mel: {adapter: synthetic, labels: melanoma, options: {lesions: 40, size: 24, seed: 7}}
splits:
  own: {data: eight, test: 0.3, val: 0.2}
  cross: {train: eight, test: mel, val: 0.2}
defaults: {image_size: 16, epochs: 1}
bootstrap: {replicates: 100}
baselines: false
explain: null
rows:
  a: {model: metadata_only, split: own}
  b: {model: nearest_neighbour, split: own}
  c: {model: metadata_only, split: cross}
derived:
  both: {kind: mean_probability, of: [a, b]}
evaluate:
  - {rows: both, on: seven}
  - {rows: a, on: two}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared, RunFolder, Scorecard]:
    home = tmp_path_factory.mktemp("spaces")
    _eight_classes(home / "eight")
    (home / "suite.yaml").write_text(SUITE, encoding="utf-8")
    prepared, schedule, folder = predicted(home / "suite.yaml")
    write_json(folder.run, {"suite": "spaces"})
    return prepared, folder, score(prepared, schedule.records, folder)


def _eight_classes(folder: Path) -> None:
    """A drawn dataset whose akiec is AK and SCC by turns."""
    synthetic.prepare(folder, {"lesions": 80, "size": 24, "seed": 4})
    path = folder / "metadata.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["path"] = f"images/{row['image_id']}.jpg"
        for name in ("image_id", "lesion_id"):
            row[name] = f"E{row[name]}"  # drawn datasets have the same ids
        if row["dx"] == "akiec":
            row["dx"] = ("ak", "scc")[int(row["lesion_id"][-1]) % 2]
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def predictions(folder: RunFolder, cell: str) -> pd.DataFrame:
    return read_predictions(folder.prediction(cell)).frame


def test_fits_learn_eight_classes_whatever_they_are_judged_in(run) -> None:
    prepared, _, _ = run
    assert {len(spec.classes) for spec in prepared.plan.fits.values()} == {8}
    assert len(prepared.plan.fits) == 3
    spaces = {row.name: row.label_space for row in prepared.plan.rows}
    assert spaces == {
        "a": "isic8",
        "b": "isic8",
        "c": "melanoma",
        "both": "isic8",
        "a@ham7": "ham7",
        "a@malignant,ak=malignant": "malignant,ak=malignant",
        "b@ham7": "ham7",
        "both@ham7": "ham7",
    }


def test_probabilities_are_summed_before_they_are_written(run) -> None:
    _, folder, _ = run
    fine = predictions(folder, "a@0.0").query("split == 'val'").reset_index(drop=True)
    coarse = predictions(folder, "a@ham7@0.0").query("split == 'val'").reset_index(drop=True)
    assert len(fine) > 5
    np.testing.assert_allclose(coarse["p_akiec"], fine["p_ak"] + fine["p_scc"], atol=1e-7)
    np.testing.assert_array_equal(coarse["p_mel"], fine["p_mel"])
    joined = fine["label"].replace({"ak": "akiec", "scc": "akiec"})
    assert coarse["label"].tolist() == joined.tolist()
    tested = predictions(folder, "a@ham7@0.0").query("split == 'test'")
    assert set(tested["dataset"]) == {"seven"}
    assert "akiec" in set(tested["label"])


def test_the_ensemble_of_a_coarser_space_is_of_its_members_there(run) -> None:
    _, folder, _ = run
    parts = [predictions(folder, f"{row}@ham7@0.0")["p_akiec"] for row in ("a", "b")]
    both = predictions(folder, "both@ham7@0.0")["p_akiec"]
    np.testing.assert_allclose(both, (parts[0] + parts[1]) / 2, atol=1e-6)


def test_scores_are_of_the_judged_space(run) -> None:
    _, _, card = run
    recall = {
        (s.row, s.dataset): s for s in card.scores
        if s.metric == "recall" and s.class_ == "mel" and s.seed is None
    }  # fmt: skip
    assert {key for key in recall if key[0] in ("a@ham7", "c")} == {
        ("a@ham7", "seven"),
        ("c", "mel"),
    }
    classes = {s.class_ for s in card.scores if s.row == "a@malignant,ak=malignant" and s.class_}
    assert classes == {"benign", "malignant"}
    sizes = {c.row: len(c.counts) for c in card.confusions}
    assert (sizes["a"], sizes["a@ham7"], sizes["c"]) == (8, 7, 2)


def test_the_leaderboard_says_what_was_joined(run) -> None:
    from skinbench.report.board import footnotes

    _, folder, _ = run
    tables = {table.dataset: table for table in leaderboard([folder]).tables}
    said = " ".join(footnotes(tables["seven"]))
    assert "a@ham7, b@ham7, both@ham7: learnt as isic8, judged as ham7: ak + scc as akiec" in said
    assert "approximate elsewhere" in said
    assert not [note for note in footnotes(tables["eight"]) if "judged as" in note]


def test_approximate_labels_of_the_data_are_said_too(run) -> None:
    """`eight` in ham7 would have its SCC as akiec; here nothing of `seven` is approximate."""
    _, folder, _ = run
    path = folder.manifests / "seven.json"
    text = path.read_text(encoding="utf-8")
    message = "3 rows only approximately akiec (SCC 3): may be invasive"
    finding = {"kind": "approximate_label", "policy": "keep", "count": 3, "message": message}
    said = [note for note in leaderboard([folder]).notes if "approximately" in note]
    assert [note.partition(":")[0] for note in said] == ["two"]  # AK by choice
    path.write_text(json.dumps({**json.loads(text), "findings": [finding]}), encoding="utf-8")
    assert f"seven: {message}" in leaderboard([folder]).notes
    path.write_text(text, encoding="utf-8")
