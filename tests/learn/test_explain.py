from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from skinbench.errors import UnknownNameError, UsageError
from skinbench.learn.explain import can_explain, explain_cases, save_heatmap
from skinbench.learn.fit import train_fits
from skinbench.learn.saved import load_fit
from skinbench.records import ModelSpec, NamedSpec, WeightsSpec
from tests.learn.world import SIZE, fit_id, network, no_epochs

pytestmark = pytest.mark.torch
SWIN = "swin_tiny_patch4_window7_224"
SMALL_SWIN = {"embed_dim": 24, "depths": [1, 1, 1, 1]}


def trained(world, **changes):
    spec = world.spec(epochs=1, **changes)
    name = fit_id(spec)
    record = train_fits({name: spec}, world.store, weights={}, on_epoch=no_epochs)[name]
    assert record.error == ""
    return name


def explain(world, name, ids, **more):
    return explain_cases(name, ids, world.manifest.digest, world.store, weights={}, **more)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"input": NamedSpec(name="fusion_p1")},
        {"model": network("test_resnet", frozen=True)},
        {"model": network("mobilenetv2_035", frozen=True), "input": NamedSpec(name="fusion_p1")},
        {"model": network("test_vit")},
        {"model": ModelSpec(name=SWIN, options=SMALL_SWIN, weights=WeightsSpec(kind="random"))},
    ],
    ids=["cnn", "fusion", "frozen", "frozen fusion", "vit", "swin"],
)
def test_heat_is_finite_and_within_bounds_in_any_batch(world, changes):
    name, ids = trained(world, **changes), world.ids("test")[:5]
    heat = explain(world, name, ids)
    assert heat.shape == (5, SIZE, SIZE)
    assert heat.dtype == np.float32
    assert np.isfinite(heat).all()
    assert heat.min() >= 0.0
    assert heat.max() <= 1.0
    if changes.get("model") != network("mobilenetv2_035", frozen=True):
        one = np.concatenate([explain(world, name, [image]) for image in ids[:2]])
        assert heat[:2] == pytest.approx(one, abs=2e-3)


def test_a_frozen_network_stays_frozen_and_a_flat_map_is_zero(world):
    import torch

    from skinbench import registry

    name = trained(world, model=network("test_resnet", frozen=True))
    fit = load_fit(name, world.store, {})
    assert can_explain(fit)
    for parameter in fit.network.parameters():
        parameter.data.zero_()
        parameter.requires_grad_(False)
    layer, reshape = registry.models.get("test_resnet").target_layer(fit.network.encoder)
    heat = registry.explainers.get("gradcam").explain(
        fit.network, layer, reshape, torch.rand(3, 3, SIZE, SIZE), None, torch.tensor([0, 1, 2])
    )
    assert np.array_equal(heat, np.zeros((3, SIZE, SIZE), dtype=np.float32))
    assert not any(parameter.requires_grad for parameter in fit.network.parameters())
    assert not fit.network.training


def test_gradcam_equals_its_definition(world):
    """Weights are the mean gradients over the map; ReLU of the weighted sum, scaled to [0, 1]."""
    import torch

    from skinbench import registry

    network_ = load_fit(trained(world), world.store, {}).network
    batch = torch.rand(24, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    classes = torch.arange(24) % 3
    layer, _ = registry.models.get("baseline_cnn").target_layer(network_.encoder)
    kept = {}
    handle = layer.register_forward_hook(lambda _m, _i, out: kept.update(map=out))
    chosen = network_(batch).gather(1, classes[:, None]).sum()
    handle.remove()
    (gradient,) = torch.autograd.grad(chosen, kept["map"])
    cam = torch.relu((gradient.mean(dim=(2, 3), keepdim=True) * kept["map"]).sum(dim=1))
    low, high = cam.amin(dim=(1, 2), keepdim=True), cam.amax(dim=(1, 2), keepdim=True)
    cam = ((cam - low) / (1e-7 + high - low)).detach().numpy()
    heat = registry.explainers.get("gradcam").explain(network_, layer, None, batch, None, classes)
    side = cam.shape[1]
    step = SIZE // side
    small = heat.reshape(24, side, step, side, step).mean(axis=(2, 4))
    assert (cam.max(axis=(1, 2)) > 0.5).sum() > 0
    for left, right in zip(small, cam, strict=True):
        if right.std() > 0:
            assert np.corrcoef(left.ravel(), right.ravel())[0, 1] > 0.9
        else:
            assert not left.any()


def test_what_has_no_image_network_says_so(world):
    for changes in ({"model": network("majority")}, {"input": NamedSpec(name="metadata")}):
        name = trained(world, **changes)
        assert not can_explain(load_fit(name, world.store, {}))
        with pytest.raises(UsageError, match="no network that reads the image"):
            explain(world, name, world.ids("test"))


def test_heat_of_a_class_that_is_asked_for(world):
    name, ids = trained(world), world.ids("test")[:3]
    method = {"method": "integrated_gradients"}  # never flat, as maps of so small a network are
    of = [explain(world, name, ids, classes=[code] * 3, **method) for code in ("bkl", "mel", "nv")]
    decided = explain(world, name, ids, **method)
    for index in range(3):
        assert any(np.array_equal(decided[index], heat[index]) for heat in of)
    assert not np.array_equal(of[0], of[1])


def test_unknown_methods_and_no_images(world):
    name = trained(world)
    with pytest.raises(UnknownNameError, match="did you mean 'gradcam'"):
        explain(world, name, world.ids("test"), method="gradcamm")
    assert explain(world, name, ()).shape == (0, SIZE, SIZE)


def test_pictures_of_heat(tmp_path):
    image = np.full((80, 100, 3), 128, dtype=np.uint8)
    heat = np.zeros((80, 100), dtype=np.float32)
    heat[:, 50:] = 1.0
    save_heatmap(tmp_path / "a" / "heat.webp", tmp_path / "a" / "over.webp", heat, image)
    for name in ("heat", "over"):
        with Image.open(tmp_path / "a" / f"{name}.webp") as picture:
            pixels = np.asarray(picture).astype(int)
        assert pixels.shape == (80, 100, 3)
        assert pixels[:, 50:].sum() > pixels[:, :50].sum()
    assert pixels[:, :40].mean() > 40, "the image is seen where there is no heat"
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"heat.webp", "over.webp"}
