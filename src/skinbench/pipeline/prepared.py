"""What a run stands on before anything is learnt: data, splits, audit and plan."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from skinbench.data.manifest import export_manifest
from skinbench.data.splits import export_split
from skinbench.errors import counted
from skinbench.pipeline.surveyed import Look, survey
from skinbench.plan import Planned, make_plan, read_search
from skinbench.records import (
    AuditReport,
    Cell,
    Event,
    Listener,
    Manifest,
    NearDuplicates,
    Plan,
    Row,
    SplitTable,
    silent,
)
from skinbench.store import (
    RunFolder,
    Store,
    write_json,
    write_private,
    write_text,
)
from skinbench.suite import Suite, suite_to_yaml
from skinbench.suite.reduced import reduced_by_data

LACKING = 0.01
"""Share of a dataset's images that may be missing before its rows count as reduced."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a suite is run; nothing here changes a number."""

    folder: Path
    """The run folder."""
    store: Store
    address: str = "local"
    workers: int | None = None
    """Threads and trials at a time; None: as many as there are cores."""
    fail_fast: bool = False
    command: str = "skinbench run"
    """As the user typed it, for `how to rerun`."""
    baseline: Path | None = None
    """Judge the run against this baseline and print the verdict in the report."""
    salt: str | None = None
    """What the ids of that baseline were salted with."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A suite with its data read, split, audited and planned."""

    suite: Suite
    manifests: Mapping[str, Manifest]
    """As read."""
    joined: Mapping[str, Manifest]
    """With the lesions joined that pairs name as one: what splits and groups go by."""
    splits: Mapping[str, SplitTable]
    audit: AuditReport
    near: NearDuplicates | None
    """Near-duplicates, where the suite asks for them."""
    planned: Planned

    @property
    def plan(self) -> Plan:
        """The plan alone."""
        return self.planned.plan

    def first_seed(self, row: Row) -> list[Cell]:
        """A row's cells of its first seed, one for each fold."""
        cells = [cell for cell in self.plan.cells if cell.row == row.name]
        return [cell for cell in cells if cell.seed == cells[0].seed]


@dataclass(kw_only=True)
class Clock:
    """Times of the stages, for run.json."""

    listener: Listener
    stages: list[dict[str, object]] = field(default_factory=list)

    def progress(self, what: str, done: int, total: int) -> None:
        """Counted work, as an event."""
        self.listener(Event(kind="progress", name=what, done=done, total=total))

    @contextmanager
    def stage(self, name: str) -> Iterator[dict[str, object]]:
        """Time a block; its `detail` may be filled in."""
        self.listener(Event(kind="stage", name=name))
        entry: dict[str, object] = {"name": name, "seconds": 0.0, "detail": ""}
        start = time.perf_counter()
        self.stages.append(entry)
        try:
            yield entry
        finally:
            entry["seconds"] = round(time.perf_counter() - start, 3)


def prepare(
    suite: Suite, options: Options, clock: Clock | None = None, *, enforce_leaks: bool = True
) -> Prepared:
    """Read and clean the data, split it, look for leaks, and lay out the plan.

    Args:
        suite: the checked suite.
        options: store and workers.
        clock: takes the stage times.
        enforce_leaks: False only describes: a leak under `leakage: error` is no exception.

    Raises:
        DataError: a dataset is not what it should be.
        LeakageError: splits share what they must not, and the suite says `error`.
        SuiteError: a row cannot be run on this data.
    """
    clock = clock or Clock(listener=silent)
    look: Look = "asked" if enforce_leaks else "stored"
    known = survey(suite, options, clock, enforce_leaks=enforce_leaks, look=look)
    lacking = _lacking(known.manifests.values())
    reduced = reduced_by_data(suite.file, suite.rows, suite.reduced, lacking)
    suite = replace(suite, reduced=reduced)
    with clock.stage("plan") as entry:
        planned = _plan(suite, known.joined, known.splits, options)
        entry["detail"] = (
            f"{counted(len(planned.plan.cells), 'cell')}, {counted(len(planned.plan.fits), 'fit')}"
        )
    return Prepared(
        suite=suite,
        manifests=known.manifests,
        joined=known.joined,
        splits=known.splits,
        audit=known.audit,
        near=known.known.found if known.known.asked else None,
        planned=planned,
    )


def _lacking(manifests: Iterable[Manifest]) -> dict[str, str]:
    """Datasets of which more than a hundredth is not on this machine."""
    found = {}
    for manifest in manifests:
        missing = sum(item.count for item in manifest.findings if item.kind == "missing_file")
        if missing > LACKING * (missing + len(manifest.table)):
            found[manifest.name] = f"{counted(missing, 'image')} of {manifest.name} not here"
    return found


def _plan(
    suite: Suite,
    joined: Mapping[str, Manifest],
    splits: Mapping[str, SplitTable],
    options: Options,
) -> Planned:
    store = options.store
    return make_plan(
        suite,
        joined,
        splits,
        store.digest_of,
        lambda digest: read_search(store, digest),
        store.digests_of,
    )


def plan_again(prepared: Prepared, options: Options) -> Prepared:
    """The same with a new plan, for settings that a search has found since."""
    planned = _plan(prepared.suite, prepared.joined, prepared.splits, options)
    return replace(prepared, planned=planned)


def write_preparation(prepared: Prepared, folder: RunFolder) -> None:
    """The run folder's own copy of everything that the report, scoring and gate read."""
    write_private(folder, prepared.suite.file.private_data)
    write_text(folder.suite, suite_to_yaml(prepared.suite))
    for manifest in prepared.manifests.values():
        export_manifest(manifest, folder.manifest(manifest.name))
    for split in prepared.splits.values():
        export_split(split, folder.split(split.name))
    write_json(folder.audit, prepared.audit)
    if prepared.near is not None:
        write_json(folder.near_duplicates, prepared.near)
    write_json(folder.plan, prepared.plan)
