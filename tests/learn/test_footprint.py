"""Memory of a worker, counted on shapes alone."""

from __future__ import annotations

import dataclasses

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from torch import nn  # noqa: E402 -- after the skip

from skinbench import registry  # noqa: E402
from skinbench.learn import footprint  # noqa: E402
from skinbench.learn.footprint import training_bytes  # noqa: E402
from skinbench.records import ModelEntry, NamedSpec  # noqa: E402
from tests.learn.world import network  # noqa: E402


class Two(nn.Module):
    """Two layers whose sizes can be counted by hand."""

    num_features = 4

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.second = nn.Conv2d(8, 4, 3, padding=1, bias=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(pixels)).mean(dim=(2, 3))


@pytest.fixture
def two(monkeypatch):
    monkeypatch.setitem(
        registry.models._loaded, "two", ModelEntry(version=1, build=lambda *_: Two())
    )
    monkeypatch.setitem(registry.models._plugins, "two", "test")


def test_what_a_forward_pass_keeps_is_counted_by_hand(two):
    weights, trained, kept = footprint._count(network("two"), 32)
    assert weights == trained == 4 * (3 * 8 * 9 + 8 * 4 * 9)
    # A convolution keeps what it reads: the image, and what the first one gives.
    assert kept == 4 * 32 * 32 * (3 + 8)
    assert footprint._count(network("two", frozen=True), 32) == (weights, 0, 0)


def test_more_images_and_larger_ones_take_more_and_a_head_alone_does_not(world):
    spec = world.spec()

    def of(model=spec.model, **changes):
        train = dataclasses.replace(spec.train, **changes)
        return training_bytes(dataclasses.replace(spec, model=model, train=train))

    assert of() < of(batch_size=64, image_size=224) < of(batch_size=256, image_size=224)
    large = {"batch_size": 512, "image_size": 224}
    assert of(network("resnet18"), **large) > 5e9
    assert of(network("resnet18", frozen=True), **large) < 2e9
    assert of(network("resnet18"), **large, device="cuda") < of(network("resnet18"), **large)
    metadata = dataclasses.replace(spec, input=NamedSpec(name="metadata"))
    for fixed in (metadata, dataclasses.replace(spec, model=network("majority"))):
        assert training_bytes(fixed) == min(s for s in footprint.STEPS if s >= footprint.WORKER)


def test_estimates_are_few_and_at_most_half_above(world):
    assert list(footprint.STEPS) == sorted(footprint.STEPS)
    for value in (1, 10**9, 10**9 + 1, 5 * 10**9):
        assert value <= footprint._rounded(value)
        assert footprint._rounded(value) <= max(footprint.STEPS[0], 1.5 * value)


def test_a_network_that_needs_numbers_to_be_built_counts_for_nothing(world, monkeypatch):
    def build(*_):
        assert float(torch.ones(1)) == 1.0, "no number on meta"
        return Two()

    monkeypatch.setitem(registry.models._loaded, "odd", ModelEntry(version=1, build=build))
    monkeypatch.setitem(registry.models._plugins, "odd", "test")
    odd = dataclasses.replace(world.spec(), model=network("odd"))
    assert training_bytes(odd) == footprint._rounded(footprint.WORKER + footprint.SCRATCH)


def test_nothing_is_drawn_for_an_estimate():
    footprint._counted.cache_clear()
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    footprint._count(network("baseline_cnn"), 32)
    assert torch.equal(torch.rand(1), expected)
