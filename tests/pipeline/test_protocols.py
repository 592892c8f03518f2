"""The leaky protocol and the second weighting through the whole chain, in one process."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from skinbench.data.pixels import build_pixels
from skinbench.data.spaces import space_map
from skinbench.pipeline.prepared import Options, Prepared, prepare, write_preparation
from skinbench.pipeline.scoring import score, score_folder
from skinbench.records import Scorecard
from skinbench.score.assemble import evaluated_images, prediction_frame
from skinbench.score.predictions import read_predictions, write_predictions
from skinbench.store import RunFolder, Store, write_json
from tests.suite.texts import load

pytestmark = [pytest.mark.torch, pytest.mark.slow]

SUITE = {
    "name": "protocols",
    "data": {"drawn": {"adapter": "synthetic", "options": {"lesions": 60, "size": 32, "seed": 3}}},
    "splits": {
        "leaky": {
            "data": "drawn",
            "group": "image",
            "test": 0.25,
            "val": 0.2,
            "oversample_first": True,
            "leakage": "keep",
        },
        "by_lesion": {"data": "drawn", "group": "lesion", "test": 0.3, "val": 0.2},
    },
    "defaults": {"image_size": 24, "epochs": 1, "batch_size": 16},
    "rows": {
        "leaky/cnn": {"model": "baseline_cnn", "split": "leaky"},
        "honest/cnn": {"model": "baseline_cnn", "split": "by_lesion"},
    },
    "evaluate": [{"rows": "*", "weighting": "balanced"}],
    "bootstrap": {"replicates": 200},
    "explain": None,
}


@dataclasses.dataclass(frozen=True)
class Run:
    prepared: Prepared
    folder: RunFolder
    card: Scorecard


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    from skinbench.learn.fit import train_fits
    from skinbench.learn.infer import PredictRequest, predict_fits

    root = tmp_path_factory.mktemp("protocols")
    store, folder = Store(root / "store"), RunFolder(root / "run")
    prepared = prepare(load(root, SUITE), Options(folder=folder.root, store=store))
    write_preparation(prepared, folder)
    for manifest in prepared.manifests.values():
        build_pixels(manifest, 24, store, workers=1)
    plan, manifest = prepared.plan, prepared.joined["drawn"]
    records = train_fits(plan.fits, store, weights={}, on_epoch=lambda *_: None)
    assert {record.status for record in records.values()} == {"done"}
    by_name = {row.name: row for row in plan.rows}
    for cell in plan.cells:
        (item,) = [e for e in plan.evaluations if e.cell == cell.name]
        images = evaluated_images(item, prepared.splits[item.split], cell.fold)
        ids = tuple(dict.fromkeys(images["image_id"]))
        request = PredictRequest(fit_id=str(cell.fit), dataset=manifest.digest, image_ids=ids)
        (found,) = predict_fits([request], store, weights={}, workers=1, batch_size=64)
        classes = by_name[cell.row].classes
        same = space_map(manifest.label_space, manifest.label_space)
        frame = prediction_frame(images, found, manifest, condition="none", mapping=same)
        write_predictions(folder.prediction(cell.name), frame, classes=classes)
        for fit, record in records.items():
            if fit == cell.fit:
                write_json(folder.fits / f"{fit}.json", {"record": record})
    write_json(folder.run, {"schema": 1, "suite": "protocols", "reduced": {}})
    return Run(prepared=prepared, folder=folder, card=score(prepared, records, folder))


def test_predictions_weigh_by_copies_and_keep_both_sides(run: Run) -> None:
    frame = read_predictions(run.folder.prediction("leaky/cnn@0.0")).frame
    split = run.prepared.splits["leaky"].table
    keys = ["image_id", "split"]
    expected = split[split["split"] != "train"].set_index(keys)["copies"]
    assert frame.set_index(keys)["weight"].to_dict() == expected.to_dict()
    both = frame[frame.duplicated("image_id", keep=False)]
    assert len(both)
    columns = [name for name in frame if name.startswith("p_")]
    assert (both.groupby("image_id")[columns].nunique() == 1).all().all()


def test_scores_are_weighted_and_n_counts_images(run: Run) -> None:
    found = read_predictions(run.folder.prediction("leaky/cnn@0.0"))
    test = found.frame[found.frame["split"] == "test"]
    decided = np.array(found.classes)[
        test[[f"p_{code}" for code in found.classes]].to_numpy().argmax(axis=1)
    ]
    right = (decided == test["label"]).to_numpy()
    weight = test["weight"].to_numpy(np.float64)
    accuracy = next(
        s for s in run.card.scores
        if (s.row, s.metric, s.condition, s.seed) == ("leaky/cnn", "accuracy", "none", 0)
    )  # fmt: skip
    assert accuracy.value == pytest.approx((weight * right).sum() / weight.sum())
    assert accuracy.n == test["image_id"].nunique() < weight.sum()
    assert accuracy.n_groups == test["group_id"].nunique()
    confusion = next(c for c in run.card.confusions if c.row == "leaky/cnn")
    assert np.sum(confusion.counts) == weight.sum()


def test_recognising_alone_wins_the_leaky_protocol(run: Run) -> None:
    value = {
        s.row: s.value
        for s in run.card.scores
        if (s.metric, s.condition, s.seed) == ("balanced_accuracy", "none", None)
        and "nearest" in s.row
    }
    leaky = value["baseline/leaky/nearest_neighbour"]
    assert leaky is not None
    assert leaky > 0.9
    assert leaky > (value["baseline/by_lesion/nearest_neighbour"] or 0.0)


def test_train_has_every_copy(run: Run) -> None:
    from skinbench.learn.arrays import load_arrays

    plan = run.prepared.plan
    cell = next(cell for cell in plan.cells if cell.row == "leaky/cnn")
    split = run.prepared.splits["leaky"].table
    arrays = load_arrays(plan.fits[str(cell.fit)], Store(run.folder.root.parent / "store"))
    for part, name in ((arrays.train, "train"), (arrays.val, "val")):
        wanted = split[split["split"] == name].set_index("image_id")["copies"]
        counts = part.table["image_id"].value_counts()
        assert counts.to_dict() == wanted.to_dict()
    counts = np.bincount(arrays.train.labels)
    assert counts[counts > 0].max() - counts[counts > 0].min() <= 1


def test_every_row_has_both_passes(run: Run) -> None:
    conditions = pd.DataFrame(
        [(s.row, s.condition) for s in run.card.scores], columns=["row", "condition"]
    )
    for _, found in conditions.groupby("row"):
        assert set(found["condition"]) == {"none", "class-balanced"}
    scores = {(s.row, s.condition, s.metric, s.class_): s for s in run.card.scores if s.seed == 0}
    for (row, condition, metric, code), score_ in scores.items():
        if condition == "class-balanced" and metric == "accuracy":
            assert score_.value == pytest.approx(
                scores[row, "none", "balanced_accuracy", code].value
            )


def test_scoring_the_folder_again_gives_the_same_bytes(run: Run) -> None:
    before = run.folder.scorecard.read_bytes()
    assert score_folder(run.folder) == run.card
    assert run.folder.scorecard.read_bytes() == before


def test_the_stamp_is_on_every_table_of_the_leaky_split_alone(run: Run) -> None:
    from skinbench.report.leaderboard import leaderboard

    tables = leaderboard([run.folder]).tables
    assert len(tables) == 4  # two splits, two weightings
    for table in tables:
        stamped = {bool(row.stamp) for row in table.rows}
        assert stamped == {table.split == "leaky"}
        assert len(table.rows) == 4
    stamp = run.card.stamps["leaky"]
    assert "of test images" in stamp
    assert "are in train themselves" in stamp
