from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from skinbench import registry
from skinbench.errors import StoreError
from skinbench.learn.arrays import load_arrays
from skinbench.learn.checkpoint import checkpoint_path, load_checkpoint
from skinbench.learn.features import build_features, feature_digest, open_features
from skinbench.learn.fit import train_fits
from skinbench.learn.infer import PredictRequest, predict_fits
from skinbench.learn.saved import load_fit
from skinbench.records import FitRecord, NamedSpec, TechniqueEntry, WeightsSpec
from tests.learn.world import (
    COUNTS,
    NO_WEIGHTS,
    fit_id,
    make_world,
    model_bytes,
    network,
    no_epochs,
    untimed,
)

pytestmark = pytest.mark.torch

STOP_AND_PLATEAU = {
    "early_stopping": {"monitor": "val_log_loss", "patience": 9},
    "reduce_on_plateau": {"factor": 0.5, "patience": 1},
}
P1 = (NamedSpec(name="p1"),)


def train(world, spec, on_epoch=no_epochs, weights=NO_WEIGHTS):
    name = fit_id(spec)
    return name, train_fits({name: spec}, world.store, weights=weights, on_epoch=on_epoch)[name]


class Killed(BaseException):
    pass


# --- what a fit leaves ----------------------------------------------------------------


def test_a_fit_is_published_whole_and_its_loss_falls(fresh):
    seen = []
    spec = fresh.spec(epochs=4, input=NamedSpec(name="fusion_p1"))
    name, record = train(fresh, spec, lambda fit, epoch: seen.append((fit, epoch)))
    folder = fresh.store.open("fits", name)
    assert {path.name for path in folder.iterdir()} == {
        "complete.json",
        "encoder.json",
        "model.safetensors",
        "record.json",
        "spec.json",
    }
    assert record.status == "done"
    assert [epoch.epoch for epoch in record.history] == [1, 2, 3, 4]
    assert tuple(epoch for _, epoch in seen) == record.history
    assert record.history[-1].train_loss < record.history[0].train_loss
    assert record.history[0].images == len(fresh.ids("train"))
    assert record.parameters == record.trainable_parameters > 0
    assert json.loads((folder / "encoder.json").read_text())["fields"] == ["age", "sex", "site"]
    assert not fresh.store.work_path("fits", name).exists()


def test_a_finished_fit_is_not_trained_again(fresh):
    name, record = train(fresh, fresh.spec(epochs=1))
    before = model_bytes(fresh.store, name)

    def never(*_):
        raise AssertionError("trained again")

    again = train(fresh, fresh.spec(epochs=1), never)[1]
    assert again == record
    assert model_bytes(fresh.store, name) == before


def test_the_best_epoch_is_kept_and_patience_stops(world):
    spec = world.spec(
        epochs=12,
        optimizer=NamedSpec(name="adam", options={"lr": 0.03}),
        early_stopping={"monitor": "val_log_loss", "patience": 2},
    )
    name, record = train(world, spec)
    losses = [epoch.val_log_loss for epoch in record.history]
    assert record.best_epoch == int(np.argmin(losses)) + 1
    assert record.stopped_early
    assert len(losses) == record.best_epoch + 2
    request = PredictRequest(fit_id=name, dataset=world.manifest.digest, image_ids=world.ids("val"))
    (found,) = predict_fits([request], world.store, weights={}, workers=1, batch_size=64)
    labels = world.manifest.table.set_index("image_id").loc[list(world.ids("val")), "label"]
    columns = [("bkl", "mel", "nv").index(label) for label in labels]
    kept = -np.log(found[np.arange(len(found)), columns].astype(float)).mean()
    assert kept == pytest.approx(min(losses), abs=1e-6)


def test_without_val_the_last_epoch_is_kept(tmp_path):
    world = make_world(tmp_path, val_share=0.0)
    record = train(world, world.spec(epochs=3, early_stopping={"patience": 1}))[1]
    assert (record.best_epoch, record.stopped_early, len(record.history)) == (3, False, 3)
    assert record.history[0].val_log_loss is None


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_optimisers_learn(world, name):
    record = train(world, world.spec(epochs=3, optimizer=NamedSpec(name=name)))[1]
    assert record.history[-1].train_loss < record.history[0].train_loss


def test_the_learning_rate_falls_after_patience_epochs_without_gain(world):
    spec = world.spec(
        epochs=6,
        optimizer=NamedSpec(name="sgd", options={"lr": 1e-30}),
        reduce_on_plateau={"factor": 0.5, "patience": 2},
        input=NamedSpec(name="metadata"),
    )
    rates = [epoch.learning_rate for epoch in train(world, spec)[1].history]
    assert rates == pytest.approx([1e-30, 1e-30, 1e-30, 5e-31, 5e-31, 2.5e-31])


