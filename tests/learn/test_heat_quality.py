"""Measures of heat on networks and maps whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from skinbench.data.lesion_masks import LESION, SKIN, UNKNOWN
from skinbench.learn.fit import train_fits
from skinbench.learn.heat_quality import (
    DARK,
    HeatRequest,
    _correlations,
    _curves,
    _located,
    _Seen,
    _shuffled,
    judge_heat,
)
from skinbench.records import CONTROLS, HEAT_MEASURES
from tests.learn.world import fit_id, no_epochs

pytestmark = pytest.mark.torch
SIDE = 16


def seen(images=None, masks=None, count=2):
    """A batch of flat grey images."""
    import torch

    stored = np.full((count, SIDE, SIDE, 3), 128, np.uint8) if images is None else images
    return _Seen(
        ids=np.array([f"i{k}" for k in range(count)], dtype=object),
        images=stored,
        batch=torch.ones(count, 3, SIDE, SIDE),
        metadata=None,
        decided=torch.zeros(count, dtype=torch.int64),
        masks=masks,
        sampled=np.ones(count, dtype=bool),
    )


def half(value=1.0):
    heat = np.zeros((2, SIDE, SIDE), np.float32)
    heat[:, :, : SIDE // 2] = value
    return heat


def test_where_heat_lies():
    masks = np.full((2, SIDE, SIDE), SKIN, np.uint8)
    masks[0, :, :4] = LESION
    masks[1] = UNKNOWN
    images = np.full((2, SIDE, SIDE, 3), 128, np.uint8)
    images[:, :4] = DARK - 1
    found = _located(half(), seen(images, masks))
    assert found["lesion"][0] == 0.25
    assert found["inside"][0] == 0.5
    assert found["pointing"][0] == 1.0  # the first of the hottest pixels
    assert found["dark"] == pytest.approx(0.25)
    assert found["corners"][0] == pytest.approx(1 - np.pi / 4, abs=0.03)
    # An image without a mask says nothing of lesions; a flat map nothing at all.
    assert np.isnan([found[name][1] for name in ("lesion", "inside", "pointing")]).all()
    flat = _located(np.zeros((2, SIDE, SIDE), np.float32), seen(images, masks))
    assert np.isnan([flat[name][0] for name in ("inside", "pointing", "dark", "corners")]).all()
    assert "inside" not in _located(half(), seen(images))


def test_deletion_and_insertion_of_a_network_that_reads_the_left_half():
    import torch

    class Left(torch.nn.Module):
        def forward(self, pixels, _about=None):
            share = pixels[:, 0, :, : SIDE // 2].mean(dim=(1, 2))
            return torch.stack([20 * share - 10, torch.zeros_like(share)], dim=1)

    batch = seen()
    batch.blurred = torch.zeros_like(batch.batch)
    good, bad = (_curves(Left(), batch, heat) for heat in (half(), half()[:, :, ::-1]))
    # The left half is gone, or shown, within the first half of the steps.
    assert good["deletion"] == pytest.approx(0.25, abs=0.01)
    assert good["insertion"] == pytest.approx(0.75, abs=0.01)
    assert bad["deletion"] == pytest.approx(0.75, abs=0.01)
    assert bad["insertion"] == pytest.approx(0.25, abs=0.01)


def test_correlations_of_maps():
    ramp = np.linspace(0, 1, SIDE * SIDE, dtype=np.float32).reshape(1, SIDE, SIDE)
    assert _correlations(ramp, 0.5 * ramp) == pytest.approx(1)
    assert _correlations(ramp, 1 - ramp) == pytest.approx(-1)
    flat = np.ones_like(ramp)
    assert _correlations(ramp, flat) == 0
    assert np.isnan(_correlations(flat, flat)).all()


@pytest.fixture(scope="module")
def trained(world):
    spec = world.spec(epochs=2)
    name = fit_id(spec)
    assert not train_fits({name: spec}, world.store, weights={}, on_epoch=no_epochs)[name].error
    return name


def request(world, name, methods, ids=None, sample=None):
    chosen = world.ids("test") if ids is None else ids
    return HeatRequest(
        fit_id=name,
        dataset=world.manifest.digest,
        image_ids=tuple(chosen),
        sample=frozenset(chosen[:6] if sample is None else sample),
        methods=methods,
    )


def test_every_image_is_measured_and_a_sample_passes_again(world, trained):
    found = judge_heat(
        request(world, trained, ("gradcam", "occlusion", *CONTROLS)), world.store, weights={}
    )
    ids = world.ids("test")
    assert found.groupby("method").size().to_dict() == {
        "gradcam": len(ids),
        "centre": len(ids),
        "random": len(ids),
        "occlusion": 6,  # slow: the sample alone
    }
    assert found["lesion"].isna().all()  # drawn without masks
    sampled = found["image_id"].isin(ids[:6])
    for name in ("deletion", "insertion"):
        assert found.loc[sampled, name].notna().all()
        assert found.loc[~sampled, name].isna().all()
        assert found.loc[sampled, name].between(0, 1).all()
    controls = found["method"].isin(CONTROLS)
    assert found.loc[controls, ["flip", "randomised"]].isna().all().all()
    assert found.loc[~controls & sampled, ["flip", "randomised"]].notna().any().all()
    assert set(found.columns) == {"image_id", "method", "lesion", *HEAT_MEASURES}


def test_slow_explainers_alone_see_only_the_sample(world, trained, monkeypatch):
    """Also where whole batches have none of it, or nothing is sampled at all."""
    from skinbench.learn import heat_quality

    monkeypatch.setattr(heat_quality, "BATCH", 2)
    ids = world.ids("test")
    few = frozenset(sorted(ids)[-3:])
    found = judge_heat(request(world, trained, ("occlusion",), sample=few), world.store, weights={})
    assert set(found["image_id"]) == few
    mixed = request(world, trained, ("gradcam", "occlusion"), sample=few)
    sizes = judge_heat(mixed, world.store, weights={}).groupby("method").size().to_dict()
    assert sizes == {"gradcam": len(ids), "occlusion": 3}
    none = request(world, trained, ("occlusion",), sample=())
    assert judge_heat(none, world.store, weights={}).empty


def test_nothing_depends_on_the_order_of_the_ids(world, trained):
    ids, sample = list(world.ids("test")), world.ids("test")[:6]
    one, other = (
        judge_heat(
            request(world, trained, ("gradcam", "random"), order, sample), world.store, weights={}
        )
        for order in (ids, ids[::-1])
    )
    assert one.equals(other)


def test_shuffled_weights_are_the_same_values_elsewhere(world, trained):
    import torch

    from skinbench.learn.saved import load_fit

    fit = load_fit(trained, world.store, {})
    other = _shuffled(fit.network, fit.spec)
    pairs = list(zip(fit.network.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a.flatten().sort()[0], b.flatten().sort()[0]) for a, b in pairs)
    assert any(not torch.equal(a, b) for a, b in pairs)
