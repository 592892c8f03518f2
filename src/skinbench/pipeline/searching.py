"""Settings that rows leave to a search are found before the plan is carried out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from skinbench.errors import counted
from skinbench.pipeline.prepared import Clock, Options, Prepared, plan_again
from skinbench.pipeline.scheduling import open_schedule
from skinbench.records import Event, SearchTask
from skinbench.store import RunFolder, write_json


def search_settings(
    prepared: Prepared, options: Options, folder: RunFolder, clock: Clock
) -> tuple[Prepared, dict[tuple[str, int], str]]:
    """Run every search that the store does not know, and plan again with what was chosen.

    Returns:
        The new plan, and (row, fold) to why its search chose nothing.

    Raises:
        MissingExtraError: a sampler's package is not installed.
        ResourceError: a trial asks for more than any node has.
    """
    failed: dict[tuple[str, int], str] = {}
    if prepared.planned.unsearched:
        failed = _search(prepared, options, folder, clock)
        prepared = plan_again(prepared, options)
    return prepared, failed


def _search(
    prepared: Prepared, options: Options, folder: RunFolder, clock: Clock
) -> dict[tuple[str, int], str]:
    from skinbench.cluster.search import SearchFailedError, require_sampler, run_search
    from skinbench.cluster.session import Session

    failed: dict[tuple[str, int], str] = {}
    tasks: dict[str, list[SearchTask]] = {}  # two rows may leave the same search to do
    for task in prepared.planned.unsearched:
        require_sampler(task)
        tasks.setdefault(task.digest, []).append(task)
    with Session(address=options.address, log=folder.log) as session:
        open_schedule(prepared, options, session, clock)
        with clock.stage("search") as entry:
            for same in tasks.values():
                try:
                    run_search(
                        same[0],
                        weights=prepared.planned.weights,
                        store=options.store,
                        session=session,
                        listener=clock.listener,
                    )
                except SearchFailedError as error:
                    failed.update({(task.row, task.fold): str(error) for task in same})
                    clock.listener(Event(kind="note", detail=f"{same[0].row}: {error}"))
            entry["detail"] = f"{counted(len(tasks), 'search', 'searches')}"
    return failed


def failed_fits(prepared: Prepared, failed: Mapping[tuple[str, int], str]) -> dict[str, str]:
    """Fits that are not trained because nothing chose their settings, with the reason."""
    reasons: dict[str, str] = {}
    wanted: set[str] = set()
    for cell in prepared.plan.cells:
        if cell.fit is None:
            continue
        if (cell.row, cell.fold) in failed:
            reasons[cell.fit] = failed[cell.row, cell.fold]
        else:
            wanted.add(cell.fit)
    return {fit: reason for fit, reason in reasons.items() if fit not in wanted}


def write_searches(prepared: Prepared, folder: RunFolder) -> None:
    """The run folder's own copy of what each search tried and chose."""
    for task, result in prepared.planned.searches:
        if result is not None:
            values = {"row": task.row, "fold": task.fold, "budget": task.budget}
            write_json(folder.search(task.digest), {**values, **dataclasses.asdict(result)})
