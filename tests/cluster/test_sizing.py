"""Slots, and refusals before anything starts."""

from __future__ import annotations

import pytest

from skinbench.cluster.sizing import (
    Demand,
    Node,
    check_demands,
    inference_pool,
    local_cores,
    nodes_of,
    slots,
)
from skinbench.errors import ResourceError


def test_a_demand_that_no_node_holds_is_refused_by_row() -> None:
    nodes = [Node(cpu=2), Node(cpu=4, gpu=1)]
    check_demands([Demand(name="a", cpu=4, gpu=1.0)], nodes)
    with pytest.raises(ResourceError, match="row/b asks for 8 cpu and 0 gpu") as caught:
        check_demands([Demand(name="row/b", cpu=8)], nodes)
    assert "largest node has 4 cpu" in str(caught.value)
    with pytest.raises(ResourceError, match="and 0 gpu"):
        check_demands([Demand(name="c", cpu=1, gpu=0.5)], [Node(cpu=16)])


def test_memory_that_no_node_has_is_refused_as_what_it_is() -> None:
    nodes = [Node(cpu=8, memory=4e9), Node(cpu=2, memory=64e9)]
    check_demands([Demand(name="a", cpu=8, memory=4 * 10**9)], nodes)
    check_demands([Demand(name="a", cpu=2, memory=64 * 10**9)], nodes)
    with pytest.raises(ResourceError) as caught:
        check_demands([Demand(name="row/b", cpu=4, memory=5 * 10**9)], nodes)
    assert str(caught.value) == (
        "row/b asks for 5.0 GB of memory, but no node that could take it has more than 4.0 GB for "
        "workers; lower `resources.memory` of the row"
    )
    guess = Demand(name="c", cpu=4, memory=5 * 10**9, estimated="resnet50, batch_size 64, 224 px")
    with pytest.raises(ResourceError, match=r"takes about 5.0 GB .*\(resnet50, batch_size 64, 22"):
        check_demands([guess], nodes)
    two = [Demand(name="a", cpu=1, memory=3 * 10**9)]
    assert slots(two, [Node(cpu=8, memory=10e9)]) == 3
    assert slots(two, [Node(cpu=2, memory=10e9), Node(cpu=4)]) == 6


@pytest.mark.parametrize(
    ("cpu", "gpu", "nodes", "expected"),
    [
        (1, 0.0, [Node(cpu=2)], 2),
        (2, 0.0, [Node(cpu=3), Node(cpu=5)], 3),
        (1, 0.25, [Node(cpu=16, gpu=1)], 4),
        (1, 0.25, [Node(cpu=2, gpu=1)], 2),
        (4, 0.0, [Node(cpu=2)], 1),
    ],
)
def test_slots_count_trials_at_once(cpu: int, gpu: float, nodes: list[Node], expected: int) -> None:
    assert slots([Demand(name="a", cpu=cpu, gpu=gpu)], nodes) == expected


def test_the_actor_pool_leaves_room_for_the_reading_tasks() -> None:
    pool = inference_pool([Node(cpu=2)], gpu=False)
    assert pool.actors * pool.cpu_each < 2
    assert inference_pool([Node(cpu=8, gpu=2), Node(cpu=8, gpu=2)], gpu=True).actors == 4
    assert local_cores() >= 1


def test_dead_nodes_offer_nothing() -> None:
    described = [
        {"Alive": True, "Resources": {"CPU": 2.0, "memory": 3e9}},
        {"Alive": False, "Resources": {"CPU": 64.0}},
        {"Alive": True},
    ]
    assert nodes_of(described) == [Node(cpu=2.0, memory=3e9)]
