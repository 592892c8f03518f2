"""What shares a trial, and what a trial asks for."""

from __future__ import annotations

import dataclasses

import pytest

from skinbench.cluster.demands import demand_of
from skinbench.cluster.sizing import Demand
from skinbench.cluster.trials import PACK_COST, Pack, TrialRequest, _Watcher, make_packs
from skinbench.plan.asked import Asked, asked_of
from skinbench.records import (
    Event,
    FitRecord,
    FitSpec,
    ModelSpec,
    NamedSpec,
    TrainSpec,
    WeightsSpec,
)
from skinbench.store import canonical_json

TRAIN = TrainSpec(
    image_size=128,
    epochs=1,
    batch_size=8,
    optimizer=NamedSpec(name="adam"),
    early_stopping=None,
    reduce_on_plateau=None,
    augment=(),
    seed=0,
    threads=1,
    device="cuda",
    precision="bfloat16",
)
SPEC = FitSpec(
    datasets={"d": "0"},
    split="s",
    fold=0,
    classes=("mel", "nv"),
    model=ModelSpec(name="baseline_cnn", weights=WeightsSpec(kind="random")),
    input=NamedSpec(name="image"),
    technique=NamedSpec(name="none"),
    train=TRAIN,
    versions={},
)


def packs(costs: dict[str, int], gpu: dict[str, float], workers: int = 1) -> list[Pack]:
    """Packs of fits that differ by their seeds, of so many images each."""
    specs = {
        name: dataclasses.replace(SPEC, train=dataclasses.replace(TRAIN, seed=seed))
        for seed, name in enumerate(costs)
    }
    demands = {
        name: Demand(name=name, cpu=1, gpu=gpu.get(name, 0.25), memory=10**9) for name in costs
    }
    request = TrialRequest(specs=specs, weights={}, demands=demands)
    return make_packs(request, costs, workers)


def test_heavy_fits_come_first_and_alone() -> None:
    made = packs({"a": 2_000, "b": 10, "c": 9_000, "d": 20, "e": 3_000}, {})
    assert [pack.fits for pack in made] == [("c",), ("e",), ("a",), ("b", "d")]
    assert [pack.cost for pack in made] == sorted((p.cost for p in made), reverse=True)
    assert all(pack.cost >= PACK_COST for pack in made[:3])


def test_fits_with_another_share_of_a_gpu_are_another_pack() -> None:
    """In one pack all would get the share of the first."""
    made = packs({"a": 10, "b": 10, "c": 10, "d": 10}, {"b": 0.5, "d": 0.5})
    assert {pack.fits: pack.gpu for pack in made} == {("a", "c"): 0.25, ("b", "d"): 0.5}


def test_small_fits_are_spread_over_the_workers() -> None:
    assert len(packs(dict.fromkeys("abcd", 10), {}, workers=2)) == 2
    assert len(packs(dict.fromkeys("abcd", 10), {}, workers=4)) == 4


def test_unequal_fits_are_packed_so_that_no_worker_is_long_alone() -> None:
    costs = {"a": 1702, "b": 1135, "c": 709, "d": 426, "e": 284, "f": 227}
    made = packs(costs, {}, workers=2)
    assert [pack.fits for pack in made] == [("a",), ("b",), ("d", "e"), ("c",), ("f",)]
    busy = [0.0, 0.0]
    for pack in made:  # whoever is free takes the next
        busy[busy.index(min(busy))] += pack.cost
    assert max(busy) <= 1.08 * sum(costs.values()) / 2
    assert len(packs(dict.fromkeys("abcdefgh", 250), {}, workers=2)) == 4
    assert len(packs(dict.fromkeys("abcdefgh", 80), {}, workers=2)) == 2, "too small to be more"


def test_four_small_fits_share_one_gpu() -> None:
    from skinbench.cluster.sizing import Node, slots

    (pack,) = packs({"a": 10}, {})
    assert pack.resources == {"cpu": 1, "gpu": 0.25, "memory": 10**9}
    demand = Demand(name="a", cpu=pack.cpu, gpu=pack.gpu, memory=pack.memory)
    assert slots([demand], [Node(cpu=16, gpu=1, memory=64e9)]) == 4
    bare = dataclasses.replace(pack, gpu=0.0, memory=0)
    assert bare.resources == {"cpu": 1}, "nothing is asked for that is not needed"


def test_memory_is_what_the_suite_says_or_an_estimate() -> None:
    assert asked_of({"resources": {"cpu": 1, "gpu": 0.5, "memory": 5}}) == Asked(gpu=0.5, memory=5)
    assert asked_of({}) == Asked()
    said = demand_of("row", SPEC, Asked(gpu=0.25, memory=7 * 10**9))
    assert said == Demand(name="row", cpu=1, gpu=0.25, memory=7 * 10**9)
    pytest.importorskip("torch")
    guessed = demand_of("row", SPEC, Asked())
    assert guessed.estimated == "baseline_cnn, batch_size 8, 128 px"
    assert guessed.memory > 10**9


def test_what_a_trial_rode_out_or_cut_is_told_at_once() -> None:
    heard: list[Event] = []
    demands = {"f": Demand(name="row", cpu=1)}
    request = TrialRequest(specs={"f": SPEC}, weights={}, demands=demands, titles={"f": "row"})
    watcher = _Watcher(request, heard.append)
    watcher.result({"fit": "f", "note": "the folder does not answer"})
    record = FitRecord(fit_id="f", status="done", micro_batches=4)
    watcher.result({"fit": "f", "record": canonical_json(record)})
    assert [event.kind for event in heard] == ["note", "note", "fit"]
    assert heard[0].detail == "row: the folder does not answer"
    assert heard[1].detail.endswith("a batch of 8; it was cut into 4 micro-batches")
    assert watcher.records == {"f": record}
