"""Heads that join metadata with the image, against hand-computed numbers."""

from __future__ import annotations

import pytest

from skinbench import registry
from skinbench.errors import UsageError

pytestmark = pytest.mark.torch


def head(name, n_features=64, n_metadata=19, n_classes=7, **options):
    entry = registry.inputs.get(name)
    return entry.build(n_features, n_metadata, n_classes, {**entry.options, **options})


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def shapes(module):
    return {name: tuple(value.shape) for name, value in module.named_parameters()}


def test_p2_fusion_as_the_paper_has_it():
    """Three blocks with pooling at 128 px flatten to 16 x 16 x 128; 7 features, 7 classes."""
    flat = 16 * 16 * 128
    module = head("fusion_p2", n_features=flat, n_metadata=7)
    assert shapes(module) == {
        "metadata.0.weight": (64, 7),
        "metadata.0.bias": (64,),
        "classifier.weight": (7, flat + 64),
        "classifier.bias": (7,),
    }
    assert count(module) == 512 + 229_831 == (7 * 64 + 64) + ((32_768 + 64) * 7 + 7)


def test_film_by_hand():
    module = head("film")
    assert shapes(module) == {
        "scale.weight": (64, 19),
        "scale.bias": (64,),
        "shift.weight": (64, 19),
        "shift.bias": (64,),
        "classifier.weight": (7, 64),
        "classifier.bias": (7,),
    }
    assert count(module) == 2 * (19 * 64 + 64) + (64 * 7 + 7)


def test_metablock_by_hand():
    """As the authors' code for a ResNet-50: 2048 features are 64 maps of 32."""
    module = head("metablock", n_features=2048)
    assert shapes(module)["gate.0.weight"] == (64, 19)
    assert shapes(module)["shift.1.weight"] == (64,)
    assert count(module) == 2 * ((19 * 64 + 64) + 2 * 64) + (2048 * 7 + 7)


@pytest.mark.parametrize(("features", "maps"), [(1280, 40), (96, 3), (100, 25), (7, 7)])
def test_metablock_takes_any_width(features, maps):
    import torch

    module = head("metablock", n_features=features)
    assert module.gate[0].out_features == maps
    assert module(torch.rand(4, features), torch.rand(4, 19)).shape == (4, 7)


@pytest.mark.parametrize("size", [0, -3, 2.5, True, "32"])
def test_metablock_refuses_a_map_size_that_cannot_be(size):
    with pytest.raises(UsageError, match="map_size is a whole number"):
        head("metablock", map_size=size)


def test_p2_fusion_with_constant_metadata_is_the_image_alone_up_to_the_bias():
    import torch

    module, features = head("fusion_p2"), torch.rand(9, 64)
    constant = torch.rand(1, 19)
    embedded = module.metadata(constant)[0]
    weight, bias = module.classifier.weight, module.classifier.bias
    alone = torch.nn.functional.linear(features, weight[:, :64], bias + weight[:, 64:] @ embedded)
    found = module(features, constant.expand(9, 19))
    assert torch.allclose(found, alone, atol=1e-6)
    assert not torch.allclose(found, module(features, torch.rand(9, 19)), atol=1e-3)


def test_film_begins_as_the_image_alone_and_learns_from_there():
    import torch

    torch.manual_seed(0)
    module, features, metadata = head("film"), torch.rand(9, 64), torch.rand(9, 19)
    assert torch.equal(module(features, metadata), module.classifier(features))
    loss = torch.nn.functional.cross_entropy(module(features, metadata), torch.arange(9) % 7)
    loss.backward()
    for layer in (module.scale, module.shift):
        assert layer.weight.grad.abs().sum() > 0, "zero weights still learn"
    with torch.no_grad():
        module.scale.bias += 1.0
        module.shift.bias += 0.5
    expected = module.classifier(2.0 * features + 0.5)
    assert torch.allclose(module(features, metadata), expected, atol=1e-6)


def test_metablock_is_its_formula():
    import torch

    torch.manual_seed(0)
    module = head("metablock").eval()
    features, metadata = torch.randn(5, 64), torch.rand(5, 19)
    # In eval mode a fresh batch normalisation divides by sqrt(1 + eps) alone.
    gate = (module.gate[0](metadata) / (1 + 1e-5) ** 0.5).repeat_interleave(32, dim=1)
    shift = (module.shift[0](metadata) / (1 + 1e-5) ** 0.5).repeat_interleave(32, dim=1)
    expected = torch.sigmoid(torch.tanh(gate * features) + shift)
    found = module.modulate(features, metadata)
    assert torch.allclose(found, expected, atol=1e-6)
    assert found.min() > 0
    assert found.max() < 1


@pytest.mark.parametrize("name", ["fusion_p2", "film", "metablock"])
def test_they_read_image_and_metadata(name):
    entry = registry.inputs.get(name)
    assert entry.uses_image
    assert entry.uses_metadata
    assert entry.options["fields"] == ["age", "sex", "site"]
