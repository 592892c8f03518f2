"""From a suite and its data to rows, cells and evaluations.

Nothing is computed here and no network is built: a plan costs a second, on any machine.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skinbench import registry
from skinbench.data.fields import check_fields_of
from skinbench.data.lesion_masks import Digests
from skinbench.errors import UsageError, counted
from skinbench.plan.classes import check_classes
from skinbench.plan.elsewhere import elsewhere_note, with_judged_pixels
from skinbench.plan.fits import PLAIN_MODELS, FitMaker
from skinbench.plan.graph import make_nodes
from skinbench.plan.judging import Judging
from skinbench.plan.networks import network_problem
from skinbench.plan.remarks import borrowed_notes, protocol_notes, unused_seeds
from skinbench.plan.searching import search_note, search_task
from skinbench.plan.segmenting import segmentation_row
from skinbench.plan.specs import listed
from skinbench.records import (
    Cell,
    DerivedCell,
    Evaluation,
    Exclusion,
    Manifest,
    ModelEntry,
    Plan,
    Row,
    SearchResult,
    SearchTask,
    SplitTable,
)
from skinbench.suite import (
    RowSettings,
    Suite,
    SuiteRow,
    classifiers,
    derived_members,
    differences,
    each_claim,
    paper_of,
    segments,
)
from skinbench.suite.rows import plain


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A plan with what only this machine knows: where its weights files are."""

    plan: Plan
    weights: Mapping[str, Path] = field(default_factory=dict)
    """sha256 to file."""
    searches: tuple[tuple[SearchTask, SearchResult | None], ...] = ()
    """Searches of settings, with what they found where they were run. Until then a row's fits
    have the settings that it states."""

    @property
    def unsearched(self) -> tuple[SearchTask, ...]:
        """Searches that are still to be run."""
        return tuple(task for task, result in self.searches if result is None)


def make_plan(
    suite: Suite,
    manifests: Mapping[str, Manifest],
    splits: Mapping[str, SplitTable],
    digest_of: Callable[[Path], str],
    found: Callable[[str], SearchResult | None] = lambda _: None,
    digests_of: Digests | None = None,
) -> Planned:
    """Lay out everything that a suite amounts to.

    Args:
        suite: the checked suite.
        manifests: by key under `data:`.
        splits: by key under `splits:`, after the leak policy; `<split>@<dataset>` for each
            further test set under `evaluate:`.
        digest_of: sha256 of a weights file.
        found: what a search of settings found, by its digest; None where it was not run.
        digests_of: sha256 of many files, remembered under a name; None: one by one.

    Raises:
        SuiteError: a row cannot be: its labels cannot be judged on its test, its input asks
            for a column that gives the label away, its warm starts form a circle.
    """
    maker = FitMaker(suite, manifests, splits, digest_of, digests_of)
    planner = _Planner(suite, manifests, splits, maker)
    searches = planner.searches(found)
    rows = planner.rows()
    cells = planner.cells(rows)
    derived = planner.derived_cells(rows, cells)
    segmentations = planner.segmentations()
    segmentation_cells = planner.cells(segmentations)
    evaluations = tuple(planner.evaluations(rows, cells))
    nodes = make_nodes(maker.fits, [*cells, *segmentation_cells], derived, splits)
    plan = Plan(
        suite=suite.name,
        rows=tuple(rows),
        cells=tuple(cells),
        derived=tuple(derived),
        fits=maker.fits,
        evaluations=evaluations,
        nodes=with_judged_pixels(nodes, maker.fits, cells, evaluations, manifests),
        segmentations=tuple(segmentations),
        segmentation_cells=tuple(segmentation_cells),
        exclusions=tuple(Exclusion(row=item.name, reason=item.reason) for item in suite.excluded),
    )
    check_classes(suite, plan)
    return Planned(plan=plan, weights=maker.weights, searches=tuple(searches))


