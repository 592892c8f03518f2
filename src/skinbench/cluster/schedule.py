"""What is ready runs: pixels, features, then fits in waves, each need before its users.

A failed need blocks the fits that depend on it, by name, and nothing else.
"""

from __future__ import annotations

import functools
import itertools
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from skinbench.cluster.demands import demands_of
from skinbench.cluster.session import Session
from skinbench.cluster.sizing import check_demands, local_cores
from skinbench.cluster.trials import TrialRequest, run_trials
from skinbench.data.lesion_masks import build_masks
from skinbench.data.made_pixels import sizes_read
from skinbench.data.pixels import build_pixels, pixel_digest
from skinbench.errors import SkinbenchError, counted
from skinbench.plan.asked import Asked, asked_of
from skinbench.records import (
    Event,
    FitRecord,
    FitSpec,
    Listener,
    Manifest,
    Plan,
    SplitTable,
)
from skinbench.store import Store, read_record
from skinbench.store.outage import ride_out


@dataclass(kw_only=True)
class Schedule:
    """A plan being carried out on one session. Owns the records of its fits."""

    plan: Plan
    weights: Mapping[str, Path]
    manifests: Mapping[str, Manifest]
    splits: Mapping[str, SplitTable]
    store: Store
    session: Session
    listener: Listener
    workers: int | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    """Fits that are not to be trained, with the reason."""
    records: dict[str, FitRecord] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Finished fits are known from the store; everything else is pending."""
        self.titles: dict[str, str] = {}
        self.asked: dict[str, Asked] = {}
        rows = {row.name: row for row in (*self.plan.rows, *self.plan.segmentations)}
        for cell in self.plan.fitted:
            if cell.fit is not None and cell.fit not in self.titles:
                several = cell.fold or cell.seed
                self.titles[cell.fit] = cell.name if several else cell.row
                self.asked[cell.fit] = asked_of(rows[cell.row].settings)
        self._name_starts()
        for name in self.plan.fits:
            if self.store.has("fits", name):
                path = self.store.open("fits", name) / "record.json"
                self.records[name] = read_record(path, FitRecord)
        for name, reason in self.refused.items():
            self._fail(name, reason)

    def _name_starts(self) -> None:
        """A fit that is no cell is where others start from, and is named by one of them."""
        starts = {
            name: spec.model.weights.digest
            for name, spec in self.plan.fits.items()
            if spec.model.weights.kind == "fit"
        }
        for name in list(self.titles):
            title, start = self.titles[name], starts.get(name)
            while start is not None and start not in self.titles:
                title = f"start of {title}"
                self.titles[start], self.asked[start] = title, self.asked[name]
                start = starts.get(start)

    @property
    def cores(self) -> int:
        """Threads for work in this process."""
        return self.workers or local_cores()

    @property
    def pending(self) -> dict[str, FitSpec]:
        """Fits without a record."""
        return {name: spec for name, spec in self.plan.fits.items() if name not in self.records}

    def check(self) -> str:
        """Refuse what no node can hold, before anything is made for it; a word on the nodes.

        Raises:
            ResourceError: a fit asks for more than any node has.
        """
        trained = {n: spec for n, spec in self.pending.items() if spec.model.trained is None}
        if not trained:
            return "nothing to train"
        nodes = self.session.nodes()
        check_demands(list(demands_of(trained, self.titles, self.asked).values()), nodes)
        cores = counted(int(sum(node.cpu for node in nodes)), "core")
        return f"{counted(len(nodes), 'node')}, {cores}"

    def make_pixels(self) -> str:
        """Build the pixel stores that pending fits and predictions read; a word on each."""
        wanted: dict[str, tuple[str, int]] = {}
        digests = {item.digest: name for name, item in self.manifests.items()}
        for spec in self.plan.fits.values():
            for digest in spec.datasets.values():
                for size in sizes_read(spec):
                    wanted[pixel_digest(digest, size)] = (digests[digest], size)
        # A split across datasets has its val in the one and its test in the other.
        judged = {
            name: tuple(split.table.loc[split.table["split"] != "train", "dataset"].unique())
            for name, split in self.splits.items()
        }
        for evaluation in self.plan.evaluations:
            for name in (evaluation.dataset, *judged[evaluation.split]):
                for size in self._sizes_of(evaluation.cell):
                    wanted[pixel_digest(self.manifests[name].digest, size)] = (name, size)
        made = 0
        for digest, (name, size) in wanted.items():
            if not self.store.has("pixels", digest):
                made += 1
                self._riding_out(
                    functools.partial(
                        build_pixels,
                        self.manifests[name],
                        size,
                        self.store,
                        workers=self.cores,
                        progress=self._progress,
                    )
                )
        self._make_masks(digests)
        return f"{counted(len(wanted), 'store')}, {made} built"

    def _make_masks(self, names: Mapping[str, str]) -> None:
        """Masks that segmentations learn from; `names` are datasets by manifest digest."""
        for spec in self.plan.fits.values():
            for dataset, masks in (spec.masks or {}).items():
                build_masks(
                    self.manifests[names[dataset]],
                    masks,
                    spec.train.image_size,
                    self.store,
                    workers=self.cores,
                    progress=self._progress,
                )

    def _sizes_of(self, cell: str) -> tuple[int, ...]:
        if not hasattr(self, "_sizes"):
            self._sizes = {
                item.name: sizes_read(self.plan.fits[item.fit])
                for item in self.plan.cells
                if item.fit is not None
            }
        return self._sizes[cell]

    def make_features(self) -> str:
        """Features of frozen backbones, once for all fits that share them."""
        # What starts from another fit, or sees what it makes, is encoded when that fit exists.
        pending = {
            name: spec
            for name, spec in self.pending.items()
            if spec.stored_features and spec.model.weights.kind != "fit" and spec.pixels is None
        }
        if not pending:
            return "nothing to compute"
        from skinbench.learn.features import build_features, feature_digest, feature_views

        wanted: dict[str, list[str]] = {}
        sources: dict[str, tuple[FitSpec, str, str]] = {}
        for name, spec in pending.items():
            for dataset, view in itertools.product(spec.datasets, feature_views(spec)):
                digest = feature_digest(spec, dataset, view)
                wanted.setdefault(digest, []).append(name)
                sources[digest] = (spec, dataset, view)
        made = 0
        for digest, (spec, dataset, view) in sources.items():
            if self.store.has("features", digest):
                continue
            made += 1
            build = functools.partial(
                build_features,
                spec,
                dataset,
                self.store,
                weights=self.weights,
                workers=self.cores,
                progress=self._progress,
                view=view,
            )
            try:
                self._riding_out(build)
            except SkinbenchError as error:
                for name in wanted[digest]:
                    self._fail(name, f"features of {spec.model.name}: {error}")
        return f"{counted(len(sources), 'store')}, {made} computed"

    def train(self, *, max_concurrent: int | None, fail_fast: bool) -> dict[str, FitRecord]:
        """Train what is pending, in waves; a record for every fit of the plan."""
        taken = self._take_over()
        needs = {node.name: node.needs for node in self.plan.nodes}
        if not taken and all(self._done(f"fit:{name}") for name in self.plan.fits):
            exist = (
                "the fit exists"
                if len(self.records) == 1
                else f"all {len(self.records)} fits exist"
            )
            self.listener(Event(kind="note", detail=f"{exist} already"))
        while self.pending:
            self._block(needs)
            ready = {
                name: spec
                for name, spec in self.pending.items()
                if all(self._done(need) for need in needs[f"fit:{name}"])
            }
            if not ready:
                break
            ready = self._with_pixels(ready)
            self._wave(ready, max_concurrent=max_concurrent, fail_fast=fail_fast)
        return {name: self.records[name] for name in self.plan.fits}

    def tidy(self) -> None:
        """Remove what finished fits kept of their epochs, where a fault came between."""
        for name, record in self.records.items():
            if record.status == "done":
                shutil.rmtree(self.store.work_path("fits", name), ignore_errors=True)

    def _with_pixels(self, ready: Mapping[str, FitSpec]) -> dict[str, FitSpec]:
        """Fits whose pixels exist, those made first that other fits take part in."""
        if all(spec.pixels is None for spec in ready.values()):
            return dict(ready)
        from skinbench.learn.made import build_seen

        for name, spec in ready.items():
            try:
                for digest in spec.datasets.values():
                    build = functools.partial(build_seen, spec, digest, self.store)
                    self._riding_out(
                        functools.partial(build, weights=self.weights, progress=self._progress)
                    )
            except SkinbenchError as error:
                self._fail(name, f"pixels of {self.titles[name]}: {error}")
        return {name: spec for name, spec in ready.items() if name not in self.records}

    def _take_over(self) -> bool:
        """Models trained elsewhere, from their files: seconds each, in this process.

        Returns:
            Whether there were any.
        """
        there = {n: spec for n, spec in self.pending.items() if spec.model.trained is not None}
        if not there:
            return False
        for name in there:
            self.listener(Event(kind="queued", name=self.titles[name], fit=name))
        from skinbench.learn.fit import train_fits

        for record in train_fits(
            there, self.store, weights=self.weights, on_epoch=lambda *_: None
        ).values():
            self.records[record.fit_id] = record
            self.listener(
                Event(
                    kind="fit",
                    name=self.titles[record.fit_id],
                    fit=record.fit_id,
                    status=record.status,
                    detail=record.error,
                    seconds=record.seconds,
                )
            )
        return True

    def _wave(
        self, ready: Mapping[str, FitSpec], *, max_concurrent: int | None, fail_fast: bool
    ) -> None:
        if not ready:
            return
        for name, spec in ready.items():
            event = Event(kind="queued", name=self.titles[name], fit=name, epochs=spec.train.epochs)
            self.listener(event)
        request = TrialRequest(
            specs=ready,
            weights=self.weights,
            demands=demands_of(ready, self.titles, self.asked),
            titles=self.titles,
            max_concurrent=max_concurrent or self.workers,
            fail_fast=fail_fast,
        )
        n_images = {split.digest: len(split.table) // split.folds for split in self.splits.values()}
        counts = {name: n_images[spec.split] for name, spec in ready.items()}
        records = run_trials(request, counts, self.store, self.session, self.listener)
        for name in ready:
            if name not in records:  # trained, but its last report was lost with its worker
                path = self.store.open("fits", name) / "record.json"
                records[name] = read_record(path, FitRecord)
        self.records.update(records)

    def _done(self, need: str) -> bool:
        kind, _, name = need.partition(":")
        return kind != "fit" or (name in self.records and self.records[name].status == "done")

    def _block(self, needs: Mapping[str, tuple[str, ...]]) -> None:
        """Mark every pending fit below a failed one, however deep."""
        changed = True
        while changed:
            changed = False
            for name in self.pending:
                for need in needs[f"fit:{name}"]:
                    kind, _, needed = need.partition(":")
                    if kind == "fit" and needed in self.records and not self._done(need):
                        reason = f"needs {self.titles[needed]}, which {_what(self.records[needed])}"
                        self._fail(name, reason, status="blocked")
                        changed = True
                        break

    def _fail(self, name: str, reason: str, *, status: str = "failed") -> None:
        record = FitRecord(
            fit_id=name, status="blocked" if status == "blocked" else "failed", error=reason
        )
        self.records[name] = record
        self.listener(
            Event(kind="fit", name=self.titles[name], fit=name, status=record.status, detail=reason)
        )

    def _riding_out(self, build: Callable[[], object]) -> None:
        """Build something in the store, which may not answer for a while."""
        ride_out(build, self.store, lambda text: self.listener(Event(kind="note", detail=text)))

    def _progress(self, what: str, done: int, total: int) -> None:
        self.listener(Event(kind="progress", name=what, done=done, total=total))


def _what(record: FitRecord) -> str:
    return "failed" if record.status == "failed" else "was blocked"
