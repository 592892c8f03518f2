"""What a run folder says, read once into records. Counts images; never computes a score."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow as pa

from skinbench.errors import CorruptObjectError
from skinbench.records import (
    AuditReport,
    CaseFile,
    CleaningFinding,
    DatasetInfo,
    FitRecord,
    LabelSpace,
    Pace,
    Plan,
    Row,
    Scorecard,
    SeenCount,
    Verdict,
)
from skinbench.report.cases_read import read_cases
from skinbench.store import RunFolder, from_plain, private_data, read_json, read_record
from skinbench.store.parquet import parquet_columns, read_parquet_table

T = TypeVar("T")
SPLIT_ORDER = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class StageTime:
    """One stage of a run."""

    name: str
    seconds: float
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The machine and the packages that made the numbers."""

    python: str = ""
    platform: str = ""
    cores: int | None = None
    memory_bytes: int | None = None
    gpus: tuple[object, ...] = ()
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Which engine predicted, and by what rule it was chosen."""

    name: str = ""
    rule: str = ""


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """run.json: everything about a run that is no score."""

    schema: int = 1
    suite: str = ""
    version: str = ""
    commit: str = ""
    """Of the repository that the run was started for, where CI names one."""
    command: str = ""
    """The command that makes this run again."""
    continue_: str = ""
    """The command that continues it."""
    started: str = ""
    seconds: float | None = None
    stages: tuple[StageTime, ...] = ()
    environment: Environment = field(default_factory=Environment)
    engine: Engine = field(default_factory=Engine)
    reduced: Mapping[str, str] = field(default_factory=dict)
    """Row to why it was run on less than the suite names."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DatasetFacts:
    """manifests/<data>.json, and what its table tells."""

    name: str
    adapter: str
    info: DatasetInfo
    label_space: LabelSpace
    findings: tuple[CleaningFinding, ...] = ()
    digest: str = ""
    images: int | None = None
    groups: int | None = None
    has_patients: bool | None = None
    """Whether any image names its patient; None where the table is absent."""


@dataclass(frozen=True, kw_only=True)
class SplitCount:
    """Images of one dataset in one split of one fold."""

    split: str
    fold: int
    dataset: str
    images: int
    copies: int
    """Sum of the sampler counts: more than `images` where rows are repeated."""
    groups: int | None = None
    """Lesion groups; None where the manifest's table is absent."""
    per_class: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SplitFacts:
    """One split table, counted."""

    name: str
    digest: str
    counts: tuple[SplitCount, ...]
    group: str = ""
    notes: tuple[str, ...] = ()
    fold_names: tuple[str, ...] = ()
    """What each fold leaves out, where folds are sources."""

    def fold_name(self, fold: int) -> str:
        """A fold as it is printed: its source, else its number."""
        return self.fold_names[fold] if fold < len(self.fold_names) else str(fold)


@dataclass(frozen=True, kw_only=True)
class Content:
    """All that a report shows, as read from a run folder."""

    root: Path
    suite_text: str
    scorecard: Scorecard
    rows: tuple[Row, ...]
    plan: Plan | None
    audit: AuditReport | None
    run: RunFacts
    datasets: Mapping[str, DatasetFacts]
    splits: Mapping[str, SplitFacts]
    fits: Mapping[str, FitRecord]
    cases: CaseFile
    verdict: Verdict | None
    seen: tuple[SeenCount, ...] = ()
    paces: Mapping[str, Pace] = field(default_factory=dict)
    """By fit, of those that were timed."""
    private: frozenset[str] = frozenset()
    """Datasets of which nothing but numbers and salted ids is shown."""
    salt: str = field(default="", repr=False)
    """What their ids are salted with; empty where none is private."""

    @property
    def title(self) -> str:
        """The suite's name."""
        return self.scorecard.suite or self.run.suite


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """seen.json."""

    counts: tuple[SeenCount, ...]


@dataclass(frozen=True, kw_only=True)
class _Paces:
    """paces.json."""

    paces: tuple[Pace, ...]


def read_content(folder: RunFolder) -> Content:
    """Read a run folder; only scorecard.json has to be there.

    Raises:
        StoreError: there is no scorecard.json.
        CorruptObjectError: a file is not what its name says.
    """
    scorecard = read_record(folder.scorecard, Scorecard)
    datasets, tables = _read_datasets(folder, scorecard)
    cases = CaseFile(method="")
    if folder.cases.exists():
        cases = _checked(folder.cases, read_cases)
    return Content(
        root=folder.root,
        suite_text=folder.suite.read_text("utf-8") if folder.suite.exists() else "",
        scorecard=scorecard,
        rows=from_plain(tuple[Row, ...], list(scorecard.rows)),
        plan=_optional(folder.plan, Plan),
        audit=_optional(folder.audit, AuditReport),
        run=read_run_facts(folder),
        datasets=datasets,
        splits=_read_splits(folder, scorecard, tables),
        fits=read_fits(folder),
        cases=cases,
        verdict=_optional(folder.verdict, Verdict),
        seen=_checked(folder.seen, lambda plain: from_plain(_Seen, plain).counts)
        if folder.seen.exists()
        else (),
        paces=read_paces(folder),
        private=private_data(folder),
    )


def read_run_facts(folder: RunFolder) -> RunFacts:
    """run.json, or nothing known where it is absent."""
    if not folder.run.exists():
        return RunFacts()
    return _checked(folder.run, _run_facts)


