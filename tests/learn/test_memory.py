"""A GPU that is too small for a batch, played by a network that refuses large ones on the CPU."""

from __future__ import annotations

import dataclasses

import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from torch import nn  # noqa: E402 -- after the skip

from skinbench import registry  # noqa: E402
from skinbench.learn.checkpoint import load_checkpoint  # noqa: E402
from skinbench.learn.memory import (  # noqa: E402
    finer_parts,
    is_out_of_memory,
    learns_from_batches,
    share_gpu,
)
from skinbench.learn.saved import load_fit  # noqa: E402
from skinbench.records import ModelEntry, NamedSpec  # noqa: E402
from tests.learn.test_fit import Killed, die_at, train  # noqa: E402
from tests.learn.world import fit_id as fit_name  # noqa: E402
from tests.learn.world import make_world, model_bytes, network  # noqa: E402

ROOM = {"images": 10**9}
"""Most images that the played GPU holds in training."""
SGD = NamedSpec(name="sgd", options={"lr": 0.05, "momentum": 0.9})


class Small(nn.Module):
    """A convolution, a norm and a dropout; out of memory where too many images come at once."""

    num_features = 8

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=4), norm, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        if self.training and torch.is_grad_enabled() and len(pixels) > ROOM["images"]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self.layers(pixels)


def entry(norm):
    return ModelEntry(version=1, build=lambda *_: Small(norm()))


@pytest.fixture(autouse=True)
def _models(monkeypatch):
    for name, norm in (
        ("plainly", lambda: nn.GroupNorm(2, 8)),
        ("normed", lambda: nn.BatchNorm2d(8)),
    ):
        monkeypatch.setitem(registry.models._loaded, name, entry(norm))
        monkeypatch.setitem(registry.models._plugins, name, "test")
    monkeypatch.setitem(ROOM, "images", 10**9)


def weights_of(world, name):
    return load_fit(name, world.store, {}).network.state_dict()


def spec_of(world, model="plainly", **changes):
    return world.spec(model=network(model), optimizer=SGD, **{"epochs": 2, **changes})


TECHNIQUES = ["none", "class_weights", "focal", "class_balanced_focal", "label_smoothing", "mixup"]


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_in_parts_the_same_is_learnt_as_at_once(tmp_path, technique):
    """Augmented and mixed as a whole batch; weighted means are over the whole batch."""
    whole, small = make_world(tmp_path / "whole"), make_world(tmp_path / "small")
    spec = spec_of(
        whole,
        technique=NamedSpec(name=technique),
        augment=(NamedSpec(name="horizontal_flip"),),
        input=NamedSpec(name="fusion_concat"),
    )
    name, record = train(whole, spec)
    assert record.micro_batches == 1
    ROOM["images"] = 3
    _, cut = train(small, spec)
    assert (cut.status, cut.micro_batches, cut.split_batch_norm) == ("done", 4, False), cut.error
    assert [e.train_loss for e in cut.history] == pytest.approx(
        [e.train_loss for e in record.history], rel=1e-5
    )
    ours, theirs = weights_of(small, name), weights_of(whole, name)
    begun = weights_of(
        whole,
        train(whole, dataclasses.replace(spec, train=dataclasses.replace(spec.train, epochs=1)))[0],
    )
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value, rtol=1e-4, atol=1e-6)
    assert any(not torch.equal(begun[key], theirs[key]) for key in theirs)


def test_a_loss_that_does_not_add_up_over_images_is_still_that_of_the_batch():
    from skinbench.learn.drawn import Drawn, learn_in_parts, learn_whole

    torch.manual_seed(0)
    model, given = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.0)), torch.randn(11, 4)
    labels = torch.randint(3, (11,))

    def loss(logits, labels):
        return (logits.gather(1, labels[:, None]).sum() / logits.norm()) ** 2 + logits.std()

    batch = Drawn(given=(given,), run=model, count=11)
    value = learn_whole(batch, labels, loss)
    expected = [p.grad.clone() for p in model.parameters()]
    for most in (1, 2, 5, 11):
        model.zero_grad()
        assert learn_in_parts(batch, labels, loss, model, most) == pytest.approx(float(value))
        for parameter, grad in zip(model.parameters(), expected, strict=True):
            torch.testing.assert_close(parameter.grad, grad)


def test_both_passes_of_a_part_drop_the_same_and_the_next_batch_draws_on():
    from skinbench.learn.drawn import Drawn, learn_in_parts

    seen = []
    drop = nn.Dropout(0.5)

    def run(given):
        seen.append(drop(torch.ones(len(given), 6)))
        return given * seen[-1]

    given = torch.ones(5, 6, requires_grad=True)
    learn_in_parts(
        Drawn(given=(given,), run=run, count=5), torch.zeros(5), lambda x, _: x.sum(), drop, 2
    )
    first, second, _, _ = seen
    assert torch.equal(seen[2], first)
    assert torch.equal(seen[3], second)
    assert [len(part) for part in seen] == [2, 3, 2, 3], "a last part of one image joins another"
    assert torch.equal(given.grad, torch.cat(seen[2:]))
    assert not torch.equal(drop(torch.ones(2, 6)), first)


