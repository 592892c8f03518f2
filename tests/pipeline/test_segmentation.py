"""Segmentation rows from a suite to their table: trained on masks, judged apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skinbench.data.lesion_masks import mask_digest, open_masks
from skinbench.learn.segmentation import find_overlaps
from skinbench.pipeline.prepared import write_preparation
from skinbench.pipeline.run import render
from skinbench.pipeline.scoring import score, score_folder
from skinbench.pipeline.segmenting import segment
from skinbench.records import FitRecord
from skinbench.score.segmentation import per_image, read_overlaps
from skinbench.store import RunFolder, write_json
from tests.pipeline.in_process import predicted, scheduled, train_here
from tests.pipeline.tiny import write_suite
from tests.reports import whole_markdown

pytestmark = [pytest.mark.torch, pytest.mark.slow]
UNET = "model: {name: unet, options: {encoder: tu-test_resnet}}, image_size: 32"
ROWS = f"""
rows:
  a: {{model: majority}}
  seg/unet: {{{UNET}, epochs: 3, seeds: [0, 1], optimizer: {{lr: 0.003}}}}
  seg/broken: {{model: {{name: unet, options: {{encoder: no-such}}}}, image_size: 32}}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The stages of a run of ROWS, trained in this process."""
    root = tmp_path_factory.mktemp("seg")
    prepared, schedule, folder = predicted(write_suite(root, ROWS))
    segment(prepared, folder, schedule)
    card = score(prepared, schedule.records, folder)
    write_json(folder.run, {"schema": 1, "suite": "tiny"})
    render(folder)
    return prepared, schedule, folder, card


def fit_of(prepared, row, seed=0):
    cells = prepared.plan.segmentation_cells
    return next(cell.fit for cell in cells if (cell.row, cell.seed) == (row, seed))


def test_it_learns_on_masks(ran):
    prepared, schedule, _, _ = ran
    record = schedule.records[fit_of(prepared, "seg/unet")]
    losses = [epoch.train_loss for epoch in record.history]
    assert record.status == "done"
    assert losses[-1] < losses[0]
    assert 0 < record.history[-1].val_accuracy <= 1
    assert record.history[-1].val_log_loss < record.history[0].val_log_loss
    spec = prepared.plan.fits[record.fit_id]
    assert "segmentation-models-pytorch" in spec.versions
    (masks,) = spec.masks.values()
    needs = next(n.needs for n in prepared.plan.nodes if n.name == f"fit:{record.fit_id}")
    (dataset,) = spec.datasets.values()
    assert f"masks:{mask_digest(dataset, masks, 32)}" in needs


def test_overlaps_are_those_of_the_masks_themselves(ran):
    import torch

    from skinbench.data.pixels import open_pixels, pixel_digest
    from skinbench.learn.saved import load_fit

    prepared, schedule, folder, _ = ran
    fit = fit_of(prepared, "seg/unet")
    spec, manifest = prepared.plan.fits[fit], prepared.joined["drawn"]
    table = read_overlaps(folder.segmentation("seg/unet@0.0"))
    assert set(table["split"]) == {"val", "test"}
    index = pd.Index(manifest.table["image_id"])
    rows = index.get_indexer(table["image_id"])
    pixels = open_pixels(schedule.store, pixel_digest(manifest.digest, 32)).images[rows]
    network = load_fit(fit, schedule.store, {}).network
    unit = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        found = torch.sigmoid(network(network.normalise(unit)))[:, 0].numpy() > 0.5
    masks = open_masks(
        schedule.store, mask_digest(manifest.digest, spec.masks[manifest.digest], 32)
    )[rows]
    assert set(np.unique(masks)) == {0, 1}
    assert table["true"].tolist() == (masks == 1).sum(axis=(1, 2)).tolist()
    assert table["found"].to_numpy() == pytest.approx(found.sum(axis=(1, 2)), abs=2)
    both = (found & (masks == 1)).sum(axis=(1, 2))
    assert table["both"].to_numpy() == pytest.approx(both, abs=2)


def test_scores_are_means_over_test_images_apart_from_the_others(ran):
    _, _, folder, card = ran
    table = read_overlaps(folder.segmentation("seg/unet@0.0"))
    test = table[table["split"] == "test"]
    values = per_image(test)
    found = {(s.metric, s.seed): s for s in card.segmentation if s.row == "seg/unet"}
    for metric, expected in values.items():
        assert found[metric, 0].value == pytest.approx(expected.mean())
        assert found[metric, None].n == len(test)
        assert found[metric, None].n_groups == test["group_id"].nunique()
        assert found[metric, None].sd_seeds is not None
    dice = found["dice", None]
    assert dice.low < dice.value < dice.high
    assert {row["name"] for row in card.rows} == {"a"}
    assert not {s.row for s in card.scores} & {"seg/unet", "seg/broken"}
    assert {cell.row for cell in card.cells} == {"a"}


def test_a_failed_one_says_why_and_stands_in_the_report(ran):
    _, _, folder, card = ran
    (broken,) = [cell for cell in card.segmentation_cells if cell.row == "seg/broken"]
    assert broken.status == "failed"
    assert "encoder 'no-such'" in broken.reason
    score_ = next(s for s in card.segmentation if s.row == "seg/broken")
    assert score_.value is None
    assert "no-such" in score_.reason
    for path in (folder.markdown, folder.html):
        text = path.read_text("utf-8")
        assert "seg/unet" in text
        assert "no-such" in text
    report = whole_markdown(folder)
    assert "## Segmentation" in report
    board = report.partition("## Segmentation")[0]
    assert "seg/unet" not in board
    assert "seg/unet" in report.partition("## Segmentation")[2].partition("\n## ")[0]


def test_it_is_said_in_a_line(ran):
    from skinbench.report.segmentation import segmentation_lines

    lines = segmentation_lines(ran[3])
    assert lines[0].startswith("seg/unet on drawn: Dice 0.")
    assert "failure rate" in lines[0]
    assert lines[1].startswith("seg/broken on no data: Dice \u2013")


def test_a_suite_of_segmentations_alone(tmp_path):
    """Nothing is left to compare; it is judged, and its report stands."""
    alone = "\nrows:\n  seg: {model: unet, image_size: 32}\n"
    prepared, _ = scheduled(tmp_path, alone)
    folder = RunFolder(tmp_path / "run")
    write_preparation(prepared, folder)
    blocked = {fit: FitRecord(fit_id=fit, status="failed", error="x") for fit in prepared.plan.fits}
    card = score(prepared, blocked, folder)
    write_json(folder.run, {"schema": 1, "suite": "tiny"})
    render(folder)
    assert card.rows == ()
    assert [cell.status for cell in card.every_cell] == ["failed"]
    assert "cell seg@0.0 failed: x" in whole_markdown(folder)


def test_scoring_again_needs_the_folder_alone(ran):
    _, _, folder, card = ran
    before = folder.scorecard.read_bytes()
    assert score_folder(folder) == card
    assert folder.scorecard.read_bytes() == before


def test_training_again_gives_the_same_bytes(ran, tmp_path, monkeypatch):
    prepared, schedule, _, _ = ran
    train_here(monkeypatch)
    alone = f"\nrows:\n  seg: {{{UNET}, epochs: 3, optimizer: {{lr: 0.003}}}}\n"
    _, again = scheduled(tmp_path, alone)
    again.train(max_concurrent=None, fail_fast=False)
    fit = fit_of(prepared, "seg/unet")
    assert again.records[fit].status == "done"
    paths = [
        store.open("fits", fit) / "model.safetensors" for store in (schedule.store, again.store)
    ]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_overlaps_do_not_hang_on_batches_or_order(ran):
    prepared, schedule, _, _ = ran
    ids = list(prepared.joined["drawn"].table["image_id"][:3])
    fit, dataset = fit_of(prepared, "seg/unet"), prepared.joined["drawn"].digest
    found = find_overlaps(fit, dataset, ids, schedule.store, weights={}, batch_size=2)
    assert found.shape == (3, 3)
    assert (found >= 0).all()
    alone = find_overlaps(fit, dataset, ids[::-1], schedule.store, weights={}, batch_size=1)
    assert found == pytest.approx(alone[::-1], abs=2)
