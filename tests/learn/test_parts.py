from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, log_loss

from skinbench.data.pixels import PixelRows
from skinbench.learn.arrays import Sources, load_arrays
from skinbench.learn.batches import build_augment, cut, epoch_order, to_unit
from skinbench.learn.network import build_network
from skinbench.learn.runtime import derive_seed, torch_session
from skinbench.learn.stopping import Progress, Stopping, val_scores
from skinbench.records import EpochRecord, NamedSpec, WeightsSpec
from tests.learn.world import network

pytestmark = pytest.mark.torch


def epoch(number, value):
    return EpochRecord(
        epoch=number,
        train_loss=1.0,
        val_log_loss=value,
        val_accuracy=None if value is None else 1 - value,
        val_balanced_accuracy=None,
        learning_rate=0.1,
        seconds=0.0,
        images=1,
    )


def test_an_epoch_draws_each_image_as_often_as_its_copies():
    copies = np.array([1, 0, 3, 2])
    order = epoch_order(copies, 0, 1)
    assert np.array_equal(np.bincount(order, minlength=4), copies)
    assert np.array_equal(order, epoch_order(copies, 0, 1))
    many = np.ones(50, dtype=np.int64)
    assert not np.array_equal(epoch_order(many, 0, 1), epoch_order(many, 0, 2))
    assert not np.array_equal(epoch_order(many, 0, 1), epoch_order(many, 1, 1))


@pytest.mark.parametrize(("count", "sizes"), [(9, [4, 5]), (8, [4, 4]), (7, [4, 3]), (1, [1])])
def test_no_batch_of_one_image(count, sizes):
    batches = cut(np.arange(count), 4)
    assert [len(batch) for batch in batches] == sizes
    assert np.array_equal(np.concatenate(batches), np.arange(count))
    assert [len(batch) for batch in cut(np.arange(3), 1)] == [1, 1, 1]


def test_pixels_become_channels_last_tensors_in_the_unit_interval():
    pixels = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
    tensor = to_unit(pixels, torch.device("cpu"))
    assert tensor.shape == (2, 3, 4, 4)
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert tensor[1, 2, 3, 0].item() == pytest.approx(pixels[1, 3, 0, 2] / 255)


def test_presets_and_lists_of_transforms():
    assert build_augment([]) is None
    assert build_augment([NamedSpec(name="none")]) is None
    assert len(build_augment([NamedSpec(name="p1")])) == 4


def test_val_scores_equal_scikit_learn():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(50, 4, generator=generator)
    labels = torch.randint(0, 3, (50,), generator=generator)  # class 3 is absent
    found = val_scores(logits, labels)
    p = torch.softmax(logits.double(), 1).numpy()
    assert found.log_loss == pytest.approx(log_loss(labels, p, labels=range(4)), abs=1e-9)
    decided = p.argmax(1)
    assert found.accuracy == pytest.approx((decided == labels.numpy()).mean())
    known = decided < 3
    expected = np.mean([(decided[labels == c] == c).mean() for c in range(3)])
    assert found.balanced_accuracy == pytest.approx(expected)
    some = labels[known]
    assert val_scores(logits[known], some).balanced_accuracy == pytest.approx(
        balanced_accuracy_score(some, decided[known])
    )


def test_stopping_keeps_the_first_best_and_counts_patience():
    stopping = Stopping({"monitor": "val_log_loss", "patience": 2}, has_val=True)
    progress = Progress()
    trace = []
    for number, value in enumerate([0.9, 0.5, 0.5, 0.7], start=1):
        progress = stopping.after(epoch(number, value), progress)
        trace.append((progress.best_epoch, progress.waited, progress.stopped))
    assert trace == [(1, 0, False), (2, 0, False), (2, 1, False), (2, 2, True)]


def test_min_delta_moves_patience_and_not_the_kept_epoch():
    stopping = Stopping({"patience": 2, "min_delta": 0.1}, has_val=True)
    progress = Progress()
    for number, value in enumerate([0.9, 0.85, 0.84], start=1):
        progress = stopping.after(epoch(number, value), progress)
    assert (progress.best_epoch, progress.stopped) == (3, True)


def test_higher_is_better_for_accuracy():
    stopping = Stopping({"monitor": "val_accuracy", "patience": 5}, has_val=True)
    progress = stopping.after(epoch(1, 0.4), Progress())
    assert stopping.after(epoch(2, 0.3), progress).best_epoch == 2
    assert stopping.after(epoch(2, 0.5), progress).best_epoch == 1


def test_arrays_know_their_split(world):
    spec = world.spec(
        technique=NamedSpec(name="oversampling"), input=NamedSpec(name="fusion_concat")
    )
    arrays = load_arrays(spec, world.store)
    assert tuple(arrays.train.table["image_id"]) == world.ids("train")
    assert tuple(arrays.val.table["image_id"]) == world.ids("val")
    drawn = np.bincount(arrays.train.labels, weights=arrays.copies)
    assert len(set(drawn)) == 1
    assert arrays.class_counts.sum() == len(arrays.train)
    assert arrays.train.metadata.shape == (len(arrays.train), len(arrays.encoder.names))
    pixels = Sources(world.store).pixels(world.manifest.digest, 32)
    known = pixels.images[pixels.rows(list(world.ids("val")))]
    everything = np.arange(len(arrays.val))
    assert np.array_equal(arrays.gather(arrays.val, everything), known)


def test_pixels_that_are_read_when_sliced():
    images = np.random.default_rng(0).integers(0, 255, (9, 2, 2, 3)).astype(np.uint8)
    reads = []
    rows = PixelRows(lambda p: reads.append(len(p)) or images[p], 9, 2)
    assert rows.shape == (9, 2, 2, 3)
    assert np.array_equal(rows[2:5], images[2:5])
    assert np.array_equal(rows[-1], images[-1])
    assert np.array_equal(rows[np.array([7, 0])], images[[7, 0]])
    assert reads == [3, 1, 2]
    assert np.array_equal(np.asarray(rows), images)


def test_seeds_of_streams_are_apart():
    seeds = {
        derive_seed(s, stream, e) for s in range(5) for stream in range(1, 6) for e in range(9)
    }
    assert len(seeds) == 5 * 5 * 9
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_session_puts_torch_back(world):
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch_session(world.spec(threads=2).train) as device:
        assert torch.get_num_threads() == 2
        assert torch.are_deterministic_algorithms_enabled()
        assert device.type == "cpu"
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_building_twice_gives_the_same_network_and_another_seed_another(world):
    def states(seed):
        return build_network(world.spec(seed=seed), 0, None).state_dict()

    torch.rand(3)
    first, again, other = states(0), states(0), states(1)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first["head.classifier.weight"], other["head.classifier.weight"])


def test_normalisation_comes_from_the_weights_else_from_the_model(world):
    own = build_network(world.spec(model=network("mobilenetv2_035")), 0, None)
    assert own.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    given = WeightsSpec(kind="random", mean=(0.1, 0.2, 0.3), std=(2.0, 2.0, 2.0))
    net = build_network(world.spec(model=network("mobilenetv2_035", weights=given)), 0, None)
    pixels = torch.full((1, 3, 2, 2), 0.5)
    assert net.normalise(pixels)[0, :, 0, 0].tolist() == pytest.approx([0.2, 0.15, 0.1])
