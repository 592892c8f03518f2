"""Prediction's own forward pass gives what the network gives."""

import pytest
import torch
from torch import nn

from skinbench.learn.forward import Forward, folded, images_per_pass
from skinbench.learn.network import Network
from skinbench.records import NamedSpec, Preprocessing, TrainSpec

CPU = torch.device("cpu")


def network(encoder):
    with torch.no_grad():  # running statistics that folding must respect
        drawn = torch.Generator().manual_seed(3)
        for module in encoder.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.2, generator=drawn)
                module.running_var.uniform_(0.5, 2, generator=drawn)
                module.weight.uniform_(0.5, 1.5, generator=drawn)
                module.bias.normal_(0, 0.2, generator=drawn)
    return Network(encoder, nn.Identity(), Preprocessing(), frozen=True).eval()


def norms(module):
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


def pixels(n, size=32):
    drawn = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (n, size, size, 3), generator=drawn, dtype=torch.uint8).numpy()


def train(size=32):
    return TrainSpec(
        image_size=size, epochs=1, batch_size=8, optimizer=NamedSpec(name="adam"),
        early_stopping=None, reduce_on_plateau=None, augment=(), seed=0, threads=1,
        device="cpu", precision="float32",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["mobilenetv2_050", "resnet18", "densenet121", "efficientnet_b0"])
def test_a_folded_network_gives_the_same_features(name):
    import timm

    torch.manual_seed(0)
    made = network(timm.create_model(name, num_classes=0, pretrained=False))
    found = folded(made, 32, CPU)
    assert norms(found) < norms(made.encoder), "nothing was folded"
    if not name.startswith("densenet"):  # most of its norms stand before a convolution
        assert norms(found) == 0
    drawn = torch.rand(3, 3, 32, 32)
    with torch.inference_mode():
        plain, fast = made.encoder(drawn), found(drawn)
    assert (plain - fast).abs().max() <= 1e-4 * max(1.0, float(plain.abs().max()))
    assert norms(made.encoder), "the network itself is left alone"


def test_a_rectifier_is_part_of_its_convolution_and_autocast_is_heeded():
    import timm

    torch.manual_seed(0)
    made = network(timm.create_model("mobilenetv2_050", num_classes=0, pretrained=False))
    found = folded(made, 32, CPU)
    drawn = torch.rand(3, 3, 32, 32)
    own = [part for part in found.modules() if isinstance(part, nn.ReLU6)]
    called = []
    for part in own:
        part.register_forward_hook(lambda *_: called.append(1))
    with torch.inference_mode():
        fast = found(drawn)
        assert own, "they are kept for autocast"
        assert not called, "a pass over the memory of its own"
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = found(drawn)
    assert len(called) == len(own)
    assert half.dtype == torch.bfloat16
    assert (half - fast).abs().max() <= 0.05 * fast.abs().max()


class Shared(nn.Module):
    """What its convolution gives is read by a norm and once more."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        seen = self.conv(x)
        return (self.norm(seen) + seen).mean(dim=(2, 3))


class Twice(nn.Module):
    """One convolution before two norms."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.one, self.two = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x):
        return self.two(self.conv(self.one(self.conv(x)))).mean(dim=(2, 3))


class Odd(nn.Module):
    """Cannot be copied."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(self.conv(x)).mean(dim=(2, 3))

    def __deepcopy__(self, memo):
        raise TypeError("no copies")


@pytest.mark.parametrize("kind", [Shared, Twice, Odd])
def test_what_cannot_be_folded_stays_as_it_is(kind):
    torch.manual_seed(0)
    made = network(kind())
    assert folded(made, 16, CPU) is made.encoder


def test_a_network_without_norms_is_not_copied():
    made = network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    assert folded(made, 16, CPU) is made.encoder


def test_a_batch_is_cut_into_passes(monkeypatch):
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
    made = network(encoder)
    seen = pixels(11)
    whole = Forward(made, train(), CPU)(seen)
    monkeypatch.setattr("skinbench.learn.forward.CACHED", 4 * 32 * 32)
    sizes = []
    cut = Forward(made, train(), CPU)
    cut._encoder.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    torch.testing.assert_close(cut(seen), whole, rtol=1e-5, atol=1e-5)
    assert sizes == [4, 4, 3]
    turned = cut(seen, "hflip")
    assert not torch.allclose(turned, whole)


@pytest.mark.parametrize(("size", "images"), [(64, 128), (128, 32), (224, 16), (380, 4), (600, 4)])
def test_a_pass_fits_a_cache(size, images):
    assert images_per_pass(size, CPU) == images


def test_a_gpu_takes_any_number():
    assert images_per_pass(224, torch.device("cuda")) >= 4096


def test_a_frozen_network_learns_the_same_on_folded_features(tmp_path, monkeypatch):
    from skinbench.learn import views
    from skinbench.learn.fit import train_fits
    from tests.learn.world import make_world
    from tests.learn.world import network as model

    world = make_world(tmp_path)
    augment = (NamedSpec(name="brightness"),)
    spec = world.spec(model=model("test_resnet", frozen=True), augment=augment)
    made = {}
    for name, fold in (("folded", folded), ("plain", lambda given, *_: given.encoder)):
        monkeypatch.setattr(views, "folded", fold)
        done = train_fits({name: spec}, world.store, weights={}, on_epoch=lambda *_: None)
        made[name] = done[name].history
    for fast, plain in zip(made["folded"], made["plain"], strict=True):
        assert fast.train_loss == pytest.approx(plain.train_loss, abs=1e-4)
        assert fast.val_log_loss == pytest.approx(plain.val_log_loss, abs=1e-4)
