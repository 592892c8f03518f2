"""Transforms of training batches: what each does, and the lists that papers name."""

import numpy as np
import pytest

from skinbench import registry
from skinbench.errors import UsageError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

RANDOM = sorted(
    name
    for name in registry.augments.names()
    if registry.augments.get(name).build and not registry.augments.get(name).everywhere
)


def built(name, **options):
    entry = registry.augments.get(name)
    return entry.build({**entry.options, **options})


def pictures(count=6, size=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, size, size, generator=generator)


@pytest.mark.parametrize("name", RANDOM)
def test_a_draw_for_each_image_that_a_seed_repeats(name):
    batch = pictures(1).repeat(16, 1, 1, 1)
    torch.manual_seed(1)
    first = built(name)(batch)
    assert first.shape == batch.shape
    assert first.dtype == torch.float32
    assert 0 <= first.min() <= first.max() <= 1
    assert len({image.numpy().tobytes() for image in first}) > 1
    torch.manual_seed(1)
    torch.rand(3)
    other = built(name)(batch)
    torch.manual_seed(1)
    assert torch.equal(built(name)(batch), first)
    assert not torch.equal(other, first)


@pytest.mark.parametrize("name", [n for n in RANDOM if "p" in registry.augments.get(n).options])
def test_probability_nought_changes_nothing_and_a_half_about_half(name):
    batch = pictures(200, 8)
    assert torch.equal(built(name, p=0.0)(batch), batch)
    torch.manual_seed(0)
    half = built(name, p=0.5)(batch)
    share = np.mean([not torch.equal(a, b) for a, b in zip(half, batch, strict=True)])
    assert 0.36 < share < 0.64


def test_transpose_swaps_rows_and_columns():
    batch = pictures()
    assert torch.equal(built("transpose", p=1.0)(batch), batch.transpose(2, 3))


def test_contrast_multiplies_within_its_limit():
    batch = pictures() * 0.5 + 0.2
    found = built("contrast", limit=0.2)(batch)
    factors = (found / batch).flatten(1)
    assert factors.std(dim=1).max() < 1e-5
    assert 0.8 <= factors.min() <= factors.max() <= 1.2


def test_blur_keeps_the_mean_and_takes_away_detail():
    batch = pictures(size=32)
    found = built("gaussian_blur", p=1.0)(batch)
    assert found.mean().item() == pytest.approx(batch.mean().item(), abs=0.01)
    assert (found.var(dim=(2, 3)) < 0.5 * batch.var(dim=(2, 3))).all()
    with pytest.raises(ValueError, match="odd number"):
        built("gaussian_blur", kernel=4)


def test_shift_scale_rotate_leaves_black_where_nothing_is():
    white = torch.ones(40, 3, 40, 40)
    torch.manual_seed(0)
    found = built("shift_scale_rotate", p=1.0, degrees=0.0, scale=0.0)(white)
    black = (found < 0.5).float().mean(dim=(1, 2, 3))
    assert black.max() <= 1 - 0.9**2 + 0.02  # at most a tenth of both sides
    assert black.max() > 0.1
    assert torch.equal(found.amin(dim=(1, 2, 3)) < 0.5, black > 0)


def test_the_centre_and_its_way_back():
    batch = pictures(size=30)
    kept = built("center_crop", resize=False)(batch)
    assert torch.equal(kept, batch[:, :, 5:25, 5:25])
    whole = built("center_crop")(batch)
    assert whole.shape == batch.shape
    module = built("center_crop")
    for side in (20, 30):
        placed = module.restore(torch.ones(2, side, side), 30)
        assert placed.sum().item() == 2 * 20 * 20
        assert (placed[:, 5:25, 5:25] == 1).all()
    assert torch.equal(built("center_crop", share=1.0)(batch), batch)
    with pytest.raises(ValueError, match="share is 0"):
        built("center_crop", share=0)


# --- views ----------------------------------------------------------------------------


def test_the_views_of_a_square_are_its_eight_symmetries():
    entry = registry.augments.get("dihedral")
    images = np.random.default_rng(0).integers(0, 255, (2, 6, 6, 3), dtype=np.uint8)
    names = entry.views({"views": 8})
    seen = {name: entry.view(images, name) for name in names}
    assert len({value.tobytes() for value in seen.values()}) == 8
    assert np.array_equal(seen["none"], images)
    assert np.array_equal(seen["hflip"], images[:, :, ::-1])
    assert np.array_equal(seen["vflip"], images[:, ::-1])
    assert np.array_equal(seen["transpose"], images.swapaxes(1, 2))
    for name, turns in (("rot90", 1), ("rot180", 2), ("rot270", 3)):
        assert np.array_equal(seen[name], np.rot90(images, turns, axes=(1, 2)))
    # closed: a view of a view is a view
    known = {value.tobytes() for value in seen.values()}
    for first in seen.values():
        assert {entry.view(first, name).tobytes() for name in names} == known
    assert entry.views({"views": 4}) == names[:4]
    assert entry.views({"views": ["hflip", "none"]}) == ("hflip", "none")


@pytest.mark.parametrize("views", [3, True, "none", [], ["none", "none"], ["turned"], None])
def test_views_that_are_none(views):
    with pytest.raises(UsageError, match="expected 4, 8, or a list of some of none, hflip"):
        registry.augments.get("dihedral").views({"views": views})


def test_a_network_that_trains_sees_each_view_as_often():
    entry = registry.augments.get("dihedral")
    image = pictures(1)
    torch.manual_seed(0)
    found = entry.build({"views": 8})(image.repeat(800, 1, 1, 1))
    stored = (image.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    views = {entry.view(stored, name).tobytes(): 0 for name in entry.views({"views": 8})}
    for seen in found:
        views[(seen[None].permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy().tobytes()] += 1
    assert all(60 < count < 145 for count in views.values())


# --- presets --------------------------------------------------------------------------


def test_the_lists_of_the_papers():
    def listed(name):
        return {part: dict(options) for part, options in registry.augments.get(name).preset}

    p2 = listed("p2")
    assert {name: options["p"] for name, options in p2.items()} == {
        "transpose": 0.5,
        "vertical_flip": 0.5,
        "horizontal_flip": 0.5,
        "rotation": 0.5,
        "brightness": 0.5,
        "contrast": 0.5,
        "gaussian_blur": 0.25,
        "shift_scale_rotate": 0.85,
    }
    assert p2["shift_scale_rotate"] == {"shift": 0.1, "scale": 0.1, "degrees": 15.0, "p": 0.85}
    assert p2["brightness"]["limit"] == p2["contrast"]["limit"] == 0.2
    assert p2["gaussian_blur"]["kernel"] == 5
    p5 = listed("p5")
    assert p5["rotation"] == {"degrees": 180.0, "p": 1.0}
    assert p5["center_crop"]["share"] * 450 == pytest.approx(300)
    assert p5["center_crop"]["share"] * 600 == pytest.approx(400)


@pytest.mark.parametrize("name", ["p1", "p2", "p5"])
def test_presets_run_on_a_batch(name):
    from skinbench.learn.batches import build_augment, build_geometry
    from skinbench.records import NamedSpec

    specs = [NamedSpec(name=name)]
    torch.manual_seed(0)
    found = build_augment(specs)(pictures(8, 32))
    assert found.shape == (8, 3, 32, 32)
    assert (build_geometry(specs) is not None) == (name == "p5")


def test_one_crop_and_no_two():
    from skinbench.learn.batches import build_geometry
    from skinbench.records import NamedSpec

    with pytest.raises(UsageError, match="only one transform"):
        build_geometry([NamedSpec(name="center_crop"), NamedSpec(name="p5")])
