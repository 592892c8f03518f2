"""The U-Net as a catalog entry."""

from __future__ import annotations

import pytest

from skinbench import registry
from skinbench.errors import UsageError

pytestmark = pytest.mark.torch
ENTRY = registry.models.get("unet")


def build(size=64, **options):
    return ENTRY.build({**ENTRY.options, **options}, None, False, size)


@pytest.mark.parametrize("encoder", ["mobilenet_v2", "tu-test_resnet"])
def test_any_encoder_gives_a_logit_for_each_pixel(encoder):
    import torch

    with torch.no_grad():
        assert build(encoder=encoder)(torch.rand(2, 3, 64, 64)).shape == (2, 1, 64, 64)


def test_what_cannot_be():
    with pytest.raises(UsageError, match=r"image_size 84 is no multiple of 32; use 96"):
        build(84)
    with pytest.raises(UsageError, match=r"no encoder 'resnet1'; did you mean 'resnet18'\?"):
        build(encoder="resnet1")
    with pytest.raises(UsageError, match=r"encoder 'tu-nonesuch': Unknown model"):
        build(encoder="tu-nonesuch")
    with pytest.raises(UsageError, match="takes no weights file"):
        ENTRY.build(ENTRY.options, "x.safetensors", False, 64)


def test_mirroring_twice_is_nothing():
    import torch

    from skinbench.learn.segmentation import mirrored

    images = torch.rand(4, 2, 6, 6)
    turns = torch.tensor([[True, False, True, False], [True, True, False, False]])
    once = mirrored(images, turns)
    assert torch.equal(mirrored(once, turns), images)
    assert torch.equal(once[0], images[0].flip(1, 2))
    assert torch.equal(once[1], images[1].flip(2))
    assert torch.equal(once[3], images[3])
