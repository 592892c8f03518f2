"""Techniques of the loss and of mixing: each changes what it says, and they go together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.learn.losses import build_loss, build_mix, mixed_loss, sampler_of
from skinbench.records import NamedSpec
from tests.learn.test_fit import Killed, die_at, train
from tests.learn.world import make_world, model_bytes, network

pytestmark = [pytest.mark.torch, pytest.mark.slow]

COUNTS = np.array([50, 7, 3])
PLAIN = torch.nn.functional.cross_entropy


def named(name, **options):
    return NamedSpec(name=name, options=options)


def batch(count=60, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, classes, generator=generator) * 3
    return logits, torch.randint(0, classes, (count,), generator=generator)


def loss_of(*techniques, counts=COUNTS):
    return build_loss(techniques, counts)


# --- class weights --------------------------------------------------------------------


def test_effective_number_lies_between_equal_and_inverse():
    weigh = registry.techniques.get("effective_number").weights
    inverse = registry.techniques.get("class_weights").weights(COUNTS, {})
    assert weigh(COUNTS, {"beta": 0.0}) == pytest.approx(np.ones(3))
    assert weigh(COUNTS, {"beta": 1 - 1e-12}) == pytest.approx(inverse, rel=1e-6)
    for beta in (0.9, 0.99, 0.999):
        found = weigh(COUNTS, {"beta": beta})
        raw = (1 - beta) / (1 - beta ** COUNTS.astype(float))
        assert found == pytest.approx(3 * raw / raw.sum())
        assert found.mean() == pytest.approx(1.0)
        assert 1 < found[2] / found[0] < inverse[2] / inverse[0]
    absent = weigh(np.array([5, 0, 10]), {"beta": 0.99})
    assert absent[1] == 0
    assert absent[[0, 2]].mean() == pytest.approx(1)
    for beta in (1.0, -0.1, float("nan")):
        with pytest.raises(UsageError, match="beta is"):
            weigh(COUNTS, {"beta": beta})


def test_class_balanced_focal_is_focal_with_those_weights():
    logits, labels = batch()
    alpha = registry.techniques.get("effective_number").weights(COUNTS, {"beta": 0.9})
    by_hand = loss_of(named("focal", gamma=1.5, alpha=list(alpha)))(logits, labels)
    found = loss_of(named("class_balanced_focal", gamma=1.5, beta=0.9))(logits, labels)
    assert found.item() == pytest.approx(by_hand.item(), rel=1e-6)
    bare = loss_of(named("class_balanced_focal", gamma=0.0, beta=0.0))(logits, labels)
    assert bare.item() == pytest.approx(PLAIN(logits, labels).item(), rel=1e-6)
    with pytest.raises(UsageError, match="class_balanced_focal: gamma is -1"):
        loss_of(named("class_balanced_focal", gamma=-1))


# --- labels and logits ----------------------------------------------------------------


def test_smoothing_spreads_a_share_of_the_label():
    logits, labels = batch()
    soft = torch.full((60, 3), 0.3 / 3)
    soft[torch.arange(60), labels] += 0.7
    by_hand = -(soft * torch.log_softmax(logits, 1)).sum(1).mean()
    found = loss_of(named("label_smoothing", epsilon=0.3))(logits, labels)
    assert found.item() == pytest.approx(by_hand.item(), rel=1e-5)
    none = loss_of(named("label_smoothing", epsilon=0.0))(logits, labels)
    assert none.item() == PLAIN(logits, labels).item()
    with pytest.raises(UsageError, match="epsilon is 1"):
        loss_of(named("label_smoothing", epsilon=1.0))


def test_logit_adjustment_is_a_prior_shift():
    """Its loss is cross-entropy of the probabilities times the class shares, renormalised."""
    logits, labels = batch()
    prior = torch.tensor(COUNTS / COUNTS.sum(), dtype=torch.float64)
    shifted = torch.softmax(logits.double(), 1) * prior
    shifted /= shifted.sum(1, keepdim=True)
    by_hand = -shifted.gather(1, labels[:, None]).log().mean()
    found = loss_of(named("logit_adjustment"))(logits, labels)
    assert found.item() == pytest.approx(by_hand.item(), rel=1e-5)
    none = loss_of(named("logit_adjustment", tau=0.0))(logits, labels)
    assert none.item() == PLAIN(logits, labels).item()
    with pytest.raises(UsageError, match="tau is -1"):
        loss_of(named("logit_adjustment", tau=-1.0))


def test_what_logit_adjustment_learns_without_an_image_is_that_all_are_alike():
    """One constant logit vector, fitted to imbalanced labels: the shares go into the offset."""
    labels = torch.from_numpy(np.repeat([0, 1, 2], COUNTS))
    for technique, expected in (("none", COUNTS / 60), ("logit_adjustment", np.full(3, 1 / 3))):
        logits = torch.zeros(3, requires_grad=True)
        optimiser = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")
        loss = loss_of(named(technique))

        def step(loss=loss, logits=logits, optimiser=optimiser):
            optimiser.zero_grad()
            value = loss(logits.expand(60, 3), labels)
            value.backward()
            return value

        optimiser.step(step)
        assert torch.softmax(logits.detach(), 0).numpy() == pytest.approx(expected, abs=1e-3)


def test_a_class_that_train_lacks_gives_no_nan():
    logits, labels = batch()
    for name in ("logit_adjustment", "effective_number", "class_weights", "class_balanced_focal"):
        value = logits.clone().requires_grad_(True)
        loss = loss_of(named(name), counts=np.array([50, 0, 3]))(value, labels.clamp_max(0))
        loss.backward()
        assert torch.isfinite(loss)
        assert torch.isfinite(value.grad).all()


# --- together -------------------------------------------------------------------------


def test_parts_go_together():
    logits, labels = batch()
    weights = torch.tensor(registry.techniques.get("class_weights").weights(COUNTS, {})).float()
    offset = torch.log(torch.tensor(COUNTS / COUNTS.sum())).float()
    found = loss_of(
        named("oversampling"),
        named("class_weights"),
        named("label_smoothing", epsilon=0.2),
        named("logit_adjustment"),
    )(logits, labels)
    by_hand = PLAIN(logits + offset, labels, weight=weights, label_smoothing=0.2)
    assert found.item() == pytest.approx(by_hand.item(), rel=1e-6)
    shifted = loss_of(named("logit_adjustment"), named("focal"))(logits, labels)
    assert shifted.item() == pytest.approx(loss_of(named("focal"))(logits + offset, labels).item())
    assert sampler_of([named("class_weights"), named("oversampling")]).name == "oversampling"
    assert sampler_of([named("class_weights")]).name == "class_weights"


def test_a_sampler_beside_another_technique_still_chooses(world):
    record = train(world, world.spec(epochs=1, technique=named("class_weights")))[1]
    for name in ("balanced_subset", "class_balanced", "oversampling"):
        beside = world.spec(epochs=1, technique=named("class_weights"), also=(named(name),))
        alone = world.spec(epochs=1, technique=named(name))
        found, expected = train(world, beside)[1], train(world, alone)[1]
        assert found.history[0].images == expected.history[0].images
        assert found.history[0].train_loss != expected.history[0].train_loss
        assert found.history[0] != record.history[0]


# --- mixing ---------------------------------------------------------------------------


def pictures(count=8, size=16):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(3))


def test_mixup_is_a_mean_of_an_image_and_its_partner():
    images, shares = pictures(), []
    for seed in range(20):
        torch.manual_seed(seed)
        mixed, partner, share = build_mix([named("mixup", alpha=1.0)])(images)
        assert mixed.numpy() == pytest.approx(
            (share * images + (1 - share) * images[partner]).numpy(), abs=1e-5
        )
        assert sorted(partner.tolist()) == list(range(8))
        assert not (partner == torch.arange(8)).any()
        shares.append(share)
    assert len(set(shares)) == 20
    assert 0 <= min(shares) < 0.3 < 0.7 < max(shares) <= 1


def test_cutmix_pastes_as_much_as_its_share_says():
    images = pictures(size=32)
    for seed in range(20):
        torch.manual_seed(seed)
        mixed, partner, share = build_mix([named("cutmix")])(images)
        own = (mixed == images).all(dim=1)
        pasted = (mixed == images[partner]).all(dim=1)
        assert (own | pasted).all()
        assert own.float().mean().item() == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixing_of_nothing_and_of_one(name):
    images = pictures()
    mixed, _, share = build_mix([named(name, p=0.0)])(images)
    assert share == 1.0
    assert torch.equal(mixed, images)
    one, partner, _ = build_mix([named(name)])(images[:1])
    assert one.numpy() == pytest.approx(images[:1].numpy(), abs=1e-6)
    assert partner.tolist() == [0]
    for options in ({"alpha": 0.0}, {"p": 1.5}):
        with pytest.raises(UsageError, match=f"technique {name}: (alpha|p) is"):
            build_mix([named(name, **options)])


def test_the_loss_of_a_mixture_is_cross_entropy_with_the_mixed_label():
    logits, labels = batch()
    partner, share = torch.arange(60).roll(1), 0.3
    one_hot = torch.nn.functional.one_hot(labels, 3).float()
    soft = share * one_hot + (1 - share) * one_hot[partner]
    found = mixed_loss(PLAIN, logits, labels, partner, share)
    assert found.item() == pytest.approx(PLAIN(logits, soft).item(), rel=1e-5)
    weighted = loss_of(named("class_weights"))
    found = mixed_loss(weighted, logits, labels, partner, share)
    by_hand = share * weighted(logits, labels) + (1 - share) * weighted(logits, labels[partner])
    assert found.item() == pytest.approx(by_hand.item())
    assert (
        mixed_loss(weighted, logits, labels, partner, 1.0).item() == weighted(logits, labels).item()
    )


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_a_mixing_fit_is_killed_and_ends_alike(fresh, tmp_path, name):
    changes = {
        "technique": named("class_weights"),
        "also": (named(name),),
        "augment": (named("horizontal_flip"),),
        "input": named("fusion_concat"),
        "epochs": 3,
    }
    other = make_world(tmp_path / "other")
    fit, record = train(other, other.spec(**changes))
    assert record.status == "done", record.error
    with pytest.raises(Killed):
        train(fresh, fresh.spec(**changes), die_at(2))
    train(fresh, fresh.spec(**changes))
    assert model_bytes(fresh.store, fit) == model_bytes(other.store, fit)
    plain = train(fresh, fresh.spec(**{**changes, "also": ()}))[1]
    assert plain.history[0].train_loss != record.history[0].train_loss


def test_a_frozen_encoder_sees_mixed_pixels(world):
    spec = world.spec(model=network("test_resnet", frozen=True), technique=named("mixup"))
    import dataclasses

    record = train(world, dataclasses.replace(spec, stored_features=False))[1]
    assert record.status == "done", record.error
    refused = train(world, spec)[1]
    assert "mix pixels" in refused.error