def _run_facts(plain: Mapping[str, object]) -> RunFacts:
    renamed = {"continue_" if key == "continue" else key: item for key, item in plain.items()}
    return from_plain(RunFacts, renamed)


def read_fits(folder: RunFolder) -> dict[str, FitRecord]:
    """Fit id to what came of it, for every fit of the folder."""
    return {
        path.stem: _checked(path, lambda plain: from_plain(FitRecord, plain["record"]))
        for path in sorted(folder.fits.glob("*.json"))
    }


def read_paces(folder: RunFolder) -> dict[str, Pace]:
    """Fit id to how fast it predicted, for every fit that the run has timed."""
    if not folder.paces.exists():  # of an older version
        return {}
    found = _checked(folder.paces, lambda plain: from_plain(_Paces, plain).paces)
    return {pace.fit: pace for pace in found}


def read_label_spaces(folder: RunFolder) -> dict[str, LabelSpace]:
    """Dataset name to label space, for every manifest of the folder."""
    found = {}
    for path in sorted(folder.manifests.glob("*.json")):
        found[path.stem] = _checked(
            path, lambda plain: from_plain(LabelSpace, plain["label_space"])
        )
    return found


def _optional(path: Path, kind: type[T]) -> T | None:
    return read_record(path, kind) if path.exists() else None


def _checked(path: Path, read: Callable[[Mapping[str, object]], T]) -> T:
    try:
        return read(read_json(path))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorruptObjectError(
            f"{path} is not as skinbench writes it: {detail}; run the suite again to renew it"
        ) from error


def _read_datasets(
    folder: RunFolder, scorecard: Scorecard
) -> tuple[dict[str, DatasetFacts], dict[str, pd.DataFrame]]:
    facts, tables = {}, {}
    for path in sorted(folder.manifests.glob("*.json")):
        read = _checked(path, lambda plain: from_plain(DatasetFacts, plain))
        table = _read_table(folder.manifest(path.stem), ("image_id", "label", "group_id"))
        if table is not None:
            tables[path.stem] = table
            read = _counted(read, table)
        facts[path.stem] = read
    known = list(scorecard.datasets)
    ordered = sorted(facts, key=lambda name: known.index(name) if name in known else len(known))
    return {name: facts[name] for name in ordered}, tables


def _counted(facts: DatasetFacts, table: pd.DataFrame) -> DatasetFacts:
    patients = table["patient_id"].notna().any() if "patient_id" in table else False
    return dataclasses.replace(
        facts,
        images=len(table),
        groups=int(table["group_id"].nunique()),
        has_patients=bool(patients),
    )


def _read_table(path: Path, needed: tuple[str, ...]) -> pd.DataFrame | None:
    if not path.exists():
        return None
    try:
        names = set(parquet_columns(path))
        columns = [name for name in (*needed, "patient_id") if name in names]
        table: pd.DataFrame = read_parquet_table(path, columns).to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise CorruptObjectError(
            f"{path} cannot be read: {error}; run the suite again to renew it"
        ) from error
    if missing := sorted(set(needed) - names):
        raise CorruptObjectError(f"{path} has no column {', '.join(missing)}")
    return table


def _read_splits(
    folder: RunFolder, scorecard: Scorecard, manifests: Mapping[str, pd.DataFrame]
) -> dict[str, SplitFacts]:
    facts = {}
    for name in dict.fromkeys([*scorecard.splits, *_stems(folder.splits)]):
        path = folder.split(name)
        needed = ("image_id", "dataset", "fold", "split", "copies")
        table = _read_table(path, needed)
        beside = path.with_suffix(".json")
        said = _checked(beside, _said_of_split) if beside.exists() else _SplitSaid()
        facts[name] = SplitFacts(
            name=name,
            digest=scorecard.splits.get(name, ""),
            counts=() if table is None else _count_split(table, manifests),
            group=said.group,
            notes=said.notes,
            fold_names=said.fold_names,
        )
    return facts


def _stems(path: Path) -> list[str]:
    return sorted(item.stem for item in path.glob("*.parquet"))


@dataclass(frozen=True, kw_only=True)
class _SplitSaid:
    """What the JSON beside a split table says."""

    group: str = ""
    notes: tuple[str, ...] = ()
    fold_names: tuple[str, ...] = ()


def _said_of_split(plain: Mapping[str, object]) -> _SplitSaid:
    return from_plain(_SplitSaid, plain)


def _count_split(
    table: pd.DataFrame, manifests: Mapping[str, pd.DataFrame]
) -> tuple[SplitCount, ...]:
    order = {name: index for index, name in enumerate(SPLIT_ORDER)}
    found = []
    for key, part in table.groupby(["fold", "split", "dataset"], sort=True):
        fold, split, dataset = int(str(key[0])), str(key[1]), str(key[2])
        groups, per_class = None, {}
        if dataset in manifests:
            merged = part.merge(manifests[dataset], on="image_id", how="left")
            groups = int(merged["group_id"].nunique())
            labels = merged["label"].dropna().value_counts()
            per_class = {str(code): int(labels[code]) for code in sorted(labels.index)}
        found.append(
            SplitCount(
                split=split,
                fold=fold,
                dataset=dataset,
                images=len(part),
                copies=int(part["copies"].sum()),
                groups=groups,
                per_class=per_class,
            )
        )
    found.sort(key=lambda item: (item.fold, order.get(item.split, 3), item.dataset))
    return tuple(found)
