"""Pixels made with another fit's maps: from train alone, without labels, once for all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skinbench import registry
from skinbench.data.made_pixels import read_fallbacks, seen_digest
from skinbench.data.manifest import manifest_digest, publish_manifest
from skinbench.data.pixels import build_pixels, open_pixels
from skinbench.errors import CorruptObjectError
from skinbench.learn.explain import explain_cases
from skinbench.learn.fit import train_fits
from skinbench.learn.infer import PredictRequest, group_requests, predict_fits
from skinbench.learn.made import build_seen
from skinbench.records import MadePixels, NamedSpec
from tests.learn.world import CLASSES, SIZE, fit_id, network, no_epochs

pytestmark = [pytest.mark.torch, pytest.mark.slow]


def train(world, spec):
    name = fit_id(spec)
    record = train_fits({name: spec}, world.store, weights={}, on_epoch=no_epochs)[name]
    assert record.error == ""
    return name


def overlay(fit, **options):
    entry = registry.pixels.get("cam_overlay")
    return MadePixels(
        name="cam_overlay",
        options={**entry.options, **options},
        fit=fit,
        fit_size=SIZE,
        source_size=SIZE,
    )


def predict(world, fits, condition="none", batch_size=5, workers=1):
    requests = [
        PredictRequest(
            fit_id=fit,
            dataset=world.manifest.digest,
            image_ids=world.ids("test"),
            condition=condition,
        )
        for fit in fits
    ]
    return predict_fits(requests, world.store, weights={}, workers=workers, batch_size=batch_size)


def made_images(world, spec):
    digest = build_seen(spec, world.manifest.digest, world.store, weights={})
    return open_pixels(world.store, digest)


@pytest.fixture(scope="module")
def maker(world):
    return train(world, world.spec(epochs=2))


def test_a_fit_sees_the_overlay(world, maker):
    spec = world.spec(pixels=overlay(maker), epochs=1)
    fit = train(world, spec)
    seen = made_images(world, spec)
    own = open_pixels(world.store, seen_digest(None, world.manifest.digest, SIZE))
    assert seen.image_ids == own.image_ids
    flat = read_fallbacks(world.store, seen.digest)
    changed = (seen.images != own.images).any(axis=(1, 2, 3))
    assert np.array_equal(changed, ~flat)
    assert changed.any()
    heat = explain_cases(maker, own.image_ids[:4], world.manifest.digest, world.store, weights={})
    expected, _ = registry.pixels.get("cam_overlay").make(
        own.images[:4], heat, SIZE, overlay(maker).options
    )
    assert seen.images[:4].astype(int) == pytest.approx(expected.astype(int), abs=2)
    same = train(world, world.spec(epochs=1))
    (ours,), (theirs,) = predict(world, [fit]), predict(world, [same])
    assert np.abs(ours - theirs).max() > 1e-4
    assert explain_cases(
        fit, world.ids("test")[:2], world.manifest.digest, world.store, weights={}
    ).shape == (2, SIZE, SIZE)


def relabelled(world):
    """The same images and split in a world where every test image has another label."""
    table = world.manifest.table.copy()
    test = table["image_id"].isin(world.ids("test"))
    turned = dict(zip(CLASSES, (*CLASSES[1:], CLASSES[0]), strict=True))
    table.loc[test, "label"] = table.loc[test, "label"].map(turned)
    digest = manifest_digest(world.manifest.label_space, table)
    manifest = dataclasses.replace(world.manifest, table=table, digest=digest)
    publish_manifest(manifest, world.store)
    build_pixels(manifest, SIZE, world.store, workers=1)
    return dataclasses.replace(world, manifest=manifest)


def test_the_input_of_a_test_image_does_not_change_when_its_label_does(world, maker):
    other = relabelled(world)
    again = train(other, other.spec(epochs=2))
    assert again != maker
    ours = made_images(world, world.spec(pixels=overlay(maker)))
    theirs = made_images(other, other.spec(pixels=overlay(again)))
    assert ours.digest != theirs.digest
    assert ours.image_ids == theirs.image_ids
    assert np.array_equal(ours.images, theirs.images)


def test_rows_and_seeds_share_what_is_made(world, maker, monkeypatch):
    first = world.spec(pixels=overlay(maker), epochs=1)
    second = world.spec(pixels=overlay(maker), epochs=1, seed=7, input=NamedSpec(name="fusion_p1"))
    train(world, first)
    calls = []
    monkeypatch.setattr("skinbench.learn.made.Maker", lambda *_: calls.append(1))
    assert train(world, second) != train(world, first)
    assert calls == []
    digests = {seen_digest(s.pixels, world.manifest.digest, SIZE) for s in (first, second)}
    assert len(digests) == 1
    assert seen_digest(overlay(maker, strength=0.9), world.manifest.digest, SIZE) not in digests


def test_a_frozen_network_has_features_of_what_it_sees(world, maker):
    frozen = network("test_resnet", frozen=True)
    fits = [
        train(world, world.spec(model=frozen, epochs=1, pixels=pixels))
        for pixels in (None, overlay(maker))
    ]
    alone = [predict(world, [fit])[0] for fit in fits]
    assert np.abs(alone[0] - alone[1]).max() > 1e-5
    both = predict(world, fits)
    assert all(np.array_equal(a, b) for a, b in zip(alone, both, strict=True))


def test_fits_that_see_other_pixels_do_not_share_a_reading(world, maker):
    fits = [
        train(world, world.spec(epochs=1, pixels=pixels))
        for pixels in (None, overlay(maker), overlay(maker, strength=0.9))
    ]
    ids = world.ids("test")
    requests = [
        PredictRequest(fit_id=fit, dataset=world.manifest.digest, image_ids=ids) for fit in fits
    ]
    assert group_requests(requests, world.store) == [[0], [1], [2]]


def test_altered_images_are_altered_before_anything_is_made_of_them(world, maker):
    """blur@k of an overlay's row: heat of the blurred image over the blurred image."""
    spec = world.spec(pixels=overlay(maker), epochs=1)
    fit = train(world, spec)
    blurred = {key: predict(world, [fit], "blur@5", workers=key)[0] for key in (1, 2)}
    assert np.array_equal(blurred[1], blurred[2])
    assert np.abs(blurred[1] - predict(world, [fit])[0]).max() > 1e-5
    weak = registry.conditions.get("brightness")
    same = dataclasses.replace(weak, apply=lambda images, _: images)
    before = registry.conditions._loaded["brightness"]
    registry.conditions._loaded["brightness"] = same
    try:
        (unchanged,) = predict(world, [fit], "brightness@1", batch_size=32)
    finally:
        registry.conditions._loaded["brightness"] = before
    (stored,) = predict(world, [fit], batch_size=32)
    # Heat is rounded by the size of the batch, so a pixel may be one step brighter.
    assert unchanged == pytest.approx(stored, abs=1e-3)


def test_cleared_pixels_are_made_again_to_the_same_bytes(fresh):
    maker = train(fresh, fresh.spec(epochs=1))
    spec = fresh.spec(pixels=overlay(maker), epochs=1)
    fit = train(fresh, spec)
    before = predict(fresh, [fit])[0]
    images = np.array(made_images(fresh, spec).images)
    fresh.store.clear(("pixels",))
    build_pixels(fresh.manifest, SIZE, fresh.store, workers=1)
    assert np.array_equal(predict(fresh, [fit])[0], before)
    assert np.array_equal(made_images(fresh, spec).images, images)


def test_without_the_other_fit_the_failure_is_the_fits_own(world):
    spec = world.spec(pixels=overlay("absent"), epochs=1)
    name = fit_id(spec)
    record = train_fits({name: spec}, world.store, weights={}, on_epoch=no_epochs)[name]
    assert record.status == "failed"
    assert "fits/absent does not exist" in record.error
    with pytest.raises(CorruptObjectError):
        build_seen(spec, world.manifest.digest, world.store, weights={})
