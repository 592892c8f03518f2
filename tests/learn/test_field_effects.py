"""Effects of metadata fields against heads whose answer is known by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from skinbench.errors import UsageError
from skinbench.learn.field_effects import columns, field_effects, shapley
from skinbench.learn.fit import train_fits
from skinbench.records import NamedSpec
from tests.learn.world import fit_id, no_epochs

pytestmark = pytest.mark.torch
FIELDS = [0, 1, 1, 2]
"""One number, one category of two columns, one flag."""


class Linear(nn.Module):
    """Two logits: 0, and a weighted sum of the metadata."""

    def __init__(self, weights):
        super().__init__()
        self.weights = torch.tensor(weights, dtype=torch.float64)

    def forward(self, features, metadata):
        del features
        score = metadata.double() @ self.weights
        return torch.stack([torch.zeros_like(score), score], dim=1)


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def by_hand(weights, own, typical):
    """Shapley's value of each field for the decided class, over all orders, written out."""
    parts = {0: (0,), 1: (1, 2), 2: (3,)}
    decided = 1 if sum(w * x for w, x in zip(weights, own, strict=True)) > 0 else 0

    def p(known):
        values = list(typical)
        for field in known:
            for column in parts[field]:
                values[column] = own[column]
        likely = sigmoid(sum(w * x for w, x in zip(weights, values, strict=True)))
        return likely if decided else 1 - likely

    orders = list(itertools.permutations(parts))
    effects = dict.fromkeys(parts, 0.0)
    for order in orders:
        for place, field in enumerate(order):
            effects[field] += (p(order[: place + 1]) - p(order[:place])) / len(orders)
    return [effects[field] for field in parts], p(parts), p(())


@pytest.mark.parametrize("own", [[0.9, 1.0, 0.0, 1.0], [0.1, 0.0, 1.0, 0.0]])
def test_effects_of_a_linear_head_are_those_by_hand(own):
    weights, typical = [2.0, -1.5, 0.7, 1.0], [0.4, 0.3, 0.7, 0.25]
    effects, p, before = shapley(
        Linear(weights), None, torch.tensor([own]), torch.tensor([typical]), FIELDS
    )
    wanted, own_p, typical_p = by_hand(weights, own, typical)
    np.testing.assert_allclose(effects[0], wanted, atol=1e-6)
    assert p[0] == pytest.approx(own_p, abs=1e-6)
    assert before[0] == pytest.approx(typical_p, abs=1e-6)


def test_effects_add_up_and_a_field_without_weight_has_none():
    rng = np.random.default_rng(3)
    own = torch.tensor(rng.random((9, 4)), dtype=torch.float32)
    typical = torch.full((1, 4), 0.5)
    effects, p, before = shapley(Linear([1.0, 0.0, 0.0, -2.0]), None, own, typical, FIELDS)
    np.testing.assert_allclose(effects.sum(axis=1), p - before, atol=1e-6)
    np.testing.assert_array_equal(effects[:, 1], 0)
    one = shapley(Linear([1.0, 0.0, 0.0, -2.0]), None, typical, typical, FIELDS)[0]
    np.testing.assert_allclose(one, 0, atol=1e-12)


def test_a_trained_fusion_network_is_explained_the_same_in_any_batch(world):
    spec = world.spec(epochs=1, input=NamedSpec(name="fusion_p1"))
    name = fit_id(spec)
    train_fits({name: spec}, world.store, weights={}, on_epoch=no_epochs)
    ids, val = world.ids("test"), (world.manifest.digest, world.ids("val"))
    found = field_effects(name, world.manifest.digest, ids, val, world.store, weights={})
    assert list(dict.fromkeys(found["field"])) == ["age", "sex", "site"]
    assert len(found) == 3 * len(ids)
    total = found.groupby("image_id")["effect"].sum()
    ends = found.drop_duplicates("image_id").set_index("image_id")
    np.testing.assert_allclose(total, (ends["p"] - ends["p_typical"])[total.index], atol=1e-5)
    alone = field_effects(name, world.manifest.digest, ids[:1], val, world.store, weights={})
    np.testing.assert_allclose(alone["effect"], found["effect"][:3], atol=1e-5)


def test_a_network_without_metadata_is_refused(world):
    spec = world.spec(epochs=1)
    name = fit_id(spec)
    train_fits({name: spec}, world.store, weights={}, on_epoch=no_epochs)
    val = (world.manifest.digest, world.ids("val"))
    with pytest.raises(UsageError, match="no network that reads metadata"):
        field_effects(name, world.manifest.digest, [], val, world.store, weights={})


def test_columns_belong_to_their_fields():
    from skinbench.data.metadata import MetadataEncoder

    encoder = MetadataEncoder(
        fields=("site_general", "age", "site", "age.missing"),
        age_low=0,
        age_high=90,
        age_median=50,
        sexes=(),
        sites=("back", "face"),
        words={"site_general": ("torso",)},
    )
    assert columns(encoder) == [0, 1, 2, 2, 3]
