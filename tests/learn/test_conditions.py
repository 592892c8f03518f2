"""Test images whose metadata is missing: what encoder, heads and baselines make of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skinbench import registry
from skinbench.data.manifest import manifest_digest, publish_manifest
from skinbench.data.metadata import MetadataEncoder
from skinbench.data.pixels import build_pixels
from skinbench.errors import UsageError
from skinbench.learn.conditions import alters_pixels, parse_condition
from skinbench.learn.fit import train_fits
from skinbench.learn.forward import Forward
from skinbench.learn.infer import PredictRequest, predict_fits
from skinbench.records import NamedSpec
from tests.learn.world import SIZE, fit_id, network, no_epochs

pytestmark = pytest.mark.torch
MISSING = "metadata_missing"


def trained(world, **changes):
    spec = world.spec(epochs=1, **changes)
    name = fit_id(spec)
    record = train_fits({name: spec}, world.store, weights={}, on_epoch=no_epochs)[name]
    assert record.error == ""
    return name


def predict(world, fit, condition, manifest=None):
    request = PredictRequest(
        fit_id=fit,
        dataset=(manifest or world.manifest).digest,
        image_ids=world.ids("test"),
        condition=condition,
    )
    (found,) = predict_fits([request], world.store, weights={}, workers=1, batch_size=5)
    return found


def blanked(world):
    """The same images in a manifest that knows nothing about them."""
    unknown = dict.fromkeys(("sex", "site", "site_general", "attributes"))
    table = world.manifest.table.assign(**unknown, age=float("nan"))
    digest = manifest_digest(world.manifest.label_space, table)
    made = dataclasses.replace(world.manifest, name="blank", table=table, digest=digest)
    publish_manifest(made, world.store)
    build_pixels(made, SIZE, world.store, workers=1)
    return made


def test_encoded_missing_metadata_is_the_median_and_no_category(world):
    table = world.manifest.table
    fields = ["age", "sex", "site", "sex.missing", "age.missing"]
    encoder = MetadataEncoder.fit(table, fields)
    found = encoder.transform(registry.conditions.get(MISSING).metadata(table))
    median = (encoder.age_median - encoder.age_low) / (encoder.age_high - encoder.age_low)
    expected = {"age": median, "sex.missing": 1.0, "age.missing": 1.0}
    wanted = [expected.get(name, 0.0) for name in encoder.names]
    assert found == pytest.approx(np.tile(wanted, (len(table), 1)))
    assert table["age"].notna().any(), "the manifest itself keeps what it knows"


@pytest.mark.parametrize(
    "changes",
    [
        {"input": NamedSpec(name="fusion_p1")},
        {"input": NamedSpec(name="metadata")},
        {"model": network("test_resnet", frozen=True), "input": NamedSpec(name="film")},
        {"model": network("metadata_only")},
    ],
    ids=["fusion", "metadata alone", "frozen", "baseline"],
)
def test_it_is_as_if_the_table_knew_nothing(world, changes):
    fit = trained(world, **changes)
    missing = predict(world, fit, MISSING)
    assert np.array_equal(missing, predict(world, fit, "none", blanked(world)))
    if changes.get("input") != NamedSpec(name="film"):  # begins at zero; one epoch moves it little
        assert np.abs(missing - predict(world, fit, "none")).max() > 1e-4


def test_stored_features_serve_where_pixels_stay(world, monkeypatch):
    fit = trained(
        world, model=network("test_resnet", frozen=True), input=NamedSpec(name="fusion_p1")
    )

    def fails(*_):
        raise AssertionError("the encoder ran")

    monkeypatch.setattr(Forward, "__call__", fails)
    predict(world, fit, MISSING)
    with pytest.raises(AssertionError, match="the encoder ran"):
        predict(world, fit, "blur@1")


def test_its_name_stands_without_a_strength():
    assert parse_condition(MISSING) == (MISSING, 0)
    assert not alters_pixels(MISSING)
    assert not alters_pixels("none")
    assert alters_pixels("blur@2")
    with pytest.raises(UsageError, match="has no strength; write metadata_missing"):
        parse_condition("metadata_missing@3")
    with pytest.raises(UsageError, match="NAME@1 to NAME@5"):
        parse_condition("blur")
