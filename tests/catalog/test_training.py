from __future__ import annotations

import numpy as np
import pytest

from skinbench import registry
from skinbench.errors import UsageError

LABELS = np.array([0] * 50 + [1] * 7 + [2] * 3)
COUNTS = np.bincount(LABELS)


def head(name, n_features=64, n_metadata=19, n_classes=7):
    entry = registry.inputs.get(name)
    return entry.build(n_features, n_metadata, n_classes, entry.options)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


# --- inputs ---------------------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("image", 64 * 7 + 7),
        ("metadata", (19 * 64 + 64) + (64 * 7 + 7)),
        ("fusion_concat", ((64 + 19) * 64 + 64) + (64 * 7 + 7)),
        ("fusion_p1", (64 * 64 + 64) + (19 * 64 + 64) + (128 * 64 + 64) + (64 * 7 + 7)),
    ],
)
def test_heads_by_hand(name, parameters):
    import torch

    module, entry = head(name), registry.inputs.get(name)
    assert count(module) == parameters
    features = torch.rand(5, 64) if entry.uses_image else None
    metadata = torch.rand(5, 19) if entry.uses_metadata else None
    assert module(features, metadata).shape == (5, 7)


@pytest.mark.torch
def test_p1_multimodal_as_the_paper_has_it():
    """1280 pooled features of MobileNetV2; one-hot sex (2) and 15 sites ++ age: 18 columns."""
    module = head("fusion_p1", n_features=1280, n_metadata=18)
    assert count(module) == 81_984 + 1_216 + 8_256 + 455


@pytest.mark.torch
@pytest.mark.parametrize("name", ["fusion_concat", "fusion_p1"])
def test_constant_metadata_tells_nothing_apart(name):
    """With the same metadata everywhere, equal features get equal logits."""
    import torch

    module = head(name)
    features = torch.rand(1, 64).repeat(4, 1)
    logits = module(features, torch.full((4, 19), 0.3))
    assert torch.equal(logits, logits[:1].expand(4, 7))


def test_fields_are_age_sex_and_site_by_default():
    for name in ("metadata", "fusion_concat", "fusion_p1"):
        assert registry.inputs.get(name).options["fields"] == ["age", "sex", "site"]


# --- techniques -----------------------------------------------------------------------


def test_class_weights_times_counts_is_constant():
    from skinbench.catalog.techniques.class_weights import class_weights

    weights = class_weights(COUNTS)
    assert weights * COUNTS == pytest.approx(np.full(3, weights[0] * COUNTS[0]))
    assert weights.mean() == pytest.approx(1.0)
    absent = class_weights(np.array([5, 0, 10]))
    assert absent[1] == 0.0
    assert absent[[0, 2]].mean() == pytest.approx(1.0)


@pytest.mark.torch
def test_weighted_loss_by_hand():
    import torch

    from skinbench.catalog.techniques.class_weights import class_weights
    from skinbench.learn.losses import build_loss
    from skinbench.records import NamedSpec

    loss = build_loss([NamedSpec(name="class_weights")], COUNTS)
    logits, labels = torch.randn(40, 3), torch.from_numpy(LABELS[10:50].copy())
    labels[:5] = torch.tensor([1, 2, 1, 2, 1])
    nll = -torch.log_softmax(logits.double(), 1).gather(1, labels[:, None])[:, 0].numpy()
    weight = class_weights(COUNTS)[labels.numpy()]
    assert loss(logits, labels).item() == pytest.approx((weight * nll).sum() / weight.sum(), 1e-5)


@pytest.mark.parametrize("seed", [0, 1])
def test_oversampling_evens_classes_exactly(seed):
    copies = registry.techniques.get("oversampling").copies(LABELS, 4, {}, seed)
    assert np.bincount(LABELS, weights=copies).tolist() == [50, 50, 50]
    for code in range(3):
        mine = copies[code == LABELS]
        assert mine.max() - mine.min() <= 1
    again = registry.techniques.get("oversampling").copies(LABELS, 4, {}, seed)
    assert np.array_equal(copies, again)