@pytest.mark.parametrize("name", ["majority", "metadata_only", "nearest_neighbour"])
def test_plain_baselines_publish_the_same_artefacts(world, name):
    fit, record = train(world, world.spec(model=network(name)))
    assert (record.status, record.best_epoch, record.history) == ("done", None, ())
    assert (world.store.open("fits", fit) / "model.safetensors").is_file()
    request = PredictRequest(
        fit_id=fit, dataset=world.manifest.digest, image_ids=world.ids("train")
    )
    (found,) = predict_fits([request], world.store, weights={}, workers=2, batch_size=7)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(found)), abs=1e-6)
    labels = world.manifest.table.set_index("image_id").loc[list(world.ids("train")), "label"]
    right = np.mean(np.array(["bkl", "mel", "nv"])[found.argmax(axis=1)] == labels)
    assert right == {"majority": COUNTS["nv"] / 66, "nearest_neighbour": 1.0}.get(
        name, pytest.approx(1.0, abs=0.1)
    )


# --- resuming -------------------------------------------------------------------------


def die_at(epoch):
    def on_epoch(_fit, record):
        if record.epoch == epoch:
            raise Killed

    return on_epoch


@pytest.mark.parametrize(
    "changes",
    [
        {"augment": P1, "technique": NamedSpec(name="oversampling"), **STOP_AND_PLATEAU},
        {"technique": NamedSpec(name="class_balanced")},
        {"optimizer": NamedSpec(name="sgd"), "early_stopping": {"patience": 9}},
        {
            "model": network("test_resnet", frozen=True),
            "input": NamedSpec(name="fusion_concat"),
            **STOP_AND_PLATEAU,
        },
    ],
    ids=["cnn", "drawn", "sgd", "frozen"],
)
def test_a_killed_fit_goes_on_to_the_same_bytes(fresh, tmp_path, changes):
    spec = fresh.spec(epochs=5, **changes)
    other = make_world(tmp_path / "undisturbed")
    name, undisturbed = train(other, spec)
    with pytest.raises(Killed):
        train(fresh, spec, die_at(3))
    assert not fresh.store.has("fits", name)
    assert load_checkpoint(fresh.store, name).scalars.progress.epoch == 3
    torch.rand(7)  # a process that goes on has another random state
    seen = []
    record = train(fresh, spec, lambda _fit, epoch: seen.append(epoch.epoch))[1]
    assert seen == [4, 5]
    assert record.attempts == 2
    assert untimed(record) == untimed(undisturbed)
    assert model_bytes(fresh.store, name) == model_bytes(other.store, name)


def test_killed_between_the_last_epoch_and_publishing(fresh):
    spec = fresh.spec(epochs=2)
    with pytest.raises(Killed):
        train(fresh, spec, die_at(2))
    name, record = train(fresh, spec, die_at(1))
    assert len(record.history) == 2
    assert fresh.store.has("fits", name)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign"])
def test_a_damaged_checkpoint_means_starting_over(fresh, world, damage):
    spec = fresh.spec(epochs=3)
    with pytest.raises(Killed):
        train(fresh, spec, die_at(2))
    path = checkpoint_path(fresh.store, fit_id(spec))
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(
        {"truncated": content[:-9], "flipped": content, "empty": b""}.get(damage, content)
    )
    if damage == "foreign":
        save_file({"x": torch.zeros(1)}, path, metadata={"scalars": '{"schema": 1}'})
    seen = []
    name, record = train(fresh, spec, lambda _fit, epoch: seen.append(epoch.epoch))
    assert seen == [1, 2, 3]
    assert record.attempts == 1
    train(world, spec)
    assert model_bytes(fresh.store, name) == model_bytes(world.store, name)


def test_the_callers_own_errors_are_passed_on(fresh):
    def on_epoch(*_):
        raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        train(fresh, fresh.spec(), on_epoch)
    assert checkpoint_path(fresh.store, fit_id(fresh.spec())).is_file()


def test_samplers_choose_what_an_epoch_sees(world):
    """All images; as many, drawn anew; and of each of three classes as many as the smallest has."""
    counts = np.bincount(load_arrays(world.spec(), world.store).train.labels)
    expected = {
        "none": counts.sum(),
        "class_balanced": counts.sum(),
        "undersampling": 3 * counts.min(),
        "balanced_subset": 3 * counts.min(),
    }
    seen = {}
    for name in expected:
        _, record = train(world, world.spec(epochs=1, technique=NamedSpec(name=name)))
        assert record.status == "done"
        seen[name] = record.history[0].images
    assert seen == expected


