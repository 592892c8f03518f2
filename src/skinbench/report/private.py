"""A report of private images: no picture of a patient, and no id as it is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from skinbench.records import (
    AuditReport,
    Case,
    CaseFile,
    CleaningFinding,
    HardImage,
    Manifest,
    Scorecard,
)
from skinbench.report.content import Content, DatasetFacts
from skinbench.store import (
    RunFolder,
    from_plain,
    needed_salt,
    private_data,
    shown_id,
    to_plain,
)
from skinbench.store.parquet import parquet_columns, read_parquet_table

T = TypeVar("T")


def hide(content: Content, private: Collection[str], salt: str) -> Content:
    """The content with salted ids and without pictures of some of its datasets.

    Done before anything is laid out, so that no part of a report can show what it does not get.

    Args:
        content: as read from the run folder.
        private: names of datasets.
        salt: the secret text.
    """
    names = frozenset(private)
    audit = content.audit
    return replace(
        content,
        scorecard=_scorecard(content.scorecard, names, salt),
        audit=None if audit is None else _audit(audit, salt),
        datasets=_datasets(content.datasets, names, salt),
        cases=_cases(content.cases, names, salt),
        private=content.private | names,
        salt=salt,
    )


class Names:
    """Everything that names an image, a lesion or a patient of private data, and its stand-in.

    Args:
        columns: name of a manifest's column, and what stands in it.
        salt: the secret text.
    """

    def __init__(self, columns: Iterable[tuple[str, Iterable[str]]], salt: str) -> None:
        self._known: dict[str, str] = {}
        for column, values in columns:
            for value in values:
                text = Path(value).stem if column == "path" else value
                self._known.setdefault(text, shown_id(text, salt, _NAMING[column]))
        self._long = {text: own for text, own in self._known.items() if len(text) >= _LEAST}
        self._odd = [text for text in self._long if not _WORD.fullmatch(text)]

    def hidden(self, text: str) -> str:
        """A finished text in which no such name is left, wherever it came from."""
        for name in self._odd:
            text = text.replace(name, self._long[name])
        return _WORD.sub(lambda word: self._long.get(word[0], word[0]), text)

    def record(self, value: T) -> T:
        """The same record with stand-ins in all of its texts."""
        return from_plain(type(value), self.plain(to_plain(value)))

    def plain(self, value: object, key: str = "") -> object:
        """The same of JSON values; `key` is what they stand under."""
        if isinstance(value, dict):
            return {name: self.plain(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self.plain(item, key) for item in value]
        if not isinstance(value, str):
            return value
        if key not in _OF_IDS:
            return self.hidden(value)
        words = _WORD.sub(lambda word: self._known.get(word[0], word[0]), value)
        return self._known.get(value, self.hidden(words))


def names_of(folder: RunFolder, salt: str | None = None) -> Names | None:
    """What a run folder keeps to itself; None where nothing in it is private.

    Raises:
        UsageError: something is, and no salt is given or set.
    """
    private = private_data(folder)
    return names_kept(folder, private, salt or needed_salt(private)) if private else None


def names_kept(folder: RunFolder, private: Collection[str], salt: str) -> Names:
    """What a run folder's files name, of some of its datasets."""
    return Names(_columns(folder, private), salt)


def names_in(manifests: Iterable[Manifest], salt: str) -> Names:
    """What datasets at hand name."""
    columns = (
        (name, map(str, item.table[name].dropna().unique()))
        for item in manifests
        for name in _NAMING
        if name in item.table
    )
    return Names(columns, salt)


def _columns(folder: RunFolder, private: Collection[str]) -> Iterator[tuple[str, Iterable[str]]]:
    for name in sorted(private):
        tables = [folder.manifest(name)]
        if not tables[0].exists():
            tables = sorted(folder.predictions.glob("*.parquet"))
        for table, column in itertools.product(tables, _NAMING):
            yield column, _column(table, column)


_LEAST = 5
"""Characters; a shorter id, such as 12, would be found in every table: only fields that hold ids
are looked at for those."""
_WORD = re.compile(r"\w(?:[\w\-]*\w)?")
_NAMING = {
    "image_id": "image",
    "path": "image",
    "group_id": "group",
    "lesion_id": "group",
    "patient_id": "patient",
}
"""Column of a manifest to the kind of id in it."""
_OF_IDS = frozenset({*_NAMING, "examples", "lesions", "partners"})
"""Fields of records that hold ids, which may be short ones."""


def _column(path: Path, name: str) -> list[str]:
    if not path.exists() or name not in parquet_columns(path):
        return []
    values = read_parquet_table(path, [name])[name].unique().to_pylist()
    return [str(value) for value in values if value]


def _cases(file: CaseFile, private: frozenset[str], salt: str) -> CaseFile:
    def hidden(case: Case) -> Case:
        answers = tuple(
            replace(answer, heat="", overlay="", heat_of_label="", overlay_of_label="", seen="")
            for answer in case.answers
        )
        return replace(
            case,
            image_id=shown_id(case.image_id, salt),
            group_id=shown_id(case.group_id, salt, "group"),
            thumbnail="",
            outlined="",
            outline=(),
            answers=answers,
        )

    return replace(
        file,
        sets=tuple(
            replace(one, cases=tuple(map(hidden, one.cases))) if one.dataset in private else one
            for one in file.sets
        ),
    )


def _scorecard(card: Scorecard, private: frozenset[str], salt: str) -> Scorecard:
    spots = card.weak_spots
    if spots is None:
        return card

    def hidden(images: tuple[HardImage, ...]) -> tuple[HardImage, ...]:
        return tuple(
            replace(
                image,
                image_id=shown_id(image.image_id, salt),
                group_id=shown_id(image.group_id, salt, "group"),
            )
            if image.dataset in private
            else image
            for image in images
        )

    agreed = tuple(replace(one, images=hidden(one.images)) for one in spots.against_label)
    return replace(
        card, weak_spots=replace(spots, hardest=hidden(spots.hardest), against_label=agreed)
    )


def _audit(audit: AuditReport, salt: str) -> AuditReport:
    """Ids of any dataset: a finding is of a split, which may hold several."""

    def all_hidden(ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(shown_id(item, salt) for item in ids)

    return replace(
        audit,
        findings=tuple(
            replace(item, examples=all_hidden(item.examples), partners=all_hidden(item.partners))
            for item in audit.findings
        ),
    )


def _datasets(
    datasets: Mapping[str, DatasetFacts], private: frozenset[str], salt: str
) -> dict[str, DatasetFacts]:
    def hidden(finding: CleaningFinding) -> CleaningFinding:
        items = tuple(shown_id(item, salt) for item in finding.items)
        return replace(finding, items=items)

    return {
        name: replace(facts, findings=tuple(map(hidden, facts.findings)))
        if name in private
        else facts
        for name, facts in datasets.items()
    }
