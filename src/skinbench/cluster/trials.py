"""Fits as trials of Ray Tune: heavy ones first, small ones packed, killed workers retried.

What is finished is known from our own store; Tune's state is never restored. A trial trains
the fits of its pack one after another with `learn.fit`, which goes on from the last epoch
that it finds, so that a retry after a killed worker loses at most one epoch.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skinbench import registry
from skinbench.cluster.loggers import no_event_files
from skinbench.cluster.session import Session
from skinbench.cluster.sizing import Demand, check_demands, slots
from skinbench.plan import cost, spec_key
from skinbench.records import EpochRecord, Event, FitRecord, FitSpec, Listener
from skinbench.store import Store, canonical_json, from_plain, open_store

PACK_COST = 1_500.0
"""Fits below this cost are packed up to it: about five seconds of one core."""
LEAST_COST = PACK_COST / 5
"""Packs are not made smaller than this to even out the workers: a trial starts in 0.2 s."""
MAX_FAILURES = 2
"""Times that a trial whose worker died is started again."""


@dataclass(frozen=True, kw_only=True)
class Pack:
    """Fits that one trial trains, one after another."""

    fits: tuple[str, ...]
    cpu: int
    gpu: float
    memory: int
    """Bytes."""
    cost: float

    @property
    def resources(self) -> dict[str, float]:
        """As Tune takes them."""
        asked = {"cpu": self.cpu, "gpu": self.gpu, "memory": self.memory}
        return {name: amount for name, amount in asked.items() if amount}


@dataclass(frozen=True, kw_only=True)
class TrialRequest:
    """What to train and what for."""

    specs: Mapping[str, FitSpec]
    """Fit id to spec."""
    weights: Mapping[str, Path]
    demands: Mapping[str, Demand]
    """Fit id to what its trial asks for."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """Fit id to a row's name, for display and messages."""
    max_concurrent: int | None = None
    fail_fast: bool = False


def make_packs(request: TrialRequest, n_images: Mapping[str, int], workers: int) -> list[Pack]:
    """Group small fits that read the same data and ask for the same; heaviest pack first.

    Args:
        request: the fits.
        n_images: fit id to images of its split.
        workers: trials that run at once; no pack is so large that one of them idles.
    """
    costs = {name: cost(spec, n_images[name]) for name, spec in request.specs.items()}
    small = sum(value for value in costs.values() if value < PACK_COST)
    # Two packs for each worker even out what is unequal, where a pack is worth its start.
    limit = min(PACK_COST, small / workers, max(LEAST_COST, small / (2 * workers)))
    packs: list[Pack] = []
    waiting: dict[tuple[str, float, int], list[str]] = {}
    for name, spec in request.specs.items():
        if costs[name] >= PACK_COST:
            packs.append(_pack(request, [name], costs))
            continue
        demand = request.demands[name]
        key = (spec_key(spec), demand.gpu, demand.memory)
        group = waiting.setdefault(key, [])
        group.append(name)
        if sum(costs[item] for item in group) >= limit:
            packs.append(_pack(request, group, costs))
            waiting[key] = []
    packs += [_pack(request, group, costs) for group in waiting.values() if group]
    return sorted(packs, key=lambda pack: (-pack.cost, pack.fits))


def _pack(request: TrialRequest, names: Sequence[str], costs: Mapping[str, float]) -> Pack:
    first = request.demands[names[0]]
    return Pack(
        fits=tuple(names),
        cpu=first.cpu,
        gpu=first.gpu,
        memory=first.memory,
        cost=sum(costs[name] for name in names),
    )


def run_trials(
    request: TrialRequest,
    n_images: Mapping[str, int],
    store: Store,
    session: Session,
    listener: Listener,
) -> dict[str, FitRecord]:
    """Train every fit of a request on the session.

    Returns:
        A record for each fit, failed ones included.

    Raises:
        ResourceError: a fit asks for more than any node has.
        KeyboardInterrupt: the user stopped; finished fits are in the store.
    """
    nodes = session.nodes()
    demands = [request.demands[name] for name in request.specs]
    check_demands(demands, nodes)
    watcher = _Watcher(request, listener)
    packs = make_packs(request, n_images, slots(demands, nodes))
    lost = _run_packs(request, packs, store, watcher)
    # Which fit of a pack took the worker along is not known: each of it is tried alone.
    alone = [
        dataclasses.replace(pack, fits=(name,))
        for pack in lost
        if len(pack.fits) > 1 and not request.fail_fast
        for name in pack.fits
        if name not in watcher.records and not store.has("fits", name)
    ]
    if alone:
        _run_packs(request, alone, store, watcher)
    return watcher.collect(store)


def _run_packs(
    request: TrialRequest, packs: Sequence[Pack], store: Store, watcher: _Watcher
) -> list[Pack]:
    """Train packs as the trials of one call of Tune; those whose worker died too often."""
    scratch = Path(tempfile.mkdtemp(prefix="skinbench-tune-"))
    lost = []
    try:
        results = _tuner(request, packs, store, scratch, watcher).fit()
        for index, pack in enumerate(packs):  # Tune keeps the order of its grid
            error = results[index].error
            if error is not None:
                watcher.trial_lost(pack, str(error))
                lost.append(pack)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return lost


