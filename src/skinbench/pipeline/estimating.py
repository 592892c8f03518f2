"""What a suite would cost on so many machines, from fits that this store has measured."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skinbench import registry
from skinbench.errors import SkinbenchError, counted
from skinbench.pipeline.prepared import Prepared
from skinbench.plan import cost
from skinbench.plan.asked import asked_of
from skinbench.plan.simulation import Job, Machine, line
from skinbench.records import Estimate, FitRecord, FitSpec
from skinbench.store import RunFolder, Store, read_json, read_record

WORKERS = (1, 8, 64, 512)
# Seconds for one unit of `plan.cost` on one core, two-core machine of 2026-11: an epoch of
# 10,015 images at 128 px takes 62 s, one on stored features 0.23 s, whose unit is a thousandth.
_NETWORK, _HEADS, _PLAIN = 62 / 10_015, 0.23 / 10.015, 1.0
_SESSION = 12.0
"""Seconds in which Ray and its first workers start."""
_IMAGES = 500.0
"""Images a second through a network in one process, and decoded."""
_ROW = 1.0
"""Seconds a row: scores with 2,000 resamples, report."""


@dataclass(frozen=True, kw_only=True)
class Nodes:
    """Machines that a user asks about."""

    count: int
    cpus: int
    gpus: int
    price: float | None = None
    """Of one node for one hour."""


def estimate(prepared: Prepared, store: Store, folder: Path, nodes: Nodes | None) -> Estimate:
    """Time, GPU hours, storage and cost of what the store does not have yet.

    Args:
        prepared: the suite with its plan.
        store: whose finished fits tell how long fits of their kind take.
        folder: the run folder; an earlier run there tells how long the other stages take.
        nodes: machines to say a cost for.
    """
    plan = prepared.plan
    images = {s.digest: len(s.table) // s.folds for s in prepared.splits.values()}
    pending = {
        name: spec
        for name, spec in plan.fits.items()
        if not store.has("fits", name) and spec.model.trained is None
    }
    rates = _Rates(store)
    seconds = {name: rates.seconds(spec, images[spec.split]) for name, spec in pending.items()}
    gpu = _shares(prepared)
    serial = _serial(prepared, pending, folder)
    jobs = _jobs(prepared, pending, seconds, gpu)
    known = len(jobs) == len(pending)
    unit, worker = _worker(jobs)
    lines = tuple(line(jobs, [worker] * n, serial, n) for n in WORKERS) if jobs and known else ()
    asked = None
    if nodes is not None and jobs and known:
        machines = [Machine(cpu=nodes.cpus, gpu=nodes.gpus)] * nodes.count
        count = nodes.count * max(1, nodes.gpus if worker.gpu else int(nodes.cpus // worker.cpu))
        asked = line(jobs, machines, serial, count)
    price = None
    if nodes is not None and nodes.price is not None and asked is not None:
        price = asked.seconds / 3600 * nodes.price * nodes.count
    return Estimate(
        fits=len(pending),
        measured=sum(rates.knows(spec) for spec in pending.values()),
        basis=rates.basis,
        unit=unit,
        fit_seconds=sum(job.seconds for job in jobs) if known else None,
        serial_seconds=serial,
        gpu_hours=sum(job.seconds * job.gpu for job in jobs) / 3600 if known else None,
        storage_bytes=_storage(prepared, pending, rates),
        lines=lines,
        nodes=asked,
        cost=price,
    )


class _Rates:
    """Seconds for one unit of `plan.cost`, by kind of fit, from what a store has trained."""

    def __init__(self, store: Store) -> None:
        found: dict[tuple[object, ...], list[float]] = defaultdict(list)
        self.bytes: dict[str, list[int]] = defaultdict(list)
        self.count = 0
        for item in store.copies():
            if item.kind != "fits":
                continue
            try:
                spec = read_record(store.path(item.kind, item.name) / "spec.json", FitSpec)
                record = read_record(store.path(item.kind, item.name) / "record.json", FitRecord)
            except SkinbenchError:  # of an earlier version
                continue
            self.bytes[spec.model.name].append(item.bytes)
            passed = sum(epoch.images for epoch in record.history)
            amount = cost(spec, passed) / spec.train.epochs if passed else 0.0
            if amount > 0 and record.seconds > 0:
                self.count += 1
                for key in _keys(spec):
                    found[key].append(record.seconds / amount)
        self._rates = {key: statistics.median(values) for key, values in found.items()}

    @property
    def basis(self) -> str:
        """Where the times come from."""
        if self.count:
            return f"from {counted(self.count, 'fit')} that this store has measured"
        return "no fit is measured here yet: by a two-core machine of 2026-11; run one row first"

    def knows(self, spec: FitSpec) -> bool:
        """Whether the store has trained this model so."""
        return _keys(spec)[0] in self._rates

    def seconds(self, spec: FitSpec, images: int) -> float | None:
        """All epochs of a fit; None on a device of which nothing is known."""
        amount = cost(spec, images)
        for key in _keys(spec):
            if key in self._rates:
                return self._rates[key] * amount
        if registry.models.get(spec.model.name).kind == "plain":
            return _PLAIN
        if spec.train.device != "cpu":
            return None
        return amount * (_HEADS if _is_head(spec) else _NETWORK)


def _is_head(spec: FitSpec) -> bool:
    return spec.stored_features or not registry.inputs.get(spec.input.name).uses_image


def _keys(spec: FitSpec) -> list[tuple[object, ...]]:
    """Kinds that a fit belongs to, the narrowest first."""
    kind = (_is_head(spec), spec.train.device, spec.train.threads)
    return [(spec.model.name, spec.train.image_size, *kind), (spec.model.name, *kind), kind]


def _shares(prepared: Prepared) -> dict[str, float]:
    """Fit id to the share of a GPU that its row asks for."""
    rows = {row.name: row for row in (*prepared.plan.rows, *prepared.plan.segmentations)}
    found = {}
    for cell in prepared.plan.fitted:
        found[str(cell.fit)] = asked_of(rows[cell.row].settings).gpu
    return found


def _jobs(
    prepared: Prepared,
    pending: Mapping[str, FitSpec],
    seconds: Mapping[str, float | None],
    gpu: Mapping[str, float],
) -> list[Job]:
    titles = {str(cell.fit): cell.name for cell in prepared.plan.fitted}
    nodes = {node.name: node for node in prepared.plan.nodes}

    def needs(name: str) -> tuple[str, ...]:
        """Fits behind a node, through pixels and features that are made with them."""
        found: list[str] = []
        waiting = list(nodes[name].needs)
        while waiting:
            need = waiting.pop()
            if need.startswith("fit:"):
                found.append(titles.get(need.removeprefix("fit:"), need))
            elif need in nodes:
                waiting += nodes[need].needs
        return tuple(sorted(set(found)))

    made = []
    for name, spec in pending.items():
        took = seconds[name]
        if took is not None:
            made.append(
                Job(
                    name=titles.get(name, f"fit:{name}"),
                    seconds=took,
                    cpu=spec.train.threads,
                    gpu=gpu.get(name, 0.0),
                    needs=needs(f"fit:{name}"),
                )
            )
    return made


def _worker(jobs: list[Job]) -> tuple[str, Machine]:
    """What one worker is: a GPU with the cores that its fits ask for, or the cores of a fit."""
    cores = max((job.cpu for job in jobs), default=1.0)
    shares = [job.gpu for job in jobs if job.gpu]
    if shares:
        return "GPU", Machine(cpu=cores * max(1, int(1 / min(shares))), gpu=max(1.0, *shares))
    return ("core" if cores == 1 else f"{cores:g} cores"), Machine(cpu=cores)


def _serial(prepared: Prepared, pending: Mapping[str, FitSpec], folder: Path) -> float:
    """Seconds of all stages but the fits: as an earlier run took, else by what they do."""
    path = RunFolder(folder).run
    if path.is_file():
        try:
            stages = read_json(path)["stages"]
            return float(sum(item["seconds"] for item in stages if item["name"] != "fits"))
        except (SkinbenchError, KeyError, TypeError, ValueError):
            pass
    images = {name: len(item.table) for name, item in prepared.manifests.items()}
    stores = sum(node.kind in ("pixels", "features") for node in prepared.plan.nodes)
    mean = sum(images.values()) / max(1, len(images))
    judged = sum(images[item.dataset] for item in prepared.plan.evaluations)
    starts = _SESSION if pending else 0.0
    return starts + (stores * mean + judged) / _IMAGES + _ROW * len(prepared.plan.rows)


def _storage(prepared: Prepared, pending: Mapping[str, FitSpec], rates: _Rates) -> int:
    images = {item.digest: len(item.table) for item in prepared.manifests.values()}
    sizes = {
        (digest, spec.train.image_size)
        for spec in prepared.plan.fits.values()
        for digest in spec.datasets.values()
    }
    pixels = sum(images[digest] * size * size * 3 for digest, size in sizes)
    fits = (rates.bytes.get(spec.model.name) for spec in pending.values())
    return pixels + round(sum(statistics.median(known) for known in fits if known))
