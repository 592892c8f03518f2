"""Where the numbers come from: the data, the splits and their audit, how the run was made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from skinbench.records import DatasetInfo
from skinbench.report import audit_tables, facts, numbers
from skinbench.report.content import Content
from skinbench.report.tables import Table, filled


@dataclass(frozen=True, kw_only=True)
class DatasetPart:
    """One dataset: what it is and whose it is."""

    name: str
    info: DatasetInfo
    homepage: str
    """Empty unless it is a web address."""
    facts: str


@dataclass(frozen=True, kw_only=True)
class DataPart:
    """The data, how they were split, and what the audit found."""

    datasets: tuple[DatasetPart, ...]
    notes: tuple[str, ...]
    cleaning: Table | None
    splits: Table | None
    audited: bool
    audit: Table | None
    recognition: Table | None
    looked_for: tuple[str, ...]
    not_looked_for: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MadePart:
    """How the run was made."""

    notes: tuple[str, ...]
    stages: Table | None
    fits: Table | None
    environment: Table
    digests: tuple[tuple[str, str], ...]
    suite_text: str


def data_part(content: Content) -> DataPart:
    """Lay out the data of a run."""
    audit = content.audit
    classes = list(dict.fromkeys(code for row in content.rows for code in row.classes))
    return DataPart(
        datasets=_datasets(content),
        notes=tuple(facts.data_notes(content)),
        cleaning=filled(facts.cleaning_table(content.datasets)),
        splits=filled(facts.split_table(content.splits, classes)),
        audited=audit is not None,
        audit=filled(audit_tables.audit_table(audit, content.splits)) if audit else None,
        recognition=filled(audit_tables.recognition_table(audit, content.splits))
        if audit
        else None,
        looked_for=_one_lines(audit.looked_for if audit else ()),
        not_looked_for=_one_lines(audit.not_looked_for if audit else ()),
    )


def made_part(content: Content) -> MadePart:
    """Lay out times, fits, environment and the suite of a run."""
    return MadePart(
        notes=_one_lines(content.run.notes),
        stages=filled(facts.stages_table(content.run)),
        fits=filled(facts.fits_table(content)),
        environment=facts.environment_table(content.run),
        digests=_digests(content),
        suite_text=numbers.lines(content.suite_text),
    )


def _one_lines(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(numbers.one_line(value) for value in values)


def _datasets(content: Content) -> tuple[DatasetPart, ...]:
    parts = []
    for name, item in content.datasets.items():
        counted = [f"adapter {item.adapter}"]
        if item.images is not None:
            counted.append(numbers.counted(item.images, "image"))
        if item.groups is not None:
            counted.append(numbers.counted(item.groups, "lesion group"))
        counted.append(f"{len(item.label_space.classes)} classes ({item.label_space.name})")
        homepage = numbers.one_line(item.info.homepage)
        parts.append(
            DatasetPart(
                name=numbers.one_line(name),
                info=item.info,
                homepage=homepage if homepage.startswith(("https://", "http://")) else "",
                facts=numbers.one_line(", ".join(counted)),
            )
        )
    return tuple(parts)


def _digests(content: Content) -> tuple[tuple[str, str], ...]:
    found = [(f"data {name}", digest) for name, digest in content.scorecard.datasets.items()]
    found += [(f"split {name}", digest) for name, digest in content.scorecard.splits.items()]
    return tuple((numbers.one_line(name), numbers.one_line(digest)) for name, digest in found)
