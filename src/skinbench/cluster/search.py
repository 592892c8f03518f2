"""A search of settings on Ray Tune: each trial is an ordinary fit, the choice is by val alone.

A trial that was finished before, in this run or in another, is not trained again: it is known by
its content as every fit is, and only tells its epochs once more. A search that was killed is
started again with the same seed and so goes on where it was.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from skinbench import registry
from skinbench.cluster.demands import demand_of
from skinbench.cluster.loggers import no_event_files
from skinbench.cluster.session import Session
from skinbench.cluster.sizing import Demand, check_demands
from skinbench.errors import MissingExtraError, SkinbenchError
from skinbench.plan import fit_id, trial_spec
from skinbench.plan.asked import asked_of
from skinbench.records import (
    EpochRecord,
    Event,
    FitRecord,
    Listener,
    SearchResult,
    SearchTask,
    SearchTrial,
)
from skinbench.store import Store, canonical_json, from_plain, open_store, write_json
from skinbench.suite.search import Range, Search

DIGITS = 4
"""Significant digits of a drawn number: more would tell apart what val cannot."""
WORST = 1e9
"""What a failed trial reports, so that a sampler learns from it."""
MAX_FAILURES = 2
FILE = "search.json"


class SearchFailedError(SkinbenchError):
    """No trial of a search came to its end."""


def run_search(
    task: SearchTask,
    *,
    weights: Mapping[str, Path],
    store: Store,
    session: Session,
    listener: Listener,
) -> SearchResult:
    """Try settings of one row within one fold, choose, and keep the result in the store.

    Args:
        task: the search.
        weights: weights files by their sha256.
        store: gets the fits of the trials and `searches/<digest>`.
        session: where trials run.
        listener: hears how many trials are done.

    Raises:
        SearchFailedError: no trial came to its end; says why the first one did not.
        ResourceError: a trial asks for more than any node has.
        KeyboardInterrupt: the user stopped; the same search goes on.
    """
    search = Search.model_validate(task.settings["search"])
    demand = demand_of(task.row, task.spec, asked_of(task.settings))
    check_demands([demand], session.nodes())
    scratch = Path(tempfile.mkdtemp(prefix="skinbench-search-"))
    try:
        watched = _callback(task, search, listener)
        results = _tuner(task, search, demand, weights, store, scratch, watched).fit()
        # A trial that was lost before its first report does not know what was drawn for it.
        drawn = [values_of(search, config) for config in watched.drawn]
        trials = [_trial_of(results[k], values, search) for k, values in enumerate(drawn)]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    result = conclude(trials, search)
    store.publish("searches", task.digest, lambda folder: write_json(folder / FILE, result))
    for trial in trials:
        if trial.status == "stopped":  # its checkpoint is of no use once the choice is made
            store.drop_work("fits", trial.fit)
    return result


def conclude(trials: Sequence[SearchTrial], search: Search) -> SearchResult:
    """The best finished trial; of equal ones the first.

    Raises:
        SearchFailedError: none is finished.
    """
    lower = _mode(search) == "min"
    done = [
        ((trial.value if lower else -trial.value), index)
        for index, trial in enumerate(trials)
        if trial.status == "done" and trial.value is not None
    ]
    if not done:
        reason = next((trial.error for trial in trials if trial.error), "none came to its end")
        raise SearchFailedError(f"no trial of the search can be chosen: {reason}")
    word = "lowest" if lower else "highest"
    packages = ("ray", "optuna") if search.sampler == "optuna" else ("ray",)
    return SearchResult(
        trials=tuple(trials),
        chosen=min(done)[1],
        rule=f"the {word} {search.monitor} of the finished trials, of equal ones the first",
        versions={name: metadata.version(name) for name in packages},
    )


def _mode(search: Search) -> Literal["min", "max"]:
    return "min" if search.monitor == "val_log_loss" else "max"


def require_sampler(task: SearchTask) -> None:
    """Refuse a search whose sampler cannot be had.

    Raises:
        MissingExtraError: its package is not installed.
    """
    search = Search.model_validate(task.settings["search"])
    if search.sampler == "optuna":
        try:
            metadata.version("optuna")
        except metadata.PackageNotFoundError as error:
            raise MissingExtraError("`search: {sampler: optuna}`", "search") from error


# --- what Tune is given ------------------------------------------------------------------


def _tuner(
    task: SearchTask,
    search: Search,
    demand: Demand,
    weights: Mapping[str, Path],
    store: Store,
    scratch: Path,
    watched: Any,
) -> Any:
    from ray import tune

    payload = {
        "task": canonical_json(task),
        "weights": {digest: str(path) for digest, path in weights.items()},
        "store": store.place,
        "gpu": demand.gpu,
    }
    asked = {"cpu": demand.cpu, "gpu": demand.gpu, "memory": demand.memory}
    resources = {name: amount for name, amount in asked.items() if amount}
    trainable = tune.with_parameters(_train_trial, payload=payload)
    return tune.Tuner(
        tune.with_resources(trainable, resources),
        param_space=_space(search),
        tune_config=tune.TuneConfig(
            num_samples=1 if search.sampler == "grid" else search.budget,
            search_alg=_sampler(search),
            scheduler=_scheduler(search, task.spec.train.epochs),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="search",
            storage_path=str(scratch),
            verbose=0,
            callbacks=[watched, no_event_files()],
            failure_config=tune.FailureConfig(max_failures=MAX_FAILURES),
        ),
    )


def _space(search: Search) -> dict[str, Any]:
    """Tune's space: the position of each setting to a distribution over numbers.

    Lists are drawn by position, since their values may be mappings.
    """
    from ray import tune

    space: dict[str, Any] = {}
    for index, values in enumerate(search.space.values()):
        name = f"s{index}"
        if isinstance(values, list):
            positions = list(range(len(values)))
            grid = search.sampler == "grid"
            space[name] = tune.grid_search(positions) if grid else tune.choice(positions)
        elif values.log is not None:
            space[name] = tune.loguniform(*values.log)
        elif values.uniform is not None:
            space[name] = tune.uniform(*values.uniform)
        else:
            low, high = values.ends
            space[name] = tune.randint(int(low), int(high) + 1)
    return space


def values_of(search: Search, drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted setting to value, from what Tune drew by position."""
    found: dict[str, Any] = {}
    for index, (key, values) in enumerate(search.space.items()):
        number = drawn[f"s{index}"]
        if isinstance(values, Range):
            whole = values.int_ is not None
            found[key] = int(number) if whole else float(f"{float(number):.{DIGITS}g}")
        else:
            found[key] = values[int(number)]
    return found


