"""Rows that see a segmentation's region: from the suite to the count of fallbacks."""

from __future__ import annotations

import json

import numpy as np
import pytest

from skinbench.cluster.session import Session
from skinbench.data.made_pixels import read_fallbacks, seen_digest
from skinbench.data.pixels import open_pixels, pixel_digest
from skinbench.pipeline.explaining import explain
from skinbench.pipeline.predicting import predict
from skinbench.pipeline.prepared import write_preparation
from skinbench.pipeline.run import render
from skinbench.pipeline.scoring import score
from skinbench.pipeline.seen import count_seen
from skinbench.pipeline.segmenting import segment
from skinbench.store import RunFolder, write_json
from tests.pipeline.in_process import scheduled, train_here
from tests.reports import whole_markdown

pytestmark = [pytest.mark.torch, pytest.mark.slow]
UNET = "{name: unet, options: {encoder: tu-test_resnet}}"
ROWS = f"""
rows:
  crop:
    model: baseline_cnn
    pixels: {{name: region_crop, row: unet, options: {{source_size: 48}}}}
    epochs: 1
  mask:
    model: {{name: test_resnet, frozen: true}}
    input: fusion_p2
    pixels: {{name: region_mask, row: unet, options: {{threshold: 0.9}}}}
    epochs: 1
    seeds: [0, 1]
  unet: {{model: {UNET}, image_size: 32, epochs: 3, optimizer: {{lr: 0.003}}}}
evaluate:
  - {{rows: crop, conditions: "blur@3"}}
  - {{rows: mask, conditions: metadata_missing}}
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    root = tmp_path_factory.mktemp("regions")
    with pytest.MonkeyPatch.context() as patch:
        waves = train_here(patch)
        prepared, schedule = scheduled(root, ROWS, sets=["explain={rows: crop, cases: 2}"])
        schedule.train(max_concurrent=None, fail_fast=False)
    assert {record.error for record in schedule.records.values()} == {""}
    folder = RunFolder(root / "run")
    write_preparation(prepared, folder)
    with Session() as session:
        predict(prepared, folder, session, schedule)
    segment(prepared, folder, schedule)
    counts = count_seen(prepared, folder, schedule.records, schedule.store)
    card = score(prepared, schedule.records, folder)
    explain(prepared, schedule.records, folder, schedule.store)
    write_json(folder.run, {"schema": 1, "suite": "tiny"})
    render(folder)
    return waves, prepared, schedule, folder, card, counts


def spec_of(prepared, row):
    cell = next(cell for cell in prepared.plan.cells if cell.row == row)
    return prepared.plan.fits[cell.fit]


def test_the_segmentation_runs_first_and_its_regions_are_shared(ran):
    waves, prepared, _, _, _, _ = ran
    assert waves == [["unet"], ["crop", "mask", "mask@0.1"]]
    unet = prepared.plan.segmentation_cells[0].fit
    assert {spec_of(prepared, row).pixels.fit for row in ("crop", "mask")} == {unet}
    seeds = [prepared.plan.fits[c.fit].pixels for c in prepared.plan.cells if c.row == "mask"]
    assert seeds[0] == seeds[1]
    assert spec_of(prepared, "crop").pixels.source_size == 48


def test_what_is_seen_is_made_of_every_image(ran):
    _, prepared, schedule, _, _, _ = ran
    manifest = prepared.joined["drawn"]
    for row in ("crop", "mask"):
        digest = seen_digest(spec_of(prepared, row).pixels, manifest.digest, 24)
        seen = open_pixels(schedule.store, digest)
        own = open_pixels(schedule.store, pixel_digest(manifest.digest, 24))
        assert seen.images.shape == own.images.shape
        whole = read_fallbacks(schedule.store, digest)
        assert not whole.all(), "the segmentation finds some lesions"
        changed = (seen.images != own.images).any(axis=(1, 2, 3))
        if row == "mask":
            assert not changed[whole].any()
        assert changed[~whole].mean() > 0.9


def test_fallbacks_are_counted_by_split_and_printed(ran):
    _, prepared, schedule, folder, _, counts = ran
    manifest = prepared.joined["drawn"]
    table = prepared.splits["by_lesion"].table
    digest = seen_digest(spec_of(prepared, "mask").pixels, manifest.digest, 24)
    whole = dict(
        zip(manifest.table["image_id"], read_fallbacks(schedule.store, digest), strict=True)
    )
    found = {(item.row, item.split): item for item in counts}
    assert list(found) == [(r, s) for r in ("crop", "mask") for s in ("train", "val", "test")]
    for split in ("train", "val", "test"):
        ids = table.loc[table["split"] == split, "image_id"]
        assert found["crop", split].images == len(ids)
        assert found["mask", split].images == 2 * len(ids), "two seeds"
        assert found["mask", split].fallbacks == 2 * sum(whole[name] for name in ids)
    assert len(json.loads(folder.seen.read_text())["counts"]) == 6
    report = whole_markdown(folder)
    part = report.partition("## Images seen as they are")[2].partition("\n#")[0]
    assert "where no lesion is found, the whole image is seen" in part
    assert part.count("| region") == 6
    assert "Images seen as they are" in folder.html.read_text("utf-8")


def test_they_are_judged_under_conditions_and_explained(ran):
    _, _, _, folder, card, _ = ran
    accuracy = {
        (s.row, s.condition): s.value
        for s in card.scores
        if (s.metric, s.seed) == ("accuracy", None)
    }
    assert set(accuracy) == {
        ("crop", "none"),
        ("crop", "blur@3"),
        ("mask", "none"),
        ("mask", "metadata_missing"),
    }
    assert None not in accuracy.values()
    assert "metadata_missing: no image has metadata" in whole_markdown(folder).replace(r"\_", "_")
    assert list(folder.heatmaps.glob("*.webp"))
    assert list(folder.thumbnails.glob("????????????+*.webp")), "what the network saw"


def test_labels_are_not_read(ran):
    """What is made of an image hangs on its pixels alone: the same image, the same region."""
    from skinbench.learn.made import Maker
    from skinbench.learn.runtime import torch_session

    _, prepared, schedule, _, _, _ = ran
    spec, manifest = spec_of(prepared, "crop"), prepared.joined["drawn"]
    maker = Maker(spec.pixels, 24, schedule.store, {})
    source = open_pixels(schedule.store, pixel_digest(manifest.digest, 48)).images
    small = open_pixels(schedule.store, pixel_digest(manifest.digest, 32)).images
    digest = seen_digest(spec.pixels, manifest.digest, 24)
    with torch_session(maker.fit.spec.train) as device:
        made, _ = maker.make(np.array(source[:32]), np.array(small[:32]), device)
    assert np.array_equal(made, open_pixels(schedule.store, digest).images[:32])
