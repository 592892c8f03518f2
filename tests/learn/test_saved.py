from __future__ import annotations

import dataclasses
import errno

import pytest
import torch
from safetensors.torch import save_file

from skinbench.errors import CorruptObjectError, StoreError, UsageError
from skinbench.learn.features import build_features
from skinbench.learn.fit import train_fits
from skinbench.learn.network import Network, build_network
from skinbench.learn.saved import load_fit, make_network, publish_fit
from skinbench.records import FitRecord, NamedSpec, Preprocessing, WeightsSpec
from tests.learn.world import fit_id, network, no_epochs

pytestmark = pytest.mark.torch


def trained(world, **changes):
    spec = world.spec(epochs=0, **changes)
    name = fit_id(spec)
    record = train_fits({name: spec}, world.store, weights={}, on_epoch=no_epochs)[name]
    assert record.error == ""
    return name, spec


def starting_from(world, name, **changes):
    weights = WeightsSpec(kind="fit", digest=name)
    return world.spec(model=network("test_resnet", weights=weights), **changes)


def test_a_fit_of_other_tensors_is_corrupt(fresh):
    spec = fresh.spec()
    record = FitRecord(fit_id="odd", status="done")
    publish_fit(fresh.store, spec, record, None, {"x": torch.zeros(2)})
    with pytest.raises(CorruptObjectError, match="does not hold the tensors of its spec"):
        load_fit("odd", fresh.store, {})


def test_a_model_file_that_is_no_safetensors_is_corrupt(fresh):
    name, _ = trained(fresh)
    path = fresh.store.open("fits", name) / "model.safetensors"
    path.write_bytes(b"x" * path.stat().st_size)  # the size is right, so `open` lets it pass
    with pytest.raises(CorruptObjectError, match="cannot be read"):
        load_fit(name, fresh.store, {})
    path.write_bytes(b"short")
    with pytest.raises(CorruptObjectError, match="is damaged"):
        load_fit(name, fresh.store, {})


def test_a_weights_file_that_changed_is_refused(world, tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"x": torch.zeros(2)}, path)
    weights = WeightsSpec(kind="file", digest="00" * 32)
    spec = world.spec(model=network("test_resnet", weights=weights))
    with pytest.raises(StoreError, match="has changed since"):
        make_network(spec, 0, world.store, {"00" * 32: path})
    with pytest.raises(UsageError, match="is not at"):
        make_network(spec, 0, world.store, {"00" * 32: tmp_path / "absent"})
    with pytest.raises(UsageError, match="was not handed over"):
        build_network(spec, 0, None)


def test_a_full_disk_is_a_store_error(world, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    spec = world.spec(seed=77, epochs=1)
    with pytest.raises(StoreError, match="No space left"):
        train_fits({"full": spec}, world.store, weights={}, on_epoch=no_epochs)
    with pytest.raises(StoreError, match="No space left"):
        publish_fit(
            world.store, spec, FitRecord(fit_id="full", status="done"), None, {"x": torch.zeros(1)}
        )
    assert not world.store.path("fits", "full").exists()
    assert not list(world.store.work_path("fits", "full").glob("*"))


def test_files_of_a_fit_are_as_open_as_any_other_of_the_store(fresh):
    name, _ = trained(fresh)
    files = [path for path in fresh.store.path("fits", name).iterdir() if path.is_file()]
    assert len({path.stat().st_mode for path in files}) == 1


def test_another_fits_weights_must_be_of_the_same_model(world):
    name, _ = trained(world)
    with pytest.raises(UsageError, match="has another encoder"):
        make_network(starting_from(world, name), 0, world.store, {})
    plain, _ = trained(world, model=network("majority"))
    with pytest.raises(UsageError, match="has no network"):
        make_network(starting_from(world, plain), 0, world.store, {})
    blind, _ = trained(world, input=NamedSpec(name="metadata"))
    with pytest.raises(UsageError, match="read the image"):
        make_network(starting_from(world, blind), 0, world.store, {})


def test_another_fits_normalisation_is_inherited_unless_stated(world):
    weights = WeightsSpec(kind="random", mean=(0.25,) * 3, std=(0.75,) * 3)
    name, _ = trained(world, model=network("test_resnet", weights=weights))
    heir = make_network(starting_from(world, name), 0, world.store, {})
    assert heir.mean.flatten().tolist() == [0.25] * 3
    spec = starting_from(world, name)
    stated = dataclasses.replace(spec.model.weights, mean=(0.5,) * 3, std=(0.5,) * 3)
    spec = dataclasses.replace(spec, model=dataclasses.replace(spec.model, weights=stated))
    assert make_network(spec, 0, world.store, {}).std.flatten().tolist() == [0.5] * 3


def test_a_new_label_space_gets_a_new_head(world):
    name, _ = trained(world, model=network("test_resnet"))
    spec = starting_from(world, name, classes=("bkl", "nv"))
    net = make_network(spec, 0, world.store, {})
    assert net.head.classifier.out_features == 2


def test_features_need_a_frozen_encoder(world):
    with pytest.raises(UsageError, match="frozen: true"):
        build_features(world.spec(), "drawn", world.store)
    with pytest.raises(UsageError, match="no image features"):
        Network(None, torch.nn.Identity(), Preprocessing(), frozen=False).features(torch.zeros(1))