class _Planner:
    """Walks the rows of a suite; the fits that they need are made by `maker`."""

    def __init__(
        self,
        suite: Suite,
        manifests: Mapping[str, Manifest],
        splits: Mapping[str, SplitTable],
        maker: FitMaker,
    ) -> None:
        self.suite, self.manifests, self.splits, self.maker = suite, manifests, splits, maker
        self.judging = Judging(suite, manifests)
        self._searches: list[tuple[SearchTask, SearchResult | None]] = []

    def searches(
        self, found: Callable[[str], SearchResult | None]
    ) -> list[tuple[SearchTask, SearchResult | None]]:
        """Each search of settings; what it chose is taken for the row's fits of that fold."""
        for row in self.suite.rows:
            if row.settings.search is None or segments(row):
                continue
            self._check_search(row)
            for fold in range(self.splits[str(row.settings.split)].folds):
                task = search_task(self.maker, row, fold)
                result = found(task.digest)
                self._searches.append((task, result))
                if result is not None:
                    values = result.trials[result.chosen].values
                    self.maker.chosen[row.name, fold] = values
        return self._searches

    def _check_search(self, row: SuiteRow) -> None:
        assert row.settings.model is not None
        split, problem = self.splits[str(row.settings.split)], ""
        entry = registry.models.get(row.settings.model.name)
        self._check_settings(row, entry)
        if entry.kind == "plain" or row.settings.model.trained is not None:
            problem = f"'{row.settings.model.name}' is not trained: leave `search` out"
        elif row.settings.pixels is not None:
            problem = (
                f"it runs before all fits, and the row needs '{row.settings.pixels.row}' first; "
                f"search without `pixels`, then state what was found"
            )
        elif not (split.table["split"] == "val").any():
            problem = f"a search chooses by val, and split '{split.name}' has none"
        if problem:
            raise self.suite.document.error(problem, row.place(self.suite.document, "search"))

    def _search_notes(self, row: SuiteRow) -> list[str]:
        folds = self.splits[str(row.settings.split)].folds
        return [
            search_note(task, result, folds)
            for task, result in self._searches
            if task.row == row.name
        ]

    def rows(self) -> list[Row]:
        """Declared rows, the baselines of each split in use, derived rows, and their twins."""
        rows = [self._row(row) for row in self.suite.rows if not segments(row)]
        if self.suite.file.baselines:
            for split in dict.fromkeys(row.split for row in rows):
                rows += [self._plain_row(name, split) for name in PLAIN_MODELS]
        by_name = {row.name: row for row in rows}
        for name in self.suite.file.derived:
            rows.append(self._derived_row(name, by_name))
            by_name[name] = rows[-1]
        return rows + self.judging.rows_in_other_spaces(rows)

    def segmentations(self) -> list[Row]:
        """Rows that find lesions."""
        return [
            segmentation_row(row, self.suite.document) for row in self.suite.rows if segments(row)
        ]

    def cells(self, rows: Sequence[Row]) -> list[Cell]:
        """Every fit row at each fold and seed."""
        cells = []
        for row in rows:
            if row.kind == "derived":
                continue
            folds, seeds = range(self.splits[row.split].folds), self._seeds(row)
            for fold, seed in itertools.product(folds, seeds):
                fit = self.maker.fit(row.of or row.name, fold, seed)
                cells.append(Cell(row=row.name, fold=fold, seed=seed, fit=fit))
        return cells

    def derived_cells(self, rows: Sequence[Row], cells: list[Cell]) -> list[DerivedCell]:
        """One derived cell for each fold and seed that all members have."""
        found: list[DerivedCell] = []
        by_row: dict[str, list[Cell]] = {}
        for cell in cells:
            by_row.setdefault(cell.row, []).append(cell)
        for row in (row for row in rows if row.kind == "derived"):
            members = [str(name) for name in listed(row.settings["of"])]
            shared = set.intersection(
                *({(c.fold, c.seed) for c in by_row[member]} for member in members)
            )
            if not shared:
                key = ("derived", row.name, "of")
                raise self.suite.document.error("its rows share no fold and seed", key)
            for fold, seed in sorted(shared):
                cell = Cell(row=row.name, fold=fold, seed=seed, fit=None)
                item = self.suite.file.derived[row.of or row.name]
                entry = registry.derived.get(item.kind)
                found.append(
                    DerivedCell(
                        cell=cell,
                        kind=item.kind,
                        options={**entry.options, **item.options},
                        members=tuple(sorted(f"{m}@{fold}.{seed}" for m in members)),
                    )
                )
                by_row.setdefault(row.name, []).append(cell)
        return found

    def evaluations(self, rows: Sequence[Row], cells: Sequence[Cell]) -> list[Evaluation]:
        """Each cell on its own test, then what `evaluate:` adds."""
        by_name = {row.name: row for row in rows}
        found = []
        for cell in cells:
            row = by_name[cell.row]
            found += self.judging.evaluations(row, by_name[row.of or row.name], cell.name)
        return found

    # --- rows ---

    def _row(self, row: SuiteRow) -> Row:
        settings = row.settings
        model = settings.model
        assert model is not None
        entry = registry.models.get(model.name)
        self._check_settings(row, entry)
        judged = self.judging.own(str(settings.split), row)
        first = self.maker.fits[
            self.maker.fit(row.name, 0, 0 if model.trained else settings.seeds[0])
        ]
        notes: tuple[str, ...] = ()
        if model.trained is not None:
            notes = (elsewhere_note(model.trained, first.model.weights.digest),)
        return Row(
            name=row.name,
            kind="fit",
            model=model.label or model.name,
            input=_input_name(settings, entry),
            technique=_technique(settings),
            split=str(settings.split),
            label_space=judged.target.name,
            classes=judged.target.classes,
            notes=(
                *judged.notes,
                *notes,
                *protocol_notes(settings, first),
                *borrowed_notes(settings, self.maker.rows),
                *self._search_notes(row),
            ),
            settings=plain(settings),
            claims=tuple(plain(claim) for claim in row.claims),
            paper=row.paper,
            differences=self._differences(row),
        )

    def _differences(self, row: SuiteRow) -> tuple[str, ...]:
        """What stands between the row and its source: derived where it can be, else stated."""
        derived: tuple[str, ...] = ()
        if row.protocol is not None:
            split = self.suite.file.splits[str(row.settings.split)]
            derived = differences(row.settings, split, row.protocol)
        return (*derived, *row.stated)

    def _check_settings(self, row: SuiteRow, entry: ModelEntry) -> None:
        settings = row.settings
        assert settings.model is not None
        learnt = self.maker.train_manifest(str(settings.split)).label_space
        try:
            place = network_problem(settings, settings.model, entry, learnt)
        except UsageError as error:  # the labels of a model trained elsewhere
            key = row.place(self.suite.document, "model", "trained", "labels")
            raise self.suite.document.error(str(error), key) from error
        if place is not None:
            raise self.suite.document.error(
                place.problem, row.place(self.suite.document, *place.key)
            )
        input_ = registry.inputs.get(settings.input.name)
        fields = {**input_.options, **settings.input.options}.get("fields")
        if input_.uses_metadata and fields is not None:
            train = self.maker.train_manifest(str(settings.split))
            others = [self.manifests[name] for name in self.judging.datasets(row)]
            try:
                check_fields_of([str(item) for item in listed(fields)], train, others)
            except UsageError as error:
                key = row.place(self.suite.document, "input", "options", "fields")
                raise self.suite.document.error(str(error), key) from error

    def _plain_row(self, model: str, split: str) -> Row:
        judged = self.judging.own(split)
        return Row(
            name=f"baseline/{split}/{model}",
            kind="plain",
            model=model,
            input="-",
            technique="-",
            split=split,
            label_space=judged.target.name,
            classes=judged.target.classes,
            notes=judged.notes,
            settings={"seeds": [0]},
        )

    def _derived_row(self, name: str, rows: Mapping[str, Row]) -> Row:
        item = self.suite.file.derived[name]
        names = classifiers(self.suite.rows)
        members = sorted(derived_members(self.suite.file, names, name))
        first = rows[members[0]]
        for member in members[1:]:
            if (rows[member].split, rows[member].classes) != (first.split, first.classes):
                message = f"'{member}' and '{members[0]}' differ in split or classes"
                raise self.suite.document.error(message, ("derived", name, "of"))
        wanted = registry.derived.get(item.kind).members
        if wanted is not None and len(members) != wanted:
            message = f"'{item.kind}' is made of {counted(wanted, 'row')}, not {len(members)}"
            raise self.suite.document.error(message, ("derived", name, "of"))
        has_val = (self.splits[first.split].table["split"] == "val").any()
        if registry.derived.get(item.kind).learn is not None and not has_val:
            message = f"'{item.kind}' is fitted on val, and split '{first.split}' has none"
            raise self.suite.document.error(message, ("derived", name, "kind"))
        inherited = [text for member in members for text in rows[member].differences]
        fitted = {m: self._seeds(rows[m]) for m in members if rows[m].kind != "derived"}
        return Row(
            name=name,
            kind="derived",
            model=item.kind,
            input=counted(len(members), "row"),
            technique="-",
            split=first.split,
            label_space=first.label_space,
            classes=first.classes,
            notes=(*first.notes, *unused_seeds(fitted)),
            settings={"of": members, "kind": item.kind, "options": item.options},
            claims=tuple(plain(claim) for _, claim in each_claim(item.claims)),
            paper=paper_of(self.suite.file, name),
            differences=tuple(dict.fromkeys([*inherited, *item.differences])),
        )

    def _seeds(self, row: Row) -> list[int]:
        model = row.settings.get("model")
        if isinstance(model, Mapping) and model.get("trained") is not None:
            return [0]  # the same fit, whatever the seed
        return [int(str(seed)) for seed in listed(row.settings["seeds"])]


def _input_name(settings: RowSettings, entry: ModelEntry) -> str:
    """`image`, or with what it is made of: `image, cam_overlay`."""
    name = "-" if entry.kind == "plain" else settings.input.label or settings.input.name
    made = settings.pixels
    return name if made is None else f"{name}, {made.label or made.name}"


def _technique(settings: RowSettings) -> str:
    chosen = settings.technique
    if settings.model is not None and settings.model.trained is not None:
        return "-"
    return chosen.label or " + ".join(item.label or item.name for item in chosen.all)