# --- packs ----------------------------------------------------------------------------


def test_a_head_in_a_pack_of_20_equals_the_head_alone(fresh, world):
    frozen = network("test_resnet", frozen=True)
    techniques = ["none", "class_weights", "class_balanced", "undersampling"]
    inputs = ["image", "metadata", "fusion_concat", "fusion_p1"]
    specs = [
        world.spec(model=frozen, technique=NamedSpec(name=t), input=NamedSpec(name=i), seed=seed)
        for t in techniques
        for i in inputs
        for seed in (0, 1)
    ][:20]
    pack = {fit_id(spec): spec for spec in specs}
    assert len(pack) == 20
    records = train_fits(pack, fresh.store, weights={}, on_epoch=no_epochs)
    assert {record.status for record in records.values()} == {"done"}
    for spec in (specs[19], specs[7], specs[0]):
        name, alone = train(world, spec)
        assert untimed(alone) == untimed(records[name])
        assert model_bytes(world.store, name) == model_bytes(fresh.store, name)


def test_the_head_starts_alike_whatever_the_encoder(world):
    heads = []
    for model in ("baseline_cnn", "test_vit"):
        spec = world.spec(model=network(model), epochs=0)
        assert train(world, spec)[1].error == ""
        heads.append(load_fit(fit_id(spec), world.store, {}).network.head.state_dict())
    assert all(torch.equal(heads[0][key], heads[1][key]) for key in heads[0])


# --- failures -------------------------------------------------------------------------


def test_a_failing_fit_is_a_record_and_the_others_go_on(world):
    specs = {
        "bad-size": world.spec(image_size=24),  # no such pixel store
        "bad-name": world.spec(model=network("no_such_model")),
        "good": world.spec(seed=41),
    }
    records = train_fits(specs, world.store, weights={}, on_epoch=no_epochs)
    assert [record.status for record in records.values()] == ["failed", "failed", "done"]
    assert "Traceback" in records["bad-name"].traceback
    assert "unknown model '" in records["bad-name"].error
    assert "\n" not in records["bad-size"].error
    assert not world.store.has("fits", "bad-size")


def test_an_infinite_loss_fails_the_fit(world):
    spec = world.spec(optimizer=NamedSpec(name="sgd", options={"lr": 1e30}), epochs=50)
    record = train(world, spec)[1]
    assert record.status == "failed"
    assert "not finite" in record.error
    assert "optimizer.lr" in record.error


def test_a_defect_in_a_plugin_is_a_record(world, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("in the plug-in")

    entry = TechniqueEntry(version=1, loss=broken)
    monkeypatch.setitem(registry.techniques._loaded, "broken", entry)
    record = train(world, world.spec(technique=NamedSpec(name="broken")))[1]
    assert record.error == "ZeroDivisionError: in the plug-in"


def test_a_store_that_cannot_be_written_is_an_error(fresh, monkeypatch):
    def full(*_args, **_kwargs):
        raise StoreError("cannot write: No space left on device")

    monkeypatch.setattr("skinbench.learn.training.save_checkpoint", full)
    with pytest.raises(StoreError, match="No space"):
        train(fresh, fresh.spec())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimizer": NamedSpec(name="lion")}, "expected one of adam"),
        ({"optimizer": NamedSpec(name="adam", options={"momentum": 1})}, "no option 'momentum'"),
        ({"early_stopping": {"monitor": "val_f1"}}, "val_balanced_accuracy"),
        ({"input": NamedSpec(name="metadata", options={"fields": ["dx_type"]})}, "never an input"),
        ({"model": network("baseline_cnn", weights=WeightsSpec(kind="hub"))}, "no pretrained"),
        (
            {"model": network("test_resnet", weights=WeightsSpec(kind="file", digest="ab" * 32))},
            "SKINBENCH_WEIGHTS",
        ),
        ({"device": "cuda"}, "gpu"),
        ({"classes": ("mel", "nv")}, "expected one of mel, nv"),
        ({"fold": 3}, "no train images"),
    ],
)
def test_what_a_fit_cannot_do_is_one_clear_line(world, changes, words):
    if changes.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    record: FitRecord = train(world, world.spec(**changes))[1]
    assert record.status == "failed"
    assert words in record.error
    assert "\n" not in record.error


# --- weights and features -------------------------------------------------------------


def test_weights_of_another_fit(world):
    first = world.spec(model=network("test_resnet"), epochs=1)
    name, _ = train(world, first)
    taken = network("test_resnet", weights=WeightsSpec(kind="fit", digest=name))
    second = world.spec(model=taken, epochs=0)
    after, record = train(world, second)
    assert record.error == ""
    known, found = (load_fit(item, world.store, {}).network.state_dict() for item in (name, after))
    assert all(torch.equal(known[key], found[key]) for key in known)


