"""Dense layers between encoder and output, and one sigmoid for two classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.learn.fit import train_fits
from skinbench.learn.heads import Head, build_head
from skinbench.learn.infer import PredictRequest, predict_fits
from skinbench.learn.losses import build_loss, mixed_loss
from skinbench.learn.network import build_network
from skinbench.records import HeadSpec, ModelSpec, NamedSpec, WeightsSpec
from tests.learn.world import NO_WEIGHTS, fit_id, make_world, no_epochs

pytestmark = pytest.mark.torch

TWO = ("bkl", "mel")


def model(name="baseline_cnn", **fields):
    return ModelSpec(name=name, weights=WeightsSpec(kind="random"), **fields)


def sizes(module):
    return {name: tuple(p.shape) for name, p in module.named_parameters()}


# --- heads ------------------------------------------------------------------------------


def test_without_a_head_the_inputs_own_stands_alone(world):
    assert set(sizes(build_network(world.spec(), 0, None).head)) == {
        "classifier.weight",
        "classifier.bias",
    }


@pytest.mark.parametrize(
    ("head", "shapes"),
    [
        (HeadSpec(dense=(64,)), [(64, 1280), (64,), (3, 64), (3,)]),
        (HeadSpec(dense=(256,), dropout=0.5), [(256, 1280), (256,), (3, 256), (3,)]),
        (HeadSpec(dense=(64, 32)), [(64, 1280), (64,), (32, 64), (32,), (3, 32), (3,)]),
        (HeadSpec(dropout=0.5), [(3, 1280), (3,)]),
    ],
    ids=["p1", "p3", "two", "dropout"],
)
def test_heads_by_hand(world, head, shapes):
    spec = world.spec(model=model(head=head))
    built = build_head(spec, 1280, 0)
    assert list(sizes(built).values()) == shapes
    dropped = [m.p for m in built.modules() if isinstance(m, torch.nn.Dropout)]
    assert dropped == ([head.dropout] if head.dropout else [])
    assert built(torch.rand(2, 1280), None).shape == (2, 3)


def test_a_head_narrows_what_a_fusion_joins(world):
    spec = world.spec(
        model=model(head=HeadSpec(dense=(16,))), input=NamedSpec(name="fusion_concat")
    )
    built = build_head(spec, 1280, 5)
    assert built.inner.joint[0].in_features == 16 + 5
    assert built(torch.rand(2, 1280), torch.rand(2, 5)).shape == (2, 3)


def test_a_head_needs_an_image(world):
    spec = world.spec(model=model(head=HeadSpec(dense=(16,))), input=NamedSpec(name="metadata"))
    with pytest.raises(UsageError, match="reads no image"):
        build_network(spec, 5, None)


def test_a_headed_probe_trains_on_stored_features(world):
    spec = world.spec(
        model=model("test_resnet", frozen=True, head=HeadSpec(dense=(8,), dropout=0.1)), epochs=2
    )
    record = train_fits({"f": spec}, world.store, weights=NO_WEIGHTS, on_epoch=no_epochs)["f"]
    assert record.error == ""
    assert record.trainable_parameters == (96 * 8 + 8) + (8 * 3 + 3)


# --- one sigmoid --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs():
    generator = torch.Generator().manual_seed(3)
    z = torch.randn(40, 1, generator=generator) * 3
    return z, torch.randint(0, 2, (40,), generator=generator)


class Given(torch.nn.Module):
    def forward(self, features, metadata):
        return features


def paired(z):
    return Head(None, Given(), sigmoid=True)(z, None)


def test_probabilities_are_one_minus_p_and_p(pairs):
    z, _ = pairs
    p = torch.softmax(paired(z).double(), dim=1)
    expected = torch.sigmoid(z.double())[:, 0]
    assert p[:, 1].numpy() == pytest.approx(expected.numpy(), abs=1e-7)
    assert p.sum(dim=1).numpy() == pytest.approx(np.ones(40))


def test_cross_entropy_is_binary_cross_entropy(pairs):
    z, labels = pairs
    for factor in (1.0, 200.0):  # and no overflow far out
        ours = functional.cross_entropy(paired(z * factor), labels)
        binary = functional.binary_cross_entropy_with_logits(z[:, 0] * factor, labels.float())
        assert ours.item() == pytest.approx(binary.item(), rel=1e-5)


COUNTS = np.array([90, 10])


def loss_of(technique, pairs, **options):
    z, labels = pairs
    return build_loss([NamedSpec(name=technique, options=options)], COUNTS)(paired(z), labels)


def test_techniques_are_their_binary_forms(pairs):
    """Written for p = sigmoid(z) and labels 0 and 1, as for a network with one output."""
    z, labels = pairs[0][:, 0], pairs[1]
    binary = functional.binary_cross_entropy_with_logits
    bce = binary(z, labels.float(), reduction="none")
    weight = torch.where(labels == 1, 1 / 10, 1 / 90)
    expected = {"class_weights": (weight * bce).sum() / weight.sum()}
    p = torch.sigmoid(z)
    right = torch.where(labels == 1, p, 1 - p)
    expected["focal"] = ((1 - right) ** 2 * bce).mean()
    expected["label_smoothing"] = binary(z, labels.float() * 0.9 + 0.05)
    expected["logit_adjustment"] = binary(z + np.log(10 / 90), labels.float())
    for name, value in expected.items():
        assert loss_of(name, pairs).item() == pytest.approx(value.item(), rel=1e-4), name
    alpha = torch.where(labels == 1, 0.75, 0.25)
    found = loss_of("focal", pairs, alpha=[0.25, 0.75]).item()
    assert found == pytest.approx((alpha * (1 - right) ** 2 * bce).mean().item(), rel=1e-4)


def test_a_mixed_label_is_a_soft_target(pairs):
    z, labels = pairs
    partner = torch.arange(len(labels) - 1, -1, -1)
    mixed = mixed_loss(functional.cross_entropy, paired(z), labels, partner, 0.3)
    soft = 0.3 * labels.float() + 0.7 * labels[partner].float()
    expected = functional.binary_cross_entropy_with_logits(z[:, 0], soft)
    assert mixed.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory):
    """The drawn world without its third class."""
    import dataclasses

    from skinbench.data.manifest import manifest_digest, publish_manifest
    from skinbench.data.pixels import build_pixels
    from skinbench.data.split_tables import split_of
    from skinbench.data.splits import publish_split
    from skinbench.records import LabelSpace

    world = make_world(tmp_path_factory.mktemp("two"))
    table = world.manifest.table[world.manifest.table["label"] != "nv"].reset_index(drop=True)
    space = LabelSpace(name="custom", classes=TWO)
    manifest = dataclasses.replace(
        world.manifest, label_space=space, table=table, digest=manifest_digest(space, table)
    )
    publish_manifest(manifest, world.store)
    kept = world.split.table[world.split.table["image_id"].isin(set(table["image_id"]))]
    split = split_of("two", kept.reset_index(drop=True), group="image", folds=1, notes=())
    publish_split(split, world.store)
    build_pixels(manifest, 32, world.store, workers=1)
    return dataclasses.replace(world, manifest=manifest, split=split)


@pytest.mark.parametrize("technique", ["none", "class_weights", "focal", "oversampling", "mixup"])
def test_a_sigmoid_fit_learns_and_predicts_both_classes(two_classes, technique):
    world = two_classes
    spec = world.spec(classes=TWO, output="sigmoid", technique=NamedSpec(name=technique), epochs=3)
    name = fit_id(spec)
    record = train_fits({name: spec}, world.store, weights=NO_WEIGHTS, on_epoch=no_epochs)[name]
    assert record.error == ""
    losses = [epoch.train_loss for epoch in record.history]
    assert losses[-1] < losses[0]
    ids = world.ids("train")
    request = PredictRequest(fit_id=name, dataset=world.manifest.digest, image_ids=ids)
    (found,) = predict_fits([request], world.store, weights={}, workers=1, batch_size=64)
    assert found.shape == (len(ids), 2)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(ids)), abs=1e-6)
    labels = pd.Index(TWO).get_indexer(
        world.manifest.table.set_index("image_id").loc[list(ids), "label"]
    )
    assert found[labels == 1, 1].mean() > found[labels == 0, 1].mean()
    one = world.store.open("fits", name) / "model.safetensors"
    from safetensors.torch import load_file

    assert load_file(one)["head.inner.classifier.weight"].shape == (1, 64)


def test_heatmaps_speak_for_either_class(world):
    """Of the logits (0, z) the first has no gradient: its map would be empty."""
    network = build_network(world.spec(classes=TWO, output="sigmoid"), 0, None).eval()
    layer, reshape = registry.models.get("baseline_cnn").target_layer(network.encoder)
    batch = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    explain = registry.explainers.get("gradcam").explain
    heats = [
        explain(network, layer, reshape, batch, None, torch.full((4,), code)) for code in (0, 1)
    ]
    assert all(heat.max() > 0 for heat in heats)
    assert not np.allclose(heats[0], heats[1])


def test_one_sigmoid_is_refused_for_three_classes(world):
    with pytest.raises(UsageError, match="two classes, and here are 3"):
        build_network(world.spec(output="sigmoid"), 0, None)
