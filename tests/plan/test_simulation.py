"""The schedule on paper: makespans that can be worked out by hand, and bounds that hold always."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skinbench.plan.simulation import Job, Machine, line, simulate, waves

CORE = Machine(cpu=1)


def jobs(*seconds: float) -> list[Job]:
    return [Job(name=f"j{k}", seconds=value) for k, value in enumerate(seconds)]


@pytest.mark.parametrize(
    ("seconds", "machines", "expected"),
    [
        ((3, 2, 1), 1, 6),
        ((3, 2, 1), 2, 3),
        ((5, 5, 4, 4, 3, 3, 3), 3, 11),  # Graham's example: the best is 9
        ((), 4, 0),
        ((7,), 100, 7),
    ],
)
def test_the_heaviest_first(seconds: tuple[float, ...], machines: int, expected: float) -> None:
    assert simulate(jobs(*seconds), [CORE] * machines, 0).makespan == expected


def test_a_job_waits_for_its_needs_and_its_wave() -> None:
    first, second, third = jobs(4, 1, 2)
    after = Job(name="after", seconds=3, needs=(second.name, "done long ago"))
    found = simulate([after, first, second, third], [CORE] * 3, 0)
    assert [[job.name for job in wave] for wave in waves([after, first, second, third])] == [
        ["j0", "j2", "j1"],
        ["after"],
    ]
    assert found.makespan == 7
    assert found.ends == {"j0": 4, "j1": 1, "j2": 2, "after": 7}


def test_shares_of_a_gpu_run_beside_each_other() -> None:
    small = [Job(name=f"s{k}", seconds=10, gpu=0.25) for k in range(8)]
    assert simulate(small, [Machine(cpu=8, gpu=1)], 0).makespan == 20
    assert simulate(small, [Machine(cpu=2, gpu=1)], 0).makespan == 40, "cores run out first"
    tenths = [Job(name=f"t{k}", seconds=1, gpu=0.1) for k in range(10)]
    assert simulate(tenths, [Machine(cpu=10, gpu=1)], 0).makespan == 1


def test_what_no_machine_holds_is_named() -> None:
    large = Job(name="large", seconds=1, cpu=16)
    assert simulate([large, *jobs(2)], [CORE], 0).unplaced == ("large",)
    assert line([large], [CORE], 0, 1).limit == "no worker holds large"


@given(
    st.lists(st.floats(0.01, 100), min_size=1, max_size=30),
    st.integers(1, 8),
    st.randoms(use_true_random=False),
)
def test_bounds_of_list_scheduling(
    values: list[float], machines: int, order: random.Random
) -> None:
    made = jobs(*values)
    found = simulate(made, [CORE] * machines, 0).makespan
    lower = max(max(values), sum(values) / machines)
    assert lower <= found * (1 + 1e-9)
    assert found <= (4 / 3) * lower + max(values)  # far within Graham's bound
    order.shuffle(made)
    assert simulate(made, [CORE] * machines, 0).makespan == found, "in any order of the suite"


@pytest.mark.parametrize(
    ("seconds", "n", "serial", "limit", "efficiency"),
    [
        ((100,) * 40, 4, 1, "the training itself", 0.99),
        ((100,) * 40, 4, 5000, "stages that run in one process", 0.17),
        ((1000, 10, 10, 10), 8, 1, "the longest fit, j0", 0.13),
        ((100,) * 5, 4, 1, "the end of a wave, when workers wait for the last fits", 0.62),
    ],
)
def test_what_limits_it(
    seconds: tuple[float, ...], n: int, serial: float, limit: str, efficiency: float
) -> None:
    found = line(jobs(*seconds), [CORE] * n, serial, n)
    assert found.limit == limit
    assert found.efficiency == pytest.approx(efficiency, abs=0.01)


def test_ten_thousand_fits_on_512_machines_take_seconds() -> None:
    generator = random.Random(0)
    many = jobs(*(generator.uniform(1, 100) for _ in range(10_000)))
    began = time.process_time()
    found = simulate(many, [Machine(cpu=4, gpu=1)] * 512, 0)
    assert time.process_time() - began < 20
    assert found.makespan == pytest.approx(sum(job.seconds for job in many) / 2048, rel=0.1)
