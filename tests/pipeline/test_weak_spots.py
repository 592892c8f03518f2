"""Where rows fail, through the whole line but Ray: conditions, unknown classes, lesion sizes."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from skinbench.catalog.datasets import synthetic
from skinbench.pipeline.prepared import Clock, Options
from skinbench.pipeline.run import render
from skinbench.pipeline.scoring import score, score_folder
from skinbench.pipeline.weak_spots import measure
from skinbench.records import silent
from skinbench.score.predictions import read_predictions
from skinbench.store import write_json
from tests.pipeline.in_process import predicted
from tests.reports import whole_markdown

pytestmark = [pytest.mark.torch, pytest.mark.slow]

SUITE = """
name: spots
data:
  drawn: {adapter: synthetic, options: {lesions: 150, size: 32, seed: 3}}
  other:
    adapter: csv
    root: other/metadata.csv
    labels: {space: ham7, unmapped: unlabelled}
    options: {label: dx, site: localization}
splits:
  by_lesion: {data: drawn, group: lesion, test: 0.5, val: 0.2, seed: 0}
defaults: {split: by_lesion, image_size: 24, epochs: 2, batch_size: 16}
bootstrap: {replicates: 100}
weak_spots: {slices: [sex, age, lesion_size, fitzpatrick], floor: 10, hardest: 3}
explain: null
rows:
  a: {model: baseline_cnn}
  b: {model: baseline_cnn, technique: class_weights}
evaluate:
  - {rows: "*", on: other}
  - {rows: a, conditions: ["hair@1-2", "jpeg@5"]}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("spots")
    _with_unknown(home / "other")
    (home / "suite.yaml").write_text(SUITE, encoding="utf-8")
    prepared, schedule, folder = predicted(home / "suite.yaml")
    write_json(folder.run, {"suite": "spots"})
    options = Options(folder=folder.root, store=schedule.store)
    measure(prepared, folder, options, Clock(listener=silent))
    return folder, score(prepared, schedule.records, folder)


def _with_unknown(folder: Path) -> None:
    """Another drawn dataset; every fifth lesion is of a kind that ham7 does not know."""
    synthetic.prepare(folder, {"lesions": 80, "size": 32, "seed": 4})
    path = folder / "metadata.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["path"] = f"images/{row['image_id']}.jpg"
        for name in ("image_id", "lesion_id"):
            row[name] = f"O{row[name]}"  # drawn datasets have the same ids
        if int(row["lesion_id"][-1]) % 5 == 0:
            row["dx"] = "tattoo"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def test_unknown_classes_are_predicted_and_never_scored(run):
    folder, card = run
    frame = read_predictions(folder.prediction("a@0.0")).frame
    other = frame[frame["dataset"] == "other"]
    manifest = pd.read_parquet(folder.manifest("other"))
    assert set(other["image_id"]) == set(manifest["image_id"])
    unknown = other["label"].isna()
    assert 0 < unknown.sum() < len(other)
    (accuracy,) = [
        s
        for s in card.scores
        if (s.row, s.dataset, s.metric, s.seed) == ("a", "other", "accuracy", None)
    ]
    assert accuracy.n == (~unknown).sum()
    assert "without a label left out" in accuracy.reason


def test_doubt_is_measured_on_unknown_classes_and_on_the_other_dataset(run):
    _, card = run
    found = {(o.row, o.outside) for o in card.weak_spots.out_of_distribution}
    rows, sets = ("a", "b"), ("other", "images of other without a class")
    assert found == {(row, name) for row in rows for name in sets}
    for item in card.weak_spots.out_of_distribution:
        assert item.inside == "drawn"
        assert item.low <= item.value <= item.high


def test_conditions_stand_beside_the_same_images_without_them(run):
    folder, card = run
    drops = card.weak_spots.drops
    assert {d.condition for d in drops} == {"hair@1", "hair@2", "jpeg@5"}
    assert {d.row for d in drops} == {"a", *(d.row for d in drops if "baseline" in d.row)}
    frame = read_predictions(folder.prediction("a@0.0")).frame
    columns = [name for name in frame if str(name).startswith("p_")]
    hair, plain = (
        frame[
            (frame["condition"] == c) & (frame["split"] == "test") & (frame["dataset"] == "drawn")
        ]
        for c in ("hair@2", "none")
    )
    assert list(hair["image_id"]) == list(plain["image_id"])
    assert (hair[columns].to_numpy() != plain[columns].to_numpy()).any()


def test_lesion_sizes_are_kept_where_masks_tell(run):
    folder, card = run
    slices = {g.slice for g in card.weak_spots.groups}
    assert {"sex", "age"} <= slices
    assert pd.read_parquet(folder.manifest("drawn"))["mask_path"].notna().all()
    assert folder.lesion_size("drawn").exists()
    assert "lesion_size" in slices
    assert any("Fitzpatrick" in note for note in card.weak_spots.notes)


def test_the_folder_alone_gives_the_same_scorecard(run):
    folder, _ = run
    before = folder.scorecard.read_bytes()
    score_folder(folder)
    assert folder.scorecard.read_bytes() == before
    assert not folder.history.exists()


def test_the_report_says_where_it_fails(run):
    folder, _ = run
    render(folder)
    for text in (whole_markdown(folder), folder.html.read_text("utf-8")):
        for title in (
            "Where it fails",
            "Beside the plain baselines",
            "The worst subgroup of each slice",
            "Errors in common",
            "Hardest images",
            "Several pictures of one lesion",
            "Altered images",
            "Images of elsewhere",
        ):
            assert title in text
        assert "images of other without a class" in text
