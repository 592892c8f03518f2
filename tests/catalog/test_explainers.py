"""Explainers against pytorch-grad-cam, against their definitions, and on every kind of network."""

from __future__ import annotations

import numpy as np
import pytest

from skinbench import registry
from skinbench.errors import UsageError
from tests.learn.world import SIZE

pytestmark = pytest.mark.torch

CAMS = {
    "gradcam": "GradCAM",
    "gradcam_plus_plus": "GradCAMPlusPlus",
    "eigencam": "EigenCAM",
    "scorecam": "ScoreCAM",
}


def cnn(seed=0, classes=3, metadata=0):
    """A small network that reads the image, and metadata where asked for."""
    import torch
    from torch import nn

    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(
                nn.Conv2d(3, 8, 3, padding=1),
                nn.BatchNorm2d(8),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
                nn.Conv2d(8, 12, 3, padding=1),
                nn.ReLU(inplace=True),
            )
            self.head = nn.Linear(12 + metadata, classes)

        def forward(self, pixels, about=None):
            features = self.encoder(pixels).mean(dim=(2, 3))
            if metadata:
                features = torch.cat([features, about], dim=1)
            return self.head(features)

    torch.manual_seed(seed)
    return Small().eval()


def images(count=4, seed=0, side=SIZE):
    import torch

    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def explain(name, network, batch, metadata=None, classes=None, layer=None, reshape=None):
    import torch

    chosen = torch.arange(len(batch)) % 3 if classes is None else classes
    found = registry.explainers.get(name).explain
    return found(network, layer or network.encoder[4], reshape, batch, metadata, chosen)


@pytest.mark.parametrize("name", CAMS)
@pytest.mark.parametrize("layer", [1, 4])
def test_cams_equal_pytorch_grad_cam(name, layer):
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    network, batch = cnn(), images()
    target = network.encoder[layer]
    ours = explain(name, network, batch, layer=target)
    kind = getattr(pytorch_grad_cam, CAMS[name])
    # A ReLU in place would change the maps that the library keeps after the layer has given them.
    network.encoder[2].inplace = network.encoder[5].inplace = False
    with kind(network, [target]) as method:
        theirs = method(
            input_tensor=batch, targets=[ClassifierOutputTarget(i % 3) for i in range(4)]
        )
    if name == "eigencam":
        # The library leaves the sign to LAPACK: where it is the other one, ours is not its map.
        same = [abs(a - b).max() < 1e-3 for a, b in zip(ours, theirs, strict=True)]
        turned = [
            np.corrcoef(a.ravel(), b.ravel())[0, 1] < 0 for a, b in zip(ours, theirs, strict=True)
        ]
        assert all(s or t for s, t in zip(same, turned, strict=True))
    else:
        assert theirs.std() > 0
        assert ours == pytest.approx(theirs, abs=1e-3)


@pytest.mark.parametrize("name", sorted(registry.explainers.names()))
def test_every_explainer_gives_heat_and_leaves_the_network_alone(name):
    import torch

    fusion = name != "attention"
    network = cnn(metadata=2) if fusion else transformer()
    metadata = torch.rand(4, 2) if fusion else None
    batch = images() if fusion else images(side=64)
    layer = None if fusion else network
    before = {key: value.clone() for key, value in network.state_dict().items()}
    network.train()
    heat = explain(name, network, batch, metadata, layer=layer)
    assert heat.shape == (4, *batch.shape[-2:])
    assert heat.dtype == np.float32
    assert np.isfinite(heat).all()
    assert heat.min() >= 0
    assert heat.max() <= 1
    assert heat.std() > 0
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    one = None if metadata is None else metadata[1:2]
    alone = explain(name, network, batch[1:2], one, torch.tensor([1]), layer=layer)
    assert heat[1] == pytest.approx(alone[0], abs=2e-3)
    changed = [k for k, v in network.state_dict().items() if not torch.equal(before[k], v)]
    assert changed == []
    if fusion:
        assert network.encoder[2].inplace


@pytest.mark.parametrize("name", ["guided_gradcam", "integrated_gradients", "occlusion"])
def test_heat_of_pixels_lies_where_the_class_is_read(name):
    """A network that decides by the top left quarter has its heat there."""
    import torch
    from torch import nn

    class Corner(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
            nn.init.constant_(self.encoder[0].weight, 1.0)

        def forward(self, pixels, _about=None):
            maps = self.encoder(pixels)
            read = maps[:, :, : SIZE // 2, : SIZE // 2].mean(dim=(1, 2, 3))
            return torch.stack([read, -read, 0 * read], dim=1)

    network = Corner()
    heat = explain(
        name, network, images() + 2, classes=torch.zeros(4, dtype=int), layer=network.encoder[1]
    )
    inside = heat[:, : SIZE // 2, : SIZE // 2].sum(axis=(1, 2))
    # A covered patch at the edge of the quarter reaches half of itself beyond it.
    least = 0.75 if name == "occlusion" else 0.999
    assert (inside / heat.sum(axis=(1, 2)) > least).all()


def test_what_a_network_cannot_show_is_said():
    with pytest.raises(UsageError, match="no attention to show"):
        explain("attention", cnn(), images())
    network, batch = transformer(), images(side=64)
    place = {"layer": network.encoder.norm, "reshape": lambda maps: maps.permute(0, 3, 1, 2)}
    with pytest.raises(UsageError, match="no ReLU to guide"):
        explain("guided_gradcam", network, batch, **place)


def transformer(name="swin_tiny_patch4_window7_224", **options):
    """A small transformer of timm's for images of 64 pixels."""
    import timm
    import torch

    torch.manual_seed(0)
    small = {"embed_dim": 24, "depths": [1, 1, 1, 2], "num_heads": [1, 1, 1, 1]}
    chosen = options if "depth" in options else {**small, **options}
    encoder = timm.create_model(name, pretrained=False, img_size=64, num_classes=3, **chosen)

    class Whole(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = encoder

        def forward(self, pixels, _about=None):
            return self.encoder(pixels)

    return Whole().eval()


def test_attention_of_a_class_token():
    """Where all keys are alike attention is even, and a flat map has no heat."""
    import torch

    network = transformer("vit_tiny_patch16_224", depth=2)
    batch = images(2, side=64)
    assert explain("attention", network, batch, layer=network).std() > 0
    last = network.encoder.blocks[-1].attn
    with torch.no_grad():
        last.qkv.weight.zero_()
    assert not explain("attention", network, batch, layer=network).any()


def test_shifted_windows_are_put_back():
    """What a window attends to is drawn where the window lies in the image."""
    import torch

    from skinbench.catalog.explainers.attention import _swin

    weights = torch.zeros(4, 4, 4)  # 2 x 2 windows of 2 x 2 places
    weights[0, :, 3] = 1.0  # in the first window all look at its last place, (1, 1)
    assert _swin((2, 2), (0, 0), weights, 1)[0].argmax() == 1 * 4 + 1
    # Shifted by one, the window's first place is (1, 1) of the image: its last is (2, 2).
    assert _swin((2, 2), (1, 1), weights, 1)[0].argmax() == 2 * 4 + 2
    with pytest.raises(UsageError, match="do not tile a square"):
        _swin((2, 2), (0, 0), weights[:3], 1)