def _sampler(search: Search) -> Any:
    if search.sampler == "optuna":
        from ray.tune.search import ConcurrencyLimiter
        from ray.tune.search.optuna import OptunaSearch

        chosen = OptunaSearch(metric="value", mode=_mode(search), seed=search.seed)
        return ConcurrencyLimiter(chosen, max_concurrent=search.at_once)
    from ray.tune.search import BasicVariantGenerator

    return BasicVariantGenerator(random_state=search.seed, max_concurrent=search.at_once or 0)


def _scheduler(search: Search, epochs: int) -> Any:
    if search.asha is None:
        return None
    from ray.tune.schedulers import AsyncHyperBandScheduler

    return AsyncHyperBandScheduler(
        time_attr="epoch",
        metric="value",
        mode=_mode(search),
        grace_period=min(search.asha.grace, epochs),
        reduction_factor=search.asha.factor,
        max_t=epochs + 1,  # a fit that runs to its last epoch is published, not stopped
    )


def _callback(task: SearchTask, search: Search, listener: Listener) -> Any:
    from ray import tune

    ended: set[str] = set()

    class Report(tune.Callback):  # type: ignore[misc]
        def __getstate__(self) -> dict[str, object]:
            return {}  # Tune pickles its callbacks to restore from, which we never do

        def __init__(self) -> None:
            self.drawn: list[Mapping[str, Any]] = []

        def _end(self, trials: list[Any], trial: Any) -> None:
            self.drawn = [each.config for each in trials]
            ended.add(trial.trial_id)
            event = Event(
                kind="progress", name=f"search {task.row}", done=len(ended), total=search.budget
            )
            listener(event)

        def on_trial_complete(
            self, iteration: int, trials: list[Any], trial: Any, **_: Any
        ) -> None:
            self._end(trials, trial)

        def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
            self._end(trials, trial)

    return Report()


