"""The networks that the papers describe, against numbers counted by hand."""

from __future__ import annotations

import pytest

from skinbench import registry
from skinbench.errors import UsageError

CNN_64 = (3 * 3 * 3 * 32 + 32) + (3 * 3 * 32 * 64 + 64)
CNN_128 = CNN_64 + (3 * 3 * 64 * 128 + 128)
FLAT = 16 * 16 * 128


def build(name, size, **options):
    entry = registry.models.get(name)
    return entry.build({**entry.options, **options}, None, False, size)


def head(name, n_features, n_metadata, n_classes=7):
    entry = registry.inputs.get(name)
    return entry.build(n_features, n_metadata, n_classes, entry.options)


def count(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.mark.torch
def test_p1_baseline_whole():
    """Two blocks with batch norm, 32 x 32 x 64 flattened, dense 64 twice, 7."""
    encoder = build("baseline_cnn", 128)
    whole = CNN_64 + 2 * (32 + 64) + (65_536 * 64 + 64) + (64 * 64 + 64) + (64 * 7 + 7)
    assert count(encoder, head("image", encoder.num_features, 0)) == whole == 4_218_567


@pytest.mark.torch
def test_p2_blocks_by_hand():
    import torch

    encoder = build("ft_multicnn", 128)
    assert CNN_128 == 93_248
    assert count(encoder) == CNN_128
    assert encoder.num_features == FLAT == 32_768
    assert encoder(torch.zeros(2, 3, 128, 128)).shape == (2, FLAT)
    assert count(encoder, head("image", FLAT, 0)) == CNN_128 + FLAT * 7 + 7 == 322_631


@pytest.mark.torch
def test_p2_whole_with_seven_metadata_features():
    """Metadata of 7 -> dense 64; 32,768 ++ 64 -> dense 7."""
    if "fusion_p2" not in registry.inputs.names():
        pytest.skip("this catalog has no input fusion_p2")
    encoder = build("ft_multicnn", 128)
    joined = (7 * 64 + 64) + ((FLAT + 64) * 7 + 7)
    assert count(encoder, head("fusion_p2", FLAT, 7)) == CNN_128 + joined == 323_591


@pytest.mark.torch
@pytest.mark.parametrize("name", ["image", "fusion_concat", "fusion_p1"])
def test_p2_is_an_image_network_for_every_input(name):
    import torch

    encoder, entry = build("ft_multicnn", 32), registry.inputs.get(name)
    module = head(name, encoder.num_features, 5)
    features = encoder(torch.rand(3, 3, 32, 32))
    metadata = torch.rand(3, 5) if entry.uses_metadata else None
    assert module(features, metadata).shape == (3, 7)


@pytest.mark.torch
def test_p2_variants():
    from torch import nn

    normed = build("ft_multicnn", 32, batch_norm=True)
    assert count(normed) == CNN_128 + 2 * (32 + 64 + 128)
    dropped = build("ft_multicnn", 32, dropout=0.5)
    assert [m.p for m in dropped.modules() if isinstance(m, nn.Dropout)] == [0.5]
    assert not [m for m in build("ft_multicnn", 32).modules() if isinstance(m, nn.Dropout)]
    for options, part in (
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"dropout": "half"}, "dropout is 'half'"),
        ({"batch_norm": 1}, "batch_norm is 1"),
    ):
        with pytest.raises(UsageError, match=part):
            build("ft_multicnn", 32, **options)


@pytest.mark.torch
def test_p2_has_no_weights_and_a_smallest_size():
    entry = registry.models.get("ft_multicnn")
    assert not entry.has_weights
    with pytest.raises(UsageError, match="no pretrained weights"):
        entry.build(entry.options, None, True, 32)
    with pytest.raises(UsageError, match="image_size 7 is under 8"):
        build("ft_multicnn", 7)
    assert build("ft_multicnn", 8).num_features == 128


@pytest.mark.torch
def test_p2_shows_its_last_convolution_to_grad_cam():
    import torch

    for options in ({}, {"batch_norm": True, "dropout": 0.3}):
        encoder = build("ft_multicnn", 32, **options)
        layer, reshape = registry.models.get("ft_multicnn").target_layer(encoder)
        kept = {}
        layer.register_forward_hook(lambda _m, _i, output, kept=kept: kept.update(map=output))
        encoder(torch.rand(1, 3, 32, 32))
        assert kept["map"].shape == (1, 128, 8, 8)
        assert kept["map"].min() >= 0
        assert reshape is None


# --- timm families that know fewer options ---------------------------------------------------


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("name", ["inception_v3", "densenet121"])
def test_families_without_dropped_paths_can_be_built(name):
    entry = registry.models.get(name)
    assert entry.options["drop_path_rate"] == 0.0
    assert build(name, 80).num_features > 0
    with pytest.raises(UsageError, match="unexpected keyword argument 'drop_path_rate'"):
        build(name, 80, drop_path_rate=0.1)


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize(("name", "size"), [("inception_v3", 64), ("densenet121", 24)])
def test_images_too_small_for_a_family_are_refused(name, size):
    with pytest.raises(UsageError, match=f"does not take images of {size} px.*another image_size"):
        build(name, size)
