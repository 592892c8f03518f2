"""Partly frozen networks, layer-wise learning rates, and linear probes of several families."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.learn.fit import train_fits
from skinbench.learn.infer import PredictRequest, predict_fits
from skinbench.learn.layers import layers_of, parameter_groups, stage_names, still_modules
from skinbench.learn.network import build_network
from skinbench.learn.optimiser import build_optimiser, learning_rate_of
from skinbench.records import ModelSpec, NamedSpec, WeightsSpec
from tests.learn.world import NO_WEIGHTS, fit_id, model_bytes, no_epochs

pytestmark = [pytest.mark.torch, pytest.mark.slow]

SMALL_SWIN = {"embed_dim": 24, "depths": [1, 1, 1, 1]}


def model(name, **fields):
    return ModelSpec(name=name, weights=WeightsSpec(kind="random"), **fields)


def train(world, spec, on_epoch=no_epochs):
    name = fit_id(spec)
    records = train_fits({name: spec}, world.store, weights=NO_WEIGHTS, on_epoch=on_epoch)
    return name, records[name]


# --- layers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size", "options", "stages"),
    [
        ("baseline_cnn", 32, {}, ["0", "4", "9", "11"]),
        ("ft_multicnn", 32, {"batch_norm": True}, ["0", "1", "2"]),
        ("test_resnet", 32, {}, ["conv1", "layer1", "layer2", "layer3", "layer4"]),
        (
            "test_vit",
            32,
            {},
            ["cls_token", *(f"blocks.{index}" for index in range(6))],
        ),
        (
            "swin_tiny_patch4_window7_224",
            64,
            SMALL_SWIN,
            ["patch_embed", *(f"layers.{index}" for index in range(4))],
        ),
        ("test_convnext", 32, {}, ["stem", *(f"stages.{index}" for index in range(4))]),
        (
            "mobilenetv2_035",
            32,
            {},
            ["conv_stem", *(f"blocks.{index}" for index in range(7))],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_stages_hold_every_parameter_once_in_order(name, size, options, stages):
    entry = registry.models.get(name)
    encoder = entry.build({**entry.options, **options}, None, False, size)
    found = layers_of(name, encoder, coarse=True)
    assert stage_names(found) == stages
    names = [parameter for stage in found for parameter in stage]
    assert sorted(names) == sorted(name for name, _ in encoder.named_parameters())
    fine = layers_of(name, encoder, coarse=False)
    assert len(fine) >= len(found)
    assert sorted(n for layer in fine for n in layer) == sorted(names)


def test_layers_that_lose_a_parameter_are_refused(monkeypatch):
    entry = registry.models.get("test_resnet")
    encoder = entry.build(entry.options, None, False, 32)
    for layers, part in (
        (lambda _e, _c: [["conv1.0.weight"]], "every parameter once"),
        (lambda e, _c: [[n for n, _ in e.named_parameters()]] * 2, "every parameter once"),
        (None, "names no layers"),
    ):
        changed = dataclasses.replace(entry, layers=layers)
        monkeypatch.setitem(registry.models._loaded, "test_resnet", changed)
        with pytest.raises(UsageError, match=part):
            layers_of("test_resnet", encoder, coarse=True)


# --- the last stages -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "baseline_cnn"])
def test_only_the_last_stages_change(world, name):
    before = build_network(world.spec(model=model(name, train_last=2)), 0, None)
    stages = layers_of(name, before.encoder, coarse=True)
    trained = {f"encoder.{parameter}" for stage in stages[-2:] for parameter in stage}
    start = {key: value.clone() for key, value in before.state_dict().items()}
    fit, record = train(world, world.spec(model=model(name, train_last=2)))
    assert record.error == ""
    after = load_file(world.store.open("fits", fit) / "model.safetensors")
    assert set(after) == set(start)
    parameters = {key for key, _ in before.named_parameters()}
    for key in parameters:
        same = torch.equal(after[key], start[key])
        assert same != (key in trained or key.startswith("head.")), key
    still = {key for key in set(start) - parameters if not key.startswith("head.")}
    layers = {key.rpartition(".")[0] for key in trained}
    for key in still - {"mean", "std"}:
        if key.rpartition(".")[0] not in layers:
            assert torch.equal(after[key], start[key]), f"statistics of {key} moved"
    assert 0 < record.trainable_parameters < record.parameters


def test_statistics_of_trained_stages_do_move(world):
    fit, _ = train(world, world.spec(model=model("test_resnet", train_last=1)))
    after = load_file(world.store.open("fits", fit) / "model.safetensors")
    assert not torch.equal(after["encoder.layer4.0.bn1.running_mean"], torch.zeros(96))
    assert torch.equal(
        after["encoder.layer3.0.bn1.running_mean"],
        torch.zeros_like(after["encoder.layer3.0.bn1.running_mean"]),
    )


def test_what_is_frozen_drops_nothing_and_what_is_trained_does():
    encoder = nn.Sequential()
    encoder.add_module("first", nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)))
    encoder.add_module("last", nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)))
    (found,) = still_modules(encoder, {"last.0.weight", "last.0.bias"})
    assert found is encoder.first


@pytest.mark.parametrize(("last", "part"), [(5, "it has 5 stages"), (9, "1 to 4")])
def test_more_stages_than_there_are(world, last, part):
    record = train(world, world.spec(model=model("test_resnet", train_last=last)))[1]
    assert record.status == "failed"
    assert part in record.error
    assert "conv1, layer1, layer2, layer3, layer4" in record.error


def test_a_partly_frozen_fit_goes_on_to_the_same_bytes(fresh):
    class Killed(BaseException):
        pass

    def die(_fit, record):
        if record.epoch == 1:
            raise Killed

    spec = fresh.spec(
        epochs=3,
        model=model("test_resnet", train_last=2),
        optimizer=NamedSpec(name="adamw", options={"lr": 1e-3, "layer_decay": 0.7}),
        reduce_on_plateau={"factor": 0.3, "patience": 1},
    )
    name = fit_id(spec)
    with pytest.raises(Killed):
        train(fresh, spec, die)
    train(fresh, spec)
    resumed = model_bytes(fresh.store, name)
    twin = dataclasses.replace(spec, versions={"other": "name"})
    train(fresh, twin)
    assert model_bytes(fresh.store, fit_id(twin)) == resumed


# --- layer-wise learning rates ------------------------------------------------------------


def test_rates_fall_from_the_head_to_the_stem(world):
    spec = world.spec(
        model=model("test_vit"),
        optimizer=NamedSpec(name="adamw", options={"lr": 0.1, "layer_decay": 0.5}),
    )
    network = build_network(spec, 0, None)
    groups = parameter_groups(spec, network.encoder, network)
    # head, six blocks (the last one with the norm behind it), stem
    assert [group["lr_scale"] for group in groups] == [0.5**power for power in range(8)]
    assert sum(len(group["params"]) for group in groups) == len(list(network.parameters()))
    optimiser = build_optimiser(spec.train.optimizer, groups)
    rates = {
        id(parameter): group["lr"]
        for group in optimiser.param_groups
        for parameter in group["params"]
    }
    assert rates[id(network.head.classifier.weight)] == pytest.approx(0.1)
    assert rates[id(network.encoder.norm.weight)] == pytest.approx(0.05)
    assert rates[id(network.encoder.blocks[0].mlp.fc1.weight)] == pytest.approx(0.1 * 0.5**6)
    assert rates[id(network.encoder.cls_token)] == pytest.approx(0.1 * 0.5**7)
    assert learning_rate_of(optimiser) == pytest.approx(0.1)


def test_a_slower_layer_takes_a_smaller_step(world):
    """Plain gradient descent: the step is rate x gradient, so the stem's is d^n of what it was."""
    steps = {}
    for decay in (None, 0.5):
        options = {"lr": 0.1, "momentum": 0.0} | ({"layer_decay": decay} if decay else {})
        spec = world.spec(
            model=model("ft_multicnn"), optimizer=NamedSpec(name="sgd", options=options)
        )
        network = build_network(spec, 0, None)
        optimiser = build_optimiser(
            spec.train.optimizer, parameter_groups(spec, network.encoder, network)
        )
        before = {name: p.detach().clone() for name, p in network.named_parameters()}
        batch = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
        nn.functional.cross_entropy(network(batch), torch.tensor([0, 1, 2, 0])).backward()
        optimiser.step()
        steps[decay] = {name: p.detach() - before[name] for name, p in network.named_parameters()}
    for name, power in (("encoder.0.0.weight", 3), ("encoder.2.0.weight", 1)):
        assert steps[0.5][name] == pytest.approx(steps[None][name] * 0.5**power, abs=1e-7)
    head = "head.classifier.weight"
    assert torch.equal(steps[0.5][head], steps[None][head])


