"""Fixed views of train images, test-time augmentation, and what every image goes through."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from skinbench.learn.arrays import Sources
from skinbench.learn.explain import explain_cases
from skinbench.learn.features import build_features, feature_digest, feature_views, open_features
from skinbench.learn.fit import train_fits
from skinbench.learn.infer import PredictRequest, predict_fits
from skinbench.learn.views import FeatureView
from skinbench.records import NamedSpec
from tests.learn.test_fit import Killed, die_at, train
from tests.learn.world import fit_id, make_world, model_bytes, network, no_epochs, untimed

pytestmark = [pytest.mark.torch, pytest.mark.slow]

FROZEN = network("test_resnet", frozen=True)
FOUR = (NamedSpec(name="dihedral", options={"views": 4}),)


def stored(spec):
    return dataclasses.replace(spec, stored_features=True)


def fixed_views(world, views=4, **changes):
    augment = (NamedSpec(name="dihedral", options={"views": views}),)
    return stored(world.spec(model=FROZEN, augment=augment, **changes))


def predict(world, fit, views=(), ids=None, condition="none", **options):
    request = PredictRequest(
        fit_id=fit,
        dataset=world.manifest.digest,
        image_ids=ids or world.ids("test"),
        condition=condition,
        views=views,
    )
    settings = {"workers": 1, "batch_size": 5, **options}
    return predict_fits([request], world.store, weights={}, **settings)[0]


# --- fixed views ----------------------------------------------------------------------


def test_features_of_a_view_are_those_of_the_turned_image(world):
    spec = fixed_views(world)
    digests = [build_features(spec, "drawn", world.store, view=v) for v in feature_views(spec)]
    assert len(set(digests)) == 4
    assert digests[0] == feature_digest(world.spec(model=FROZEN), "drawn"), "as without views"
    images = Sources(world.store).pixels(world.manifest.digest, 32).images
    name, _ = train(world, spec)
    from skinbench.learn.batches import to_unit
    from skinbench.learn.saved import load_fit

    net = load_fit(name, world.store, {}).network
    with torch.inference_mode():
        turned = to_unit(np.ascontiguousarray(images[:, ::-1, ::-1]), torch.device("cpu"))
        expected = net.features(net.normalise(turned))
    found = open_features(world.store, digests[3])
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-5)


def test_an_epoch_draws_a_view_for_each_image_all_alike(world):
    spec = fixed_views(world, batch_size=50)
    net = torch.nn.Module()
    net.mean, net.head = torch.zeros(1), lambda features, _: features
    count, arrays = 50, [torch.full((50, 1), float(v)) for v in range(4)]
    part = dataclasses.make_dataclass("P", ["labels", "metadata"])(np.zeros(50, np.int64), None)
    view = FeatureView(net, part, arrays, np.arange(50), spec.train)
    drawn = []
    for epoch in range(1, 101):
        view.start_epoch(epoch)
        drawn.append(view.logits(np.arange(count)).flatten().numpy())
    drawn = np.stack(drawn)
    shares = np.bincount(drawn.astype(int).ravel(), minlength=4) / drawn.size
    assert shares == pytest.approx(np.full(4, 0.25), abs=0.03)
    assert all(len(set(images)) == 4 for images in drawn.T), "no image keeps to one view"
    view.start_epoch(7)
    assert np.array_equal(view.logits(np.arange(count)).flatten().numpy(), drawn[6])


def test_val_is_seen_as_it_is_stored(world):
    """With no learning at all, val's loss is that of the fit without views."""
    still = {"optimizer": NamedSpec(name="sgd", options={"lr": 1e-30}), "epochs": 1}
    views = train(world, fixed_views(world, 8, **still))[1]
    plain = train(world, world.spec(model=FROZEN, **still))[1]
    assert views.history[0].val_log_loss == plain.history[0].val_log_loss
    assert views.history[0].train_loss != plain.history[0].train_loss


def test_one_view_as_stored_is_no_augmentation(world):
    spec = fixed_views(world, ["none"])
    name, record = train(world, spec)
    plain, expected = train(world, world.spec(model=FROZEN))
    assert untimed(record).history == untimed(expected).history
    assert model_bytes(world.store, name) == model_bytes(world.store, plain)


def test_views_in_a_pack_equal_views_alone_and_after_a_kill(fresh, world, tmp_path):
    inputs = ("image", "fusion_concat")
    specs = [fixed_views(fresh, 8, input=NamedSpec(name=i), seed=s) for i in inputs for s in (0, 1)]
    pack = {fit_id(spec): spec for spec in specs}
    records = train_fits(pack, fresh.store, weights={}, on_epoch=no_epochs)
    assert {record.status for record in records.values()} == {"done"}
    for spec in (specs[3], specs[0]):
        name, alone = train(world, spec)
        assert untimed(alone) == untimed(records[name])
        assert model_bytes(world.store, name) == model_bytes(fresh.store, name)
    other = make_world(tmp_path / "killed")
    spec = fixed_views(other, 8, epochs=4)
    with pytest.raises(Killed):
        train(other, spec, die_at(2))
    name, _ = train(other, spec)
    train(world, spec)
    assert model_bytes(world.store, name) == model_bytes(other.store, name)


