"""What a verification finds in networks that are wrong in one way each."""

from __future__ import annotations

import pytest
import torch
from safetensors import SafetensorError
from torch import nn

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.learn.verify import Wish, verify_model
from skinbench.records import ModelEntry

pytestmark = pytest.mark.torch

STEPS = ["build", "forward", "backward", "save", "load", "explain"]


class Good(nn.Module):
    """One convolution, pooled."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.num_features = 8

    def forward(self, pixels):
        return torch.relu(self.norm(self.layer(pixels))).mean(dim=(2, 3))


class Unpooled(Good):
    def forward(self, pixels):
        return self.layer(pixels)


class Detached(Good):
    def forward(self, pixels):
        with torch.no_grad():
            return super().forward(pixels)


class Endless(Good):
    def forward(self, pixels):
        return super().forward(pixels) / 0


class Mixing(Good):
    def forward(self, pixels):
        found = super().forward(pixels)
        return found - found.mean(dim=0)


class Forgetful(Good):
    """Its scale is no buffer, so that it is not saved."""

    def __init__(self):
        super().__init__()
        self.scale = torch.rand(8)

    def forward(self, pixels):
        return super().forward(pixels) * self.scale


class Idle(Good):
    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(2, 2)


class Raising(Good):
    def forward(self, pixels):
        raise KeyError("colour")


class Moody(Good):
    """Another width each time."""

    made = 0

    def __init__(self):
        super().__init__()
        Moody.made += 1
        self.extra = nn.Linear(Moody.made, 8)


def shown(encoder):
    return encoder.layer, None


@pytest.fixture
def verified(monkeypatch):
    def verify(kind, *, target_layer=shown, image_size=24, **wish):
        entry = ModelEntry(version=1, build=lambda *_: kind(), target_layer=target_layer)
        monkeypatch.setitem(registry.models._loaded, "mine", entry)
        return verify_model(Wish(model="mine", image_size=image_size, n_classes=3, **wish))

    return verify


def test_a_sound_network_passes_every_step(verified):
    found = verified(Good)
    assert found.ok
    assert [step.name for step in found.steps] == STEPS
    assert {step.status for step in found.steps} == {"ok"}
    assert found.parameters == (3 * 8 * 9 + 8) + 16 + (8 * 3 + 3) == found.trainable_parameters
    assert found.peak_bytes >= found.bytes_before > 0
    assert found.stages == {}


@pytest.mark.parametrize(
    ("kind", "step", "part"),
    [
        (Unpooled, "forward", "the encoder gives (4, 8, 24, 24), expected (4, 8)"),
        (Endless, "forward", "its features are not finite"),
        (Mixing, "forward", "depend on the others in its batch"),
        (Raising, "forward", "KeyError: 'colour'"),
        (Detached, "backward", "no parameter of the encoder gets a gradient"),
        (Forgetful, "load", "built and loaded again it gives other outputs"),
        (Moody, "load", "a network built again has other tensors"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_is_found_where_it_is(verified, kind, step, part):
    found = verified(kind)
    assert not found.ok
    at = STEPS.index(step)
    assert [item.status for item in found.steps[:at]] == ["ok"] * at
    assert found.steps[at].status == "failed"
    assert part in found.steps[at].detail
    assert found.steps[at].advice
    assert {item.detail for item in found.steps[at + 1 :]} <= {"not reached"}


def test_tensors_that_no_file_takes(verified, monkeypatch):
    def refuse(*_args):
        raise SafetensorError("dtype of a stranger")

    monkeypatch.setattr("skinbench.learn.verify.save_file", refuse)
    found = verified(Good)
    assert found.steps[3].detail == "its tensors cannot be saved: dtype of a stranger"
    assert found.steps[3].status == "failed"


def test_a_build_that_fails(verified):
    def broken():
        raise ZeroDivisionError("no\nwidth")

    found = verified(broken)
    assert found.steps[0].detail == "ZeroDivisionError: no"
    assert found.parameters == 0


def test_parameters_without_use_are_named(verified):
    found = verified(Idle)
    assert found.ok
    assert "2 parameters without use, e.g. encoder.unused.weight" in found.steps[2].detail


def test_without_a_layer_for_heatmaps_that_step_is_left_out(verified):
    found = verified(Good, target_layer=None)
    assert found.ok
    assert found.steps[-1].status == "skipped"
    assert "give its ENTRY `target_layer`" in found.steps[-1].detail


def test_a_wrong_target_layer(verified):
    found = verified(Good, target_layer=lambda encoder: (encoder.missing, None))
    assert found.steps[-1].status == "failed"
    assert "AttributeError" in found.steps[-1].detail
    assert "target_layer" in found.steps[-1].advice


def test_a_whole_model_alone(monkeypatch):
    def whole(_options, n_outputs, _size):
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, n_outputs))

    monkeypatch.setitem(registry.models._loaded, "mine", ModelEntry(version=1, whole=whole))
    found = verify_model(Wish(model="mine", image_size=24, n_classes=5))
    assert found.ok
    assert found.parameters == 3 * 5 + 5


@pytest.mark.parametrize("wish", [{"frozen": True}, {"train_last": 2}, {}])
def test_a_timm_model_in_every_way_of_training(wish):
    found = verify_model(Wish(model="test_vit", image_size=32, **wish))
    assert found.ok, found.steps
    assert len(found.stages) == 7
    assert (found.trainable_parameters < found.parameters) == bool(wish)


def test_what_has_no_network():
    for name, part in (("majority", "is a baseline"), ("onnx", "is only a file")):
        with pytest.raises(UsageError, match=part):
            verify_model(Wish(model=name))