def test_rates_keep_their_ratios_on_a_plateau(world):
    spec = world.spec(
        epochs=3,
        model=model("test_resnet"),
        optimizer=NamedSpec(name="sgd", options={"lr": 1e-30, "layer_decay": 0.5}),
        reduce_on_plateau={"factor": 0.1, "patience": 1},
    )
    record = train(world, spec)[1]
    assert [epoch.learning_rate for epoch in record.history] == pytest.approx(
        [1e-30, 1e-30, 1e-31], rel=1e-9
    )


# --- linear probes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("test_resnet", {}),
        ("test_efficientnet", {}),
        ("test_vit", {}),
        ("test_convnext", {}),
        ("swin_tiny_patch4_window7_224", SMALL_SWIN),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_linear_probe_of_a_family(world, name, options):
    chosen = ModelSpec(name=name, options=options, weights=WeightsSpec(kind="random"), frozen=True)
    spec = world.spec(model=chosen, epochs=1)
    assert spec.stored_features
    fit, record = train(world, spec)
    assert record.error == ""
    width = build_network(spec, 0, None).encoder.num_features
    assert record.trainable_parameters == width * 3 + 3
    request = PredictRequest(fit_id=fit, dataset=world.manifest.digest, image_ids=world.ids("test"))
    (found,) = predict_fits([request], world.store, weights={}, workers=1, batch_size=64)
    assert found.shape == (len(world.ids("test")), 3)
    tensors = load_file(world.store.open("fits", fit) / "model.safetensors")
    assert {key for key in tensors if key.startswith("encoder.")} == set()


def test_a_probe_at_a_size_that_the_family_refuses_says_so(world):
    spec = world.spec(model=model("inception_v3", frozen=True), epochs=1)
    record = train(world, spec)[1]
    assert record.status == "failed"
    assert "does not take images of 32 px" in record.error
    assert "choose another image_size" in record.error
