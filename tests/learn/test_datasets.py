"""Fits whose split draws on two datasets, or repeats images."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from skinbench.data.manifest import publish_manifest
from skinbench.data.pixels import build_pixels
from skinbench.data.split_tables import split_of
from skinbench.data.splits import publish_split
from skinbench.learn.arrays import Sources, load_arrays
from skinbench.learn.fit import train_fits
from skinbench.records import NamedSpec
from tests.learn.world import SIZE, fit_id, make_world, network, no_epochs

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Train from datasets a and b, val from a, test from b; one train image thrice."""
    left = make_world(tmp_path_factory.mktemp("a"))
    right = make_world(tmp_path_factory.mktemp("b"), seed=9)
    publish_manifest(right.manifest, left.store)
    build_pixels(right.manifest, SIZE, left.store, workers=1)
    first = left.split.table.assign(dataset="a")
    first = first[first["split"] != "test"]
    second = right.split.table.assign(dataset="b")
    second = second[second["split"] != "val"]
    table = pd.concat([first, second], ignore_index=True)
    repeated = table["image_id"].eq("mel_004") & table["dataset"].eq("b")
    table.loc[repeated, "copies"] = 3
    split = split_of("two", table, group="given", folds=1, notes=())
    publish_split(split, left.store)
    spec = left.spec(
        datasets={"b": right.manifest.digest, "a": left.manifest.digest}, split=split.digest
    )
    return left.store, spec, table, {"a": left.manifest, "b": right.manifest}


def test_pixels_labels_and_copies_of_two_datasets(two):
    store, spec, table, manifests = two
    arrays = load_arrays(spec, store)
    members = table[table["split"] == "train"]
    assert len(arrays.train) == len(members) + 2
    assert (arrays.train.table["image_id"] == "mel_004").sum() == 4  # once from a, thrice from b
    positions = np.random.default_rng(0).permutation(len(arrays.train))
    found = arrays.gather(arrays.train, positions)
    for place, position in enumerate(positions):
        key = "ab"[int(arrays.train.dataset[position])]
        pixels = Sources(store).pixels(manifests[key].digest, SIZE)
        row = pixels.rows([arrays.train.table["image_id"][position]])[0]
        assert np.array_equal(found[place], pixels.images[row])
    assert set(arrays.val.dataset) == {0}
    labels = [spec.classes[code] for code in arrays.train.labels]
    assert labels == arrays.train.table["label"].tolist()


def test_stored_features_of_two_datasets_equal_the_encoder(two):
    store, spec, *_ = two
    frozen = dataclasses.replace(spec, model=network("test_resnet", frozen=True))
    still = (NamedSpec(name="horizontal_flip", options={"p": 0.0}),)
    through = dataclasses.replace(frozen, train=dataclasses.replace(frozen.train, augment=still))
    pack = {fit_id(item): item for item in (frozen, through, spec)}
    records = []
    made = train_fits(pack, store, weights={}, on_epoch=no_epochs, on_record=records.append)
    assert records == list(made.values())
    short, long, whole = records
    assert (short.error, long.error, whole.error) == ("", "", "")
    for left, right in zip(short.history, long.history, strict=True):
        assert left.train_loss == pytest.approx(right.train_loss, abs=1e-5)
        assert left.val_log_loss == pytest.approx(right.val_log_loss, abs=1e-5)