def test_weights_from_a_file_without_its_classifier(world, tmp_path):
    import timm

    torch.manual_seed(5)
    model = timm.create_model("test_resnet", num_classes=11)
    path = tmp_path / "w.safetensors"
    save_file(model.state_dict(), path)
    digest = world.store.digest_of(path)
    weights = WeightsSpec(kind="file", digest=digest, mean=(0.5,) * 3, std=(0.25,) * 3)
    spec = world.spec(
        model=network("test_resnet", weights=weights, frozen=True), input=NamedSpec(name="image")
    )
    name, record = train(world, spec, weights={digest: path})
    assert record.error == ""
    assert record.trainable_parameters == model.num_features * 3 + 3 < record.parameters
    stored = load_file(world.store.open("fits", name) / "model.safetensors")
    assert sorted(stored) == ["head.classifier.bias", "head.classifier.weight", "mean", "std"]
    loaded = load_fit(name, world.store, {digest: path}).network
    assert torch.equal(loaded.encoder.conv1[0].weight, model.conv1[0].weight)
    assert loaded.mean.flatten().tolist() == [0.5] * 3
    assert feature_digest(spec, "drawn") == feature_digest(spec, world.manifest.digest)


@pytest.mark.parametrize("model", ["test_resnet", "mobilenetv2_035"])
def test_the_feature_path_equals_the_full_path(fresh, model):
    frozen = fresh.spec(model=network(model, frozen=True), input=NamedSpec(name="fusion_concat"))
    # A transform that changes nothing sends the second fit through the encoder at every step.
    still = (NamedSpec(name="horizontal_flip", options={"p": 0.0}),)
    through = dataclasses.replace(frozen, train=dataclasses.replace(frozen.train, augment=still))
    short, long = train(fresh, frozen)[1], train(fresh, through)[1]
    for left, right in zip(short.history, long.history, strict=True):
        assert left.train_loss == pytest.approx(right.train_loss, abs=1e-5)
        assert left.val_log_loss == pytest.approx(right.val_log_loss, abs=1e-5)
    digest = feature_digest(frozen, "drawn")
    assert fresh.store.has("features", digest)
    one = open_features(fresh.store, digest).numpy().tobytes()
    again = make_world(fresh.store.root / "again")
    build_features(frozen, "drawn", again.store, workers=3)
    assert open_features(again.store, digest).numpy().tobytes() == one


def test_a_frozen_encoder_keeps_its_statistics(world):
    still = (NamedSpec(name="horizontal_flip"),)
    spec = world.spec(model=network("test_resnet", frozen=True), augment=still)
    name, _ = train(world, spec)
    stored = load_file(world.store.open("fits", name) / "model.safetensors")
    assert not any(key.startswith("encoder.") for key in stored)


def test_bfloat16_where_the_spec_says_so(world):
    record = train(world, world.spec(precision="bfloat16", epochs=1))[1]
    assert record.status == "done"
    assert (
        record.history[0].train_loss != train(world, world.spec(epochs=1))[1].history[0].train_loss
    )


# --- golden ---------------------------------------------------------------------------


def test_golden_predictions(world):
    """When these change, the numbers of every fit do: raise STAGE_VERSIONS["training"]
    (or "features", "inference", "pixels", "metadata": whichever stage changed)."""
    cnn = world.spec(
        epochs=2,
        input=NamedSpec(name="fusion_p1"),
        technique=NamedSpec(name="class_weights"),
        optimizer=NamedSpec(name="sgd", options={"lr": 0.01}),
    )
    head = world.spec(epochs=2, model=network("test_resnet", frozen=True))
    names = [train(world, spec)[0] for spec in (cnn, head)]
    ids = world.ids("test")[:3]
    found = predict_fits(
        [
            PredictRequest(fit_id=name, dataset=world.manifest.digest, image_ids=ids)
            for name in names
        ],
        world.store,
        weights={},
        workers=1,
        batch_size=8,
    )
    assert np.concatenate(found).tolist() == [pytest.approx(row, abs=1e-6) for row in GOLDEN]


GOLDEN = [
    [0.306080043, 0.338550448, 0.355369508],
    [0.311266422, 0.337271333, 0.351462215],
    [0.299727231, 0.329752356, 0.370520443],
    [0.302414238, 0.306797504, 0.390788227],
    [0.303080916, 0.306855112, 0.390063971],
    [0.300808817, 0.302251637, 0.396939546],
]