# --- one trial ---------------------------------------------------------------------------


class _Teller:
    """Tells Tune the best value so far after each epoch but the last, which ends the fit.

    ASHA may stop a trial when it tells an epoch: a fit that is as good as published must not be.
    """

    def __init__(self, search: Search, fit: str, epochs: int) -> None:
        self.search, self.fit, self.epochs = search, fit, epochs
        self.best = WORST if _mode(search) == "min" else -WORST

    def epoch(self, _fit: str, record: EpochRecord) -> None:
        """After an epoch."""
        value = getattr(record, self.search.monitor)
        if value is not None:
            better = min if _mode(self.search) == "min" else max
            self.best = better(self.best, float(value))
        if record.epoch < self.epochs:
            self.tell(record.epoch, {})

    def tell(self, epoch: int, facts: Mapping[str, object]) -> None:
        """Report to Tune."""
        from ray import tune

        tune.report({"epoch": epoch, "value": self.best, "fit": self.fit, "record": "", **facts})


def _train_trial(config: dict[str, Any], payload: dict[str, Any]) -> None:
    """Train the fit of one set of values, and report each epoch and its record."""
    from skinbench.learn.fit import train_fits
    from skinbench.learn.memory import share_gpu
    from skinbench.learn.saved import read_fit_record
    from skinbench.store.outage import ride_out

    registry.load_plugins_from_environment()
    share_gpu(payload["gpu"])
    task = from_plain(SearchTask, json.loads(payload["task"]))
    search = Search.model_validate(task.settings["search"])
    try:
        spec = trial_spec(task, values_of(search, config))
    except ValidationError as error:
        _Teller(search, "", 1).tell(1, {"refused": error.errors()[0]["msg"]})
        return
    store, name = open_store(payload["store"]), fit_id(spec)
    teller = _Teller(search, name, spec.train.epochs)
    if store.has("fits", name):
        for epoch in read_fit_record(store, name).history:
            teller.epoch(name, epoch)
    weights = {digest: Path(path) for digest, path in payload["weights"].items()}
    record = ride_out(
        lambda: train_fits({name: spec}, store, weights=weights, on_epoch=teller.epoch)[name],
        store,
        lambda _: None,
    )
    if record.status != "done":
        teller = _Teller(search, name, spec.train.epochs)
    teller.tell(max(len(record.history), 1), {"record": canonical_json(record)})


def _trial_of(result: Any, values: Mapping[str, Any], search: Search) -> SearchTrial:
    """What became of the trial of some values."""
    told = result.metrics or {}
    facts: dict[str, Any] = {"values": values, "fit": str(told.get("fit") or "")}
    if result.error is not None:
        lines = [line for line in str(result.error).splitlines() if line.strip()] or ["lost"]
        return SearchTrial(**facts, status="failed", error=lines[-1])
    if told.get("refused"):
        return SearchTrial(**facts, status="failed", error=str(told["refused"]))
    if not told.get("record"):
        best = float(told.get("value", WORST))
        known = best if abs(best) < WORST else None
        epochs = int(told.get("epoch", 0))
        return SearchTrial(**facts, status="stopped", value=known, epochs=epochs)
    record = from_plain(FitRecord, json.loads(told["record"]))
    if record.status != "done":
        return SearchTrial(**facts, status="failed", error=record.error)
    return SearchTrial(
        **facts, status="done", value=kept_value(record, search), epochs=len(record.history)
    )


def kept_value(record: FitRecord, search: Search) -> float | None:
    """The monitor at the epoch whose network a fit keeps, which is the network that is chosen."""
    kept = [epoch for epoch in record.history if epoch.epoch == record.best_epoch]
    value = getattr(kept[0], search.monitor) if kept else None
    return None if value is None else float(value)
