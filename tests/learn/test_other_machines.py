"""A fit that several machines work on, which share a store at a URL and no disk."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from skinbench.learn.fit import train_fits
from skinbench.learn.scorer import Scorer
from skinbench.records import NamedSpec, WeightsSpec
from skinbench.store import COPIES, Store, open_store, remote, shared
from tests.learn.world import NO_WEIGHTS, World, fit_id, make_world, model_bytes, network, no_epochs

pytestmark = pytest.mark.torch

Machine = Callable[[str], Store]


class Killed(BaseException):
    pass


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """The store as a machine of that name opens it."""
    monkeypatch.setattr(remote, "PAUSES", ())

    def opened(name: str) -> Store:
        monkeypatch.setenv(COPIES, str(tmp_path / name))
        return open_store(f"file://{tmp_path}/shared")

    return opened


def on(store: Store, world: World) -> World:
    return dataclasses.replace(world, store=store)


def test_a_machine_that_dies_costs_one_epoch(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "SELDOM", 0.0)
    world = make_world(tmp_path / "world", store=machine("first"))
    spec = world.spec(epochs=5, augment=(NamedSpec(name="p1"),))
    name = fit_id(spec)

    def die(_fit, epoch):
        if epoch.epoch == 3:
            raise Killed

    with pytest.raises(Killed):
        train_fits({name: spec}, world.store, weights=NO_WEIGHTS, on_epoch=die)
    shutil.rmtree(tmp_path / "first")
    seen = []
    second = machine("second")
    train_fits(
        {name: spec}, second, weights=NO_WEIGHTS, on_epoch=lambda _, epoch: seen.append(epoch.epoch)
    )
    assert seen == [4, 5]
    alone = make_world(tmp_path / "alone")
    train_fits({name: spec}, alone.store, weights=NO_WEIGHTS, on_epoch=no_epochs)
    third = machine("third")
    assert model_bytes(third, name) == model_bytes(alone.store, name)
    assert not list((tmp_path / "shared" / "unfinished").rglob("*.*"))
    probabilities = [
        scorer.probabilities(scorer.rows(world.ids("test")))[name]
        for scorer in (
            Scorer(store.place, [name], dataset=world.manifest.digest)
            for store in (third, alone.store)
        )
    ]
    assert np.array_equal(*probabilities)


def test_weights_come_from_the_machine_that_has_them(machine, tmp_path):
    world = make_world(tmp_path / "world", store=machine("first"))
    torch.manual_seed(5)
    path = tmp_path / "w.safetensors"
    save_file(timm.create_model("test_resnet", num_classes=11).state_dict(), path)
    digest = world.store.digest_of(path)
    weights = WeightsSpec(kind="file", digest=digest, mean=(0.5,) * 3, std=(0.25,) * 3)
    spec = world.spec(epochs=1, model=network("test_resnet", weights=weights))
    name = fit_id(spec)
    absent = {digest: tmp_path / "elsewhere" / "w.safetensors"}

    def trained(store: Store) -> str:
        made = train_fits({name: spec}, store, weights=absent, on_epoch=no_epochs)
        return made[name].error

    assert "is not at" in trained(machine("second"))
    world.store.lend("weights", digest, path)
    assert trained(machine("third")) == ""
