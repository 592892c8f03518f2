"""A discrete simulation of the schedule: list scheduling of unequal fits, heaviest first.

As in cluster.schedule: fits run in waves, each need before its users; within a wave a fit starts
as soon as some machine has room for it, the heaviest first (Graham 1969, LPT).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skinbench.records import EstimateLine

TRIAL_SECONDS = 0.3
"""What starting a trial costs beside its training (Ray 2.60 with reused actors: 0.15 to 0.27)."""
_NEAR = 1.05


@dataclass(frozen=True, kw_only=True)
class Job:
    """One fit to train."""

    name: str
    seconds: float
    cpu: float = 1.0
    gpu: float = 0.0
    needs: tuple[str, ...] = ()
    """Other jobs that must have ended."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What one node has."""

    cpu: float
    gpu: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """When the jobs would run."""

    makespan: float
    """Seconds until the last has ended."""
    ends: Mapping[str, float]
    unplaced: tuple[str, ...] = ()
    """Jobs that no machine can hold."""


def simulate(
    jobs: Sequence[Job], machines: Sequence[Machine], overhead: float = TRIAL_SECONDS
) -> Timeline:
    """Run the jobs on the machines, on paper.

    Args:
        jobs: with needs among them; a need that is none of them is done.
        machines: the nodes.
        overhead: seconds that each job takes beside its own.
    """
    fitting = [job for job in jobs if any(_holds(machine, job) for machine in machines)]
    placed = {job.name for job in fitting}
    unplaced = tuple(job.name for job in jobs if job.name not in placed)
    now = 0.0
    ends: dict[str, float] = {}
    for wave in waves(fitting):
        now = _run_wave(wave, machines, now, overhead, ends)
    return Timeline(makespan=now, ends=ends, unplaced=unplaced)


def waves(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs whose needs all stand in earlier waves, wave by wave; heaviest first."""
    level: dict[str, int] = {}
    known = {job.name for job in jobs}
    pending = list(jobs)
    while pending:
        ready = [job for job in pending if all(n in level or n not in known for n in job.needs)]
        if not ready:  # a circle, which no plan has
            break
        for job in ready:
            level[job.name] = 1 + max((level[n] for n in job.needs if n in level), default=-1)
        pending = [job for job in pending if job.name not in level]
    found: list[list[Job]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for job in sorted(jobs, key=lambda job: (-job.seconds, job.name)):
        if job.name in level:
            found[level[job.name]].append(job)
    return found


def _holds(machine: Machine, job: Job) -> bool:
    return machine.cpu >= job.cpu and machine.gpu >= job.gpu


def _run_wave(
    wave: Sequence[Job],
    machines: Sequence[Machine],
    start: float,
    overhead: float,
    ends: dict[str, float],
) -> float:
    """The time at which the wave has ended."""
    cpu = [machine.cpu for machine in machines]
    gpu = [machine.gpu for machine in machines]
    running: list[tuple[float, int, int, Job]] = []
    waiting: dict[tuple[float, float], deque[Job]] = {}
    for job in wave:
        waiting.setdefault((job.cpu, job.gpu), deque()).append(job)
    now, order = start, 0
    while waiting or running:
        full: set[tuple[float, float]] = set()
        while open_ := [demand for demand in waiting if demand not in full]:
            demand = max(open_, key=lambda demand: waiting[demand][0].seconds)
            job = waiting[demand][0]
            place = _room(cpu, gpu, job)
            if place is None:
                full.add(demand)
                continue
            waiting[demand].popleft()
            if not waiting[demand]:
                del waiting[demand]
            cpu[place] -= job.cpu
            gpu[place] -= job.gpu
            order += 1
            heapq.heappush(running, (now + job.seconds + overhead, order, place, job))
        now, _, place, job = heapq.heappop(running)
        cpu[place] += job.cpu
        gpu[place] += job.gpu
        ends[job.name] = now
    return now


def _room(cpu: Sequence[float], gpu: Sequence[float], job: Job) -> int | None:
    tiny = 1e-9  # shares of a GPU do not add up to 1 exactly
    for place, free in enumerate(cpu):
        if free + tiny >= job.cpu and gpu[place] + tiny >= job.gpu:
            return place
    return None


def line(jobs: Sequence[Job], machines: Sequence[Machine], serial: float, n: int) -> EstimateLine:
    """How a suite fares on `n` workers.

    Args:
        jobs: its fits.
        machines: what the workers are.
        serial: seconds of stages that run in one process.
        n: workers, each of which holds a fit of full size.
    """
    made = simulate(jobs, machines)
    total = made.makespan + serial
    share = [job.gpu or job.cpu / max(other.cpu for other in jobs) for job in jobs]
    work = sum(job.seconds * part for job, part in zip(jobs, share, strict=True))
    efficiency = min(1.0, work / (n * total)) if total > 0 else 1.0
    return EstimateLine(
        workers=n,
        seconds=total,
        efficiency=efficiency,
        limit=_limit(jobs, made, serial, work / n),
    )


def _limit(jobs: Sequence[Job], made: Timeline, serial: float, even: float) -> str:
    """What keeps the makespan from being shorter."""
    if made.unplaced:
        return f"no worker holds {made.unplaced[0]}"
    if serial > made.makespan:
        return "stages that run in one process"
    chain = [group[0] for group in waves(jobs)]
    longest = sum(job.seconds + TRIAL_SECONDS for job in chain)
    if longest * _NEAR >= made.makespan and made.makespan > even * _NEAR:
        names = ", then ".join(job.name for job in chain)
        return f"the longest fit, {names}" if len(chain) == 1 else f"fits that wait: {names}"
    if made.makespan <= even * 1.1:
        return "the training itself"
    return "the end of a wave, when workers wait for the last fits"