# --- test-time augmentation -----------------------------------------------------------


@pytest.mark.parametrize("frozen", [True, False], ids=["features", "pixels"])
def test_the_mean_of_views_is_the_mean_of_turned_images(world, frozen):
    spec = world.spec(model=FROZEN) if frozen else world.spec()
    fit, _ = train(world, spec)
    each = [predict(world, fit, (view,)) for view in ("none", "hflip", "rot90")]
    assert np.array_equal(each[0], predict(world, fit))
    assert not np.array_equal(each[0], each[1])
    mean = predict(world, fit, ("none", "hflip", "rot90"))
    assert mean == pytest.approx(np.mean(each, axis=0), abs=1e-6)
    assert mean.sum(axis=1) == pytest.approx(np.ones(len(mean)), abs=1e-6)
    assert np.array_equal(mean, predict(world, fit, ("none", "hflip", "rot90"), workers=3))


def test_views_under_a_condition(world):
    fit, _ = train(world, world.spec(model=FROZEN))
    each = [predict(world, fit, (v,), condition="blur@3") for v in ("none", "vflip")]
    both = predict(world, fit, ("none", "vflip"), condition="blur@3")
    assert both == pytest.approx(np.mean(each, axis=0), abs=1e-6)
    assert not np.array_equal(both, predict(world, fit, ("none", "vflip")))


def test_views_and_no_views_in_one_call(world):
    """Requests that differ in views alone do not share a pass."""
    fit, _ = train(world, world.spec())
    ids = world.ids("test")
    requests = [
        PredictRequest(fit_id=fit, dataset=world.manifest.digest, image_ids=ids, views=views)
        for views in ((), ("none", "hflip"))
    ]
    found = predict_fits(requests, world.store, weights={}, workers=1, batch_size=5)
    assert np.array_equal(found[0], predict(world, fit))
    assert np.array_equal(found[1], predict(world, fit, ("none", "hflip")))


def test_all_views_of_a_turned_image_are_all_views_of_the_image(world):
    """The mean over the whole group does not change when the image is turned."""
    fit, _ = train(world, world.spec())
    from skinbench.learn.scorer import Scorer, _Batch
    from skinbench.suite.settings import VIEW_NAMES

    scorer = Scorer(world.store.root, [fit], dataset=world.manifest.digest, views=VIEW_NAMES)
    rows = scorer.rows(world.ids("test"))
    images = scorer._read(rows)
    straight = scorer.probabilities(rows)[fit]
    scorer._read = lambda _: np.ascontiguousarray(np.rot90(images, 1, axes=(1, 2)))
    assert scorer.probabilities(rows)[fit] == pytest.approx(straight, abs=1e-5)
    assert _Batch is not None


# --- the crop of every image ----------------------------------------------------------


def test_a_crop_is_what_training_validation_and_prediction_see(world):
    crop = (NamedSpec(name="center_crop", options={"share": 0.5, "resize": True}),)
    spec = world.spec(augment=crop, epochs=1)
    fit, record = train(world, spec)
    assert record.status == "done", record.error
    # What lies outside the centre does not move a prediction.
    from skinbench.learn.scorer import Scorer

    scorer = Scorer(world.store.root, [fit], dataset=world.manifest.digest)
    rows = scorer.rows(world.ids("test"))
    images = scorer._read(rows)
    before = scorer.probabilities(rows)[fit]
    changed = np.full_like(images, 255)
    changed[:, 8:24, 8:24] = images[:, 8:24, 8:24]
    scorer._read = lambda _: changed
    assert np.array_equal(scorer.probabilities(rows)[fit], before)
    changed[:, 15:17, 15:17] = 255
    assert not np.array_equal(scorer.probabilities(rows)[fit], before)


def test_heat_of_a_crop_stands_where_the_crop_was(world):
    crop = (NamedSpec(name="center_crop", options={"share": 0.5, "resize": True}),)
    fit, record = train(world, world.spec(augment=crop, epochs=1))
    assert record.status == "done", record.error
    ids = world.ids("test")[:3]
    heat = explain_cases(fit, ids, world.manifest.digest, world.store, weights={})
    assert heat.shape == (3, 32, 32)
    assert heat[:, 8:24, 8:24].max() > 0
    outside = heat.copy()
    outside[:, 8:24, 8:24] = 0
    assert not outside.any()


def test_stored_features_of_a_crop_are_their_own(world):
    crop = (NamedSpec(name="center_crop"),)
    spec = stored(world.spec(model=FROZEN, augment=crop))
    plain = world.spec(model=FROZEN)
    assert feature_digest(spec, "drawn") != feature_digest(plain, "drawn")
    through = dataclasses.replace(spec, stored_features=False)
    short, long = train(world, spec)[1], train(world, through)[1]
    for left, right in zip(short.history, long.history, strict=True):
        assert left.train_loss == pytest.approx(right.train_loss, abs=1e-5)
        assert left.val_log_loss == pytest.approx(right.val_log_loss, abs=1e-5)