def _tuner(
    request: TrialRequest, packs: Sequence[Pack], store: Store, scratch: Path, watcher: _Watcher
) -> Any:
    from ray import tune

    payload = {
        "packs": [list(pack.fits) for pack in packs],
        "gpu": [pack.gpu for pack in packs],
        "specs": {name: canonical_json(spec) for name, spec in request.specs.items()},
        "weights": {digest: str(path) for digest, path in request.weights.items()},
        "store": store.place,
    }
    trainable = tune.with_resources(
        tune.with_parameters(_train_pack, payload=payload),
        lambda config: packs[config["pack"]].resources,
    )
    return tune.Tuner(
        trainable,
        param_space={"pack": tune.grid_search(list(range(len(packs))))},
        tune_config=tune.TuneConfig(
            max_concurrent_trials=request.max_concurrent, reuse_actors=True
        ),
        run_config=tune.RunConfig(
            name="fits",
            storage_path=str(scratch),
            verbose=0,
            callbacks=[_callback(watcher), no_event_files()],
            stop=watcher.stopper(),
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
        ),
    )


def _train_pack(config: dict[str, Any], payload: dict[str, Any]) -> None:
    """A trial: train the fits of one pack and report each epoch and record."""
    from ray import tune

    from skinbench.learn.fit import train_fits
    from skinbench.learn.memory import share_gpu
    from skinbench.store.outage import ride_out

    registry.load_plugins_from_environment()
    share_gpu(payload["gpu"][config["pack"]])
    specs = {
        name: from_plain(FitSpec, json.loads(payload["specs"][name]))
        for name in payload["packs"][config["pack"]]
    }
    weights = {digest: Path(path) for digest, path in payload["weights"].items()}
    store = open_store(payload["store"])

    told: set[str] = set()

    # As text: Tune's own loggers take text as it is, and warn of lists inside a record.
    def report(name: str, epoch: EpochRecord) -> None:
        tune.report({"fit": name, "epoch": canonical_json(epoch)})

    def ended(record: FitRecord) -> None:
        told.add(record.fit_id)
        tune.report({"fit": record.fit_id, "record": canonical_json(record)})

    def train() -> None:
        left = {name: spec for name, spec in specs.items() if name not in told}
        train_fits(left, store, weights=weights, on_epoch=report, on_record=ended)

    ride_out(train, store, lambda text: tune.report({"fit": next(iter(specs)), "note": text}))


class _Watcher:
    """Collects what trials report and passes it on as events."""

    def __init__(self, request: TrialRequest, listener: Listener) -> None:
        self.request, self.listener = request, listener
        self.records: dict[str, FitRecord] = {}
        self._lost: dict[str, str] = {}
        self.failed = False

    def __getstate__(self) -> dict[str, object]:
        """Nothing: Tune pickles its callbacks to restore from, which we never do."""
        return {}

    def result(self, result: Mapping[str, Any]) -> None:
        """One report of a trial."""
        name = result.get("fit")
        if name is None:
            return
        title, spec = self.request.titles.get(name, name), self.request.specs[name]
        if result.get("note"):
            self.listener(Event(kind="note", detail=f"{title}: {result['note']}"))
        elif result.get("record"):
            record = from_plain(FitRecord, json.loads(result["record"]))
            self.records[name] = record
            self.failed = self.failed or record.status == "failed"
            if record.micro_batches > 1:
                note = (
                    f"{title}: the GPU does not hold a batch of {spec.train.batch_size}; it was "
                    f"cut into {record.micro_batches} micro-batches"
                )
                self.listener(Event(kind="note", detail=note))
            self.listener(
                Event(
                    kind="fit",
                    name=title,
                    fit=name,
                    status=record.status,
                    detail=record.error,
                    seconds=record.seconds,
                )
            )
        elif result.get("epoch"):
            epoch = from_plain(EpochRecord, json.loads(result["epoch"]))
            epochs = spec.train.epochs
            self.listener(Event(kind="epoch", name=title, fit=name, epoch=epoch, epochs=epochs))

    def trial_lost(self, pack: Pack, error: str) -> None:
        """A trial that died more often than it may."""
        lines = [line for line in error.splitlines() if line.strip()]
        for name in pack.fits:
            self._lost[name] = lines[-1] if lines else "the trial ended without a word"

    def collect(self, store: Store) -> dict[str, FitRecord]:
        """A record for every fit: reported, lost with its trial, or never started."""
        for name in self.request.specs:
            if name not in self.records and not store.has("fits", name):
                reason = self._lost.get(name, "not started: an earlier fit failed (--fail-fast)")
                self.records[name] = FitRecord(fit_id=name, status="failed", error=reason)
                title = self.request.titles.get(name, name)
                self.listener(
                    Event(kind="fit", name=title, fit=name, status="failed", detail=reason)
                )
        return self.records

    def stopper(self) -> Any:
        """Stops all trials after a failure, where the user asked for it."""
        from ray import tune

        watcher = self

        class StopAfterFailure(tune.Stopper):  # type: ignore[misc]
            def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
                return False

            def stop_all(self) -> bool:
                return watcher.request.fail_fast and watcher.failed

        return StopAfterFailure()


def _callback(watcher: _Watcher) -> Any:
    from ray import tune

    class Report(tune.Callback):  # type: ignore[misc]
        def on_trial_result(
            self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any
        ) -> None:
            watcher.result(result)

    return Report()
