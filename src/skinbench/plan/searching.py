"""Searches of settings as a plan sees them: what each is known by, and what it found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from skinbench.plan.fits import FitMaker
from skinbench.plan.specs import respec
from skinbench.records import FitSpec, SearchResult, SearchTask
from skinbench.store import Store, content_digest, read_record
from skinbench.suite import RowSettings, SuiteRow
from skinbench.suite.rows import plain
from skinbench.suite.searched import search_words, searched_settings

VERSION = 1
"""Raised when trials or the choice among them are made differently."""
FILE = "search.json"


def search_task(maker: FitMaker, row: SuiteRow, fold: int) -> SearchTask:
    """The search of a row within a fold, by its first seed.

    Within each fold, since another fold's val images are among this one's test images.
    """
    search, seed = row.settings.search, row.settings.seeds[0]
    assert search is not None
    spec = maker.base_spec(row.name, fold, seed)
    stated = plain(search)
    ordered = search.sampler == "optuna" or search.asha is not None
    # How many trials run at once changes nothing that is drawn beforehand.
    identity = {
        **stated,
        "concurrent": search.at_once if ordered else None,
        "trials": search.budget,
    }
    return SearchTask(
        digest=content_digest([VERSION, spec, identity]),
        row=row.name,
        fold=fold,
        spec=spec,
        settings=plain(row.settings),
        budget=search_words(search, row.settings.epochs),
    )


def read_search(store: Store, digest: str) -> SearchResult | None:
    """What a search found; None where it was not run to its end.

    Raises:
        CorruptObjectError: it is damaged.
    """
    if not store.has("searches", digest):
        return None
    return read_record(store.open("searches", digest) / FILE, SearchResult)


def trial_spec(task: SearchTask, values: Mapping[str, object]) -> FitSpec:
    """The fit of one trial.

    Raises:
        ValidationError: pydantic's, where values do not go together.
    """
    settings = RowSettings.model_validate(dict(task.settings))
    spec = respec(task.spec, searched_settings(settings, values))
    return dataclasses.replace(
        spec, train=dataclasses.replace(spec.train, seed=task.spec.train.seed)
    )


def search_note(task: SearchTask, result: SearchResult | None, folds: int) -> str:
    """The rule of a search, and what it chose, as a sentence."""
    where = f"fold {task.fold}: " if folds > 1 else ""
    if result is None:
        return f"{where}settings are to be chosen by search: {task.budget}; by val alone"
    best = result.trials[result.chosen]
    values = ", ".join(f"{key} {value}" for key, value in best.values.items())
    return (
        f"{where}settings were chosen by search: {values}; {result.rule}, among {task.budget}; "
        f"test was not looked at"
    )