def test_batch_norm_in_training_mode_is_not_cut_unless_the_suite_allows_it(fresh):
    ROOM["images"] = 5
    _, record = train(fresh, spec_of(fresh, "normed"))
    assert record.status == "failed"
    assert "\n" not in record.error
    for words in ("batch of 8 images of 32 px", "lower batch_size", "allow_split_batch_norm: true"):
        assert words in record.error
    name, record = train(fresh, spec_of(fresh, "normed", allow_split_batch_norm=True))
    assert (record.status, record.micro_batches, record.split_batch_norm) == ("done", 2, True)
    tracked = int(weights_of(fresh, name)["encoder.layers.1.num_batches_tracked"])
    parts = 5 * 2 + 1  # 44 images are 5 batches of 8, and one of 4 that is not cut
    assert record.history[0].images == 44
    assert tracked == record.best_epoch * parts, "each part is learnt from once"


def test_norms_that_are_frozen_do_not_stand_in_the_way(fresh):
    """All but the head is in eval mode; crops keep the encoder in the loop."""
    ROOM["images"] = 5
    still = network("normed", frozen=True)
    spec = fresh.spec(model=still, augment=(NamedSpec(name="horizontal_flip"),), optimizer=SGD)
    assert train(fresh, spec)[1].status == "done"
    frozen = Small(nn.BatchNorm2d(8)).eval()
    assert not learns_from_batches(frozen)
    assert learns_from_batches(frozen.train())
    assert learns_from_batches(nn.BatchNorm1d(3, track_running_stats=False).eval())


def test_one_image_that_does_not_fit_is_the_end(fresh):
    ROOM["images"] = 0
    _, record = train(fresh, spec_of(fresh))
    assert record.status == "failed"
    assert "does not hold one image of 32 px" in record.error
    train_spec = spec_of(fresh, batch_size=6).train
    assert [finer_parts(nn.Linear(1, 1), train_spec, k) for k in (1, 2, 4, 5)] == [2, 4, 6, 6]


def test_what_was_learnt_before_is_kept_and_a_killed_fit_stays_cut(fresh):
    spec = spec_of(fresh, epochs=4)

    def shrink(fit, epoch):
        ROOM["images"] = 4
        die_at(3)(fit, epoch)

    with pytest.raises(Killed):
        train(fresh, spec, shrink)
    name = fit_name(spec)
    assert load_checkpoint(fresh.store, name).scalars.parts == 2
    epochs = []
    ROOM["images"] = 10**9
    record = train(fresh, spec, lambda _, epoch: epochs.append(epoch.epoch))[1]
    assert epochs == [4], "no epoch is learnt twice"
    assert record.micro_batches == 2


def test_val_goes_through_in_smaller_passes_and_says_the_same(fresh, monkeypatch):
    spec = spec_of(fresh, epochs=1)
    expected = train(fresh, spec)[1].history[0]
    other = make_world(fresh.store.root.parent / "other")
    forward = Small.forward

    def refuse(self, pixels):
        if not self.training and len(pixels) > 3:
            raise RuntimeError("CUDA error: out of memory")
        return forward(self, pixels)

    monkeypatch.setattr(Small, "forward", refuse)
    found = train(other, spec)[1]
    assert (found.status, found.micro_batches) == ("done", 1)
    assert found.history[0].val_log_loss == pytest.approx(expected.val_log_loss, rel=1e-6)


def test_other_errors_are_no_want_of_memory(fresh, monkeypatch):
    def break_down(self, pixels):
        raise RuntimeError("something else")

    monkeypatch.setattr(Small, "forward", break_down)
    record = train(fresh, spec_of(fresh))[1]
    assert record.error == "RuntimeError: something else"
    assert not is_out_of_memory(MemoryError("CUDA error: out of memory"))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"))


def test_a_fit_that_needs_no_cut_is_as_it_was(fresh):
    """The key that allows a cut is in the id; where it is not given, nothing of it is."""
    from skinbench.store import canonical_json, to_plain

    spec = spec_of(fresh)
    allowed = dataclasses.replace(
        spec, train=dataclasses.replace(spec.train, allow_split_batch_norm=True)
    )
    assert "split_batch_norm" not in canonical_json(spec)
    assert fit_name(spec) != fit_name(allowed)
    assert "micro_batches" not in to_plain(train(fresh, spec)[1])
    assert model_bytes(fresh.store, fit_name(spec))


def test_a_process_takes_its_share_of_a_gpu_and_no_more(monkeypatch):
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", taken.append)
    for share in (0.0, 0.25, 1.0, 2.0):
        share_gpu(share)
    assert taken == [0.25, 1.0, 1.0]