@pytest.mark.torch
def test_focal_with_gamma_zero_is_cross_entropy():
    import torch

    logits, labels = torch.randn(30, 3) * 4, torch.randint(0, 3, (30,))
    focal = registry.techniques.get("focal").loss
    plain = torch.nn.functional.cross_entropy(logits, labels)
    assert focal(COUNTS, {"gamma": 0.0})(logits, labels).item() == pytest.approx(plain.item())
    p = torch.softmax(logits.double(), 1).gather(1, labels[:, None])[:, 0]
    by_hand = ((1 - p) ** 2 * -p.log()).mean().item()
    assert focal(COUNTS, {})(logits, labels).item() == pytest.approx(by_hand, rel=1e-4)
    alpha = torch.tensor([1.0, 2.0, 3.0])
    weighted = ((1 - p) ** 2 * -p.log() * alpha[labels]).mean().item()
    found = focal(COUNTS, {"gamma": 2.0, "alpha": [1, 2, 3]})(logits, labels)
    assert found.item() == pytest.approx(weighted, rel=1e-4)


@pytest.mark.torch
def test_focal_gradient_is_finite_for_certain_answers():
    import torch

    logits = torch.tensor([[200.0, 0.0, 0.0], [0.0, 200.0, 0.0]], requires_grad=True)
    for gamma in (0.5, 1.0, 2.0):
        loss = registry.techniques.get("focal").loss(COUNTS, {"gamma": gamma})
        logits.grad = None
        loss(logits, torch.tensor([0, 0])).backward()
        assert torch.isfinite(logits.grad).all()


@pytest.mark.torch
def test_focal_options_that_cannot_be():
    focal = registry.techniques.get("focal").loss
    with pytest.raises(UsageError, match="gamma"):
        focal(COUNTS, {"gamma": -1})
    with pytest.raises(UsageError, match="3 classes"):
        focal(COUNTS, {"alpha": [1, 2]})


def test_no_technique_changes_nothing():
    entry = registry.techniques.get("none")
    assert entry.copies is None
    assert entry.loss is None


# --- augmentation ---------------------------------------------------------------------


@pytest.mark.torch
@pytest.mark.parametrize("name", ["horizontal_flip", "vertical_flip", "rotation", "brightness"])
def test_transforms_draw_for_each_image_and_stay_in_range(name):
    import torch

    entry = registry.augments.get(name)
    module = entry.build(entry.options)
    torch.manual_seed(1)
    batch = torch.rand(1, 3, 24, 24).repeat(12, 1, 1, 1)
    first = module(batch)
    assert first.shape == batch.shape
    assert first.min() >= 0.0
    assert first.max() <= 1.0
    assert len({image.numpy().tobytes() for image in first}) > 1
    torch.manual_seed(1)
    torch.rand(1, 3, 24, 24)
    assert torch.equal(module(batch), first)


@pytest.mark.torch
@pytest.mark.parametrize(("name", "axis"), [("horizontal_flip", 3), ("vertical_flip", 2)])
def test_flips_mirror(name, axis):
    import torch

    batch = torch.rand(4, 3, 8, 8)
    always = registry.augments.get(name).build({"p": 1.0})(batch)
    assert always.numpy() == pytest.approx(batch.flip(axis).numpy(), abs=1e-5)
    never = registry.augments.get(name).build({"p": 0.0})(batch)
    assert torch.equal(never, batch)


def test_presets_name_transforms():
    for name in registry.augments.names():
        entry = registry.augments.get(name)
        for part, options in entry.preset:
            known = registry.augments.get(part)
            assert known.build is not None
            assert set(options) <= set(known.options)


# --- conditions -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["blur", "brightness"])
def test_conditions_grow_with_strength_and_treat_images_alone(name):
    images = np.random.default_rng(0).integers(0, 200, (3, 64, 64, 3), dtype=np.uint8)
    before = images.copy()
    apply = registry.conditions.get(name).apply
    changes = []
    for strength in range(1, 6):
        found = apply(images, strength)
        assert found.dtype == np.uint8
        assert found.shape == images.shape
        assert np.array_equal(found[1:2], apply(images[1:2], strength))
        changes.append(np.abs(found.astype(float) - images).mean())
    assert changes == sorted(changes)
    assert changes[0] > 0
    assert np.array_equal(images, before)
