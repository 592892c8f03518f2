"""In which label space each row is judged, and the rows that judge its fits in another one."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Mapping, Sequence

from skinbench import registry
from skinbench.data.spaces import SpaceMap, space_map
from skinbench.errors import UsageError
from skinbench.plan.elsewhere import learnt_space
from skinbench.records import Evaluation, LabelSpace, Manifest, Row
from skinbench.suite import Suite, SuiteRow, classifiers, evaluated_rows

Place = tuple[str, str, str]
"""Dataset, split and condition of an evaluation."""
Places = dict[Place, bool]
"""Whether a place is scored a second time with balanced classes."""


class Judging:
    """Knows the label spaces of a suite's splits and further test sets.

    A row is judged in the space of its own test set. A further test set in another space has a
    row of its own, `<row>@<space>`, which shares the fits and adds their probabilities up.

    Args:
        suite: the checked suite.
        manifests: by key under `data:`.
    """

    def __init__(self, suite: Suite, manifests: Mapping[str, Manifest]) -> None:
        self.suite, self.manifests = suite, manifests
        names = classifiers(suite.rows)
        self._asked = [
            (item, evaluated_rows(suite.file, names, item)) for item in suite.file.evaluate
        ]
        self._trained = {
            row.name: row.place(suite.document, "model", "trained", "labels")
            for row in suite.rows
            if row.settings.model is not None and row.settings.model.trained is not None
        }
        self._keys = {row.name: row.place(suite.document, "split") for row in suite.rows}

    def learnt(self, split: str, row: str = "") -> LabelSpace:
        """The label space of what a row's fits give; by default of what its split trains on."""
        return learnt_space(self.suite, self.manifests, split, row)

    def test_dataset(self, split: str) -> str:
        """The dataset whose images are a split's own test."""
        file = self.suite.file.splits[split]
        return file.test if isinstance(file.test, str) else str(file.data)

    def datasets(self, row: SuiteRow) -> list[str]:
        """Every dataset that a row is judged on: its split's, and further ones."""
        further = {item.on for item, asked in self._asked if item.on and row.name in asked}
        return sorted({self.test_dataset(str(row.settings.split)), *further})

    def own(self, split: str, row: SuiteRow | Row | None = None) -> SpaceMap:
        """How what a split trains on is judged on its own test.

        Raises:
            SuiteError: the labels of train cannot become those of test; says why.
        """
        return self._mapping(split, self.test_dataset(split), row)

    def _mapping(self, split: str, dataset: str, row: SuiteRow | Row | None) -> SpaceMap:
        name = (row.of or row.name) if isinstance(row, Row) else row.name if row else ""
        trained = self._trained.get(name)
        try:
            learnt, judged = self.learnt(split, name), self.manifests[dataset].label_space
            return space_map(learnt, judged)
        except UsageError as error:
            if trained is not None:
                message = f"cannot be judged on {dataset}: {error}"
                raise self.suite.document.error(message, trained) from error
            file = self.suite.file.splits[split]
            raise self.suite.document.error(
                f"trains on {file.train or file.data} ({learnt.name}) and is judged on {dataset} "
                f"({judged.name}): {error}; see `labels` of both",
                self._keys.get(name, ("splits", split)),
            ) from error

    def places(self, row: Row) -> dict[str, Places]:
        """Label space by name to the further places where a fit row is judged in it."""
        own = self.own(row.split, row).target
        found: dict[str, Places] = {}
        for item, asked in self._asked:
            splits = {r.settings.split for r in self.suite.rows if r.name in asked}
            # A baseline without a network goes where the rows beside it go.
            plain_too = row.kind == "plain" and row.split in splits
            if row.name in asked or (plain_too and fnmatch.fnmatchcase(row.name, item.rows)):
                dataset = item.on or self.test_dataset(row.split)
                split = f"{row.split}@{dataset}" if item.on else row.split
                space = self.manifests[dataset].label_space if item.on else own
                name = "" if _alike(space, own) else space.name
                there = found.setdefault(name, {})
                for condition in item.conditions:
                    if row.kind == "plain" and not _concerns(condition, row):
                        continue
                    place = (dataset, split, condition)
                    there[place] = there.get(place, False) or item.weighting is not None
        return found

    def rows_in_other_spaces(self, rows: Sequence[Row]) -> list[Row]:
        """One row for each row and each other label space that it is to be judged in.

        Raises:
            SuiteError: a label space cannot be reached from what the row learns, or two test
                sets have different lists of classes, or a row of that name exists.
        """
        made: dict[str, Row] = {}
        reached: dict[str, dict[str, Places]] = {}
        for row in rows:
            if row.kind == "derived":
                made.update(self._derived(row, reached, made))
                continue
            reached[row.name] = {k: v for k, v in self.places(row).items() if k}
            for name, places in reached[row.name].items():
                twin = self._twin(row, name, places)
                made[twin.name] = twin
        clash = sorted(set(made) & {row.name for row in rows})
        if clash:
            message = f"'{clash[0]}' is the name of a row in another label space; rename this one"
            raise self.suite.document.error(message, self._keys.get(clash[0], ("rows",)))
        return list(made.values())

    def _twin(self, row: Row, name: str, places: Places) -> Row:
        datasets = sorted({dataset for dataset, _, _ in places})
        maps = [self._mapping(row.split, dataset, row) for dataset in datasets]
        for other, mapping in zip(datasets[1:], maps[1:], strict=True):
            if not _alike(mapping.target, maps[0].target):
                message = (
                    f"{datasets[0]} and {other} have different lists of classes under `labels`"
                )
                raise self.suite.document.error(message, ("data", other))
        return dataclasses.replace(
            row,
            name=twin_name(row.name, name),
            of=row.name,
            label_space=name,
            classes=maps[0].target.classes,
            claims=(),
            differences=(),
            notes=(*maps[0].notes, *_other_notes(row, self.own(row.split, row))),
        )

    def _derived(
        self,
        row: Row,
        reached: dict[str, dict[str, Places]],
        made: Mapping[str, Row],
    ) -> dict[str, Row]:
        """Twins of a derived row, where all of its members have one with the same places."""
        of = row.settings["of"]
        members = [str(name) for name in of] if isinstance(of, list | tuple) else [str(of)]
        first = reached.get(members[0], {})
        reached[row.name] = {
            name: places
            for name, places in first.items()
            if all(reached.get(member, {}).get(name) == places for member in members)
        }
        twins = {}
        for name in reached[row.name]:
            twin = made[twin_name(members[0], name)]
            settings = {**row.settings, "of": [twin_name(member, name) for member in members]}
            made_row = dataclasses.replace(
                twin,
                name=twin_name(row.name, name),
                of=row.name,
                kind=row.kind,
                model=row.model,
                input=row.input,
                technique=row.technique,
                settings=settings,
            )
            twins[made_row.name] = made_row
        return twins

    def evaluations(self, row: Row, base: Row, cell: str) -> list[Evaluation]:
        """Where a cell of a fit row is judged: its own test first, then what `evaluate:` adds.

        A row in another space takes the further test sets of that space, and val: what is chosen
        on val is chosen in the space that is judged.
        """
        own = self.test_dataset(row.split)
        places = self.places(base).get(row.label_space if row.of else "", {})
        if not row.of:
            places = {(own, row.split, "none"): False, **places}
        views = _views(row)
        found = [
            Evaluation(
                cell=cell,
                dataset=dataset,
                split=split,
                condition=condition,
                balanced=balanced,
                views=views,
            )
            for (dataset, split, condition), balanced in places.items()
        ]
        if row.of:
            file = self.suite.file.splits[row.split]
            train = str(file.train or file.data)
            found.append(
                Evaluation(
                    cell=cell,
                    dataset=train,
                    split=row.split,
                    condition="none",
                    only="val",
                    views=views,
                )
            )
        return found


def _views(row: Row) -> tuple[str, ...]:
    """The row's test-time augmentation; one view as stored is none."""
    asked = row.settings.get("tta")
    views = tuple(str(name) for name in asked) if isinstance(asked, list | tuple) else ()
    return () if views == ("none",) else views


def _other_notes(row: Row, own: SpaceMap) -> tuple[str, ...]:
    """What a row's notes say beside how its own labels were joined."""
    return tuple(note for note in row.notes if note not in own.notes)


def twin_name(row: str, space: str) -> str:
    """`<row>@<space>`, in the letters that row names have."""
    return f"{row}@{space.replace('+', ',')}"


def _concerns(condition: str, row: Row) -> bool:
    """Whether a condition can change what a baseline says; missing metadata only where read."""
    if condition == "none" or registry.conditions.get(condition.partition("@")[0]).metadata is None:
        return True
    return registry.models.get(row.model).reads_metadata


def _alike(left: LabelSpace, right: LabelSpace) -> bool:
    return (left.classes, left.ak) == (right.classes, right.ak)
