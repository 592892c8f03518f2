"""What a plan stands on: the manifests, splits and audit that a suite asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from skinbench.data.audit import KnownPairs, audit, enforce
from skinbench.data.diagnoses import AK_DEFAULT
from skinbench.data.further import further_split
from skinbench.data.grouping import Merged, merge_groups
from skinbench.data.manifest import DataRequest, Progress, publish_manifest, read_manifest
from skinbench.data.pairs import read_pairs
from skinbench.data.recognition import SIDE
from skinbench.data.resampling import resampling_notes
from skinbench.data.siblings import sibling_split
from skinbench.data.splits import by_source, cross, given, grouped, published
from skinbench.data.taxonomy import LabelRequest
from skinbench.records import AuditReport, CleaningPolicy, Manifest, Pair, SplitTable
from skinbench.store import Store
from skinbench.suite import Suite, classifiers, evaluated_rows
from skinbench.suite.source import Labels


def read_manifests(
    suite: Suite, store: Store, progress: Progress | None = None, *, pixels: bool = False
) -> dict[str, Manifest]:
    """Every dataset that the kept rows use, read and cleaned; stored by digest.

    Args:
        suite: the checked suite.
        store: gets the manifests, and remembers what was found in the files.
        progress: called as files are read.
        pixels: rows will be run: files that are decoded here are decoded for them, too.
    """
    used: dict[str, set[int]] = {}
    for row in suite.rows:
        split = suite.file.splits[str(row.settings.split)]
        further = [item.on for item in suite.file.evaluate if item.on]
        for name in (split.data, split.train, split.exclude, split.test, *further):
            if isinstance(name, str):
                used.setdefault(name, {SIDE}).add(row.settings.image_size)
    found = {}
    for name, source in suite.file.data.items():
        if name not in used:
            continue
        root = None
        if source.root is not None:
            root = suite.expand_path(source.root, ("data", name, "root"), progress)
        request = DataRequest(
            name=name,
            adapter=source.adapter,
            root=root,
            labels=_labels(source.labels),
            sample=source.sample,
            options=source.options,
            cleaning=CleaningPolicy(**source.cleaning.model_dump()),
        )
        sizes = sorted(used[name]) if pixels else ()
        found[name] = read_manifest(request, store, progress, sizes=sizes)
        publish_manifest(found[name], store)
    return found


def join_lesions(
    suite: Suite,
    manifests: Mapping[str, Manifest],
    detected: Sequence[Pair] = (),
    decided: Sequence[Pair] | None = None,
) -> Merged:
    """Manifests with the lesions joined that `audit.pairs`, or an audit, names as one.

    Splits, the audit and the groups of predictions go by these; the manifests on disk stay as
    they were read.

    Args:
        suite: the checked suite.
        manifests: by key under `data:`.
        detected: pairs that a search for near-duplicates is sure of; what the file decides
            stands above them.
        decided: what the file says, where it was read already.

    Raises:
        DataError: the file is not what it should be; names file and row.
    """
    named = decided_pairs(suite, manifests) if decided is None else decided
    return merge_groups(manifests, named, detected)


def _labels(labels: Labels | None) -> LabelRequest:
    if labels is None:
        return LabelRequest()
    space = tuple(labels.space) if isinstance(labels.space, list) else labels.space
    return LabelRequest(space=space, ak=labels.ak or AK_DEFAULT, unmapped=labels.unmapped)


def decided_pairs(suite: Suite, manifests: Mapping[str, Manifest]) -> tuple[Pair, ...]:
    """What `audit.pairs` says; nothing where the suite names no file.

    Raises:
        DataError: the file is not what it should be; names file and row.
    """
    if suite.file.audit.pairs is None:
        return ()
    path = suite.expand_path(suite.file.audit.pairs, ("audit", "pairs"))
    sampled = [name for name, source in suite.file.data.items() if source.sample is not None]
    others = [name for name in suite.file.data if name not in manifests]
    return read_pairs(path, manifests, others=others, sampled=sampled)


def split_and_audit(
    suite: Suite,
    manifests: Mapping[str, Manifest],
    *,
    enforce_leaks: bool = True,
    notes: Mapping[str, Sequence[str]] | None = None,
    known: KnownPairs | None = None,
    audited: Mapping[str, Manifest] | None = None,
) -> tuple[dict[str, SplitTable], AuditReport]:
    """Make every split in use, audit all, and apply each split's leakage policy.

    Args:
        suite: the checked suite.
        manifests: by key under `data:`, lesions joined.
        enforce_leaks: False only describes.
        notes: by dataset, for the reader of each split that uses it.
        known: near-duplicates that a search found, and pairs that a person decided.
        audited: manifests as read, so that joined lesions are told apart from given ones;
            `manifests` where None.

    Raises:
        LeakageError: splits share what they must not, and the suite says `error`.
    """
    made: dict[str, SplitTable] = {}
    policies: dict[str, str] = {}
    for name in dict.fromkeys(str(row.settings.split) for row in suite.rows):
        made[name] = _with_notes(_make_split(suite, name, manifests), notes or {})
        policies[name] = suite.file.splits[name].leakage or suite.file.leakage
    read = audited or manifests
    report = audit(made, read, policies, known)
    kept = enforce(report if enforce_leaks else _described(report), made, read, known)
    further = _further_splits(suite, kept, manifests)
    if further:
        # A further test set is judged by fits that exist: nothing can be dropped from train.
        more = {name: _further_policy(suite, name) for name in further}
        extra = audit(further, read, more, known)
        if enforce_leaks:
            enforce(extra, further, read, known)
        report = dataclasses.replace(
            report,
            findings=(*report.findings, *extra.findings),
            not_looked_for=tuple(dict.fromkeys((*report.not_looked_for, *extra.not_looked_for))),
            policies={**report.policies, **more},
        )
    return {**kept, **further}, report


def _described(report: AuditReport) -> AuditReport:
    """The same report with nothing refused: what is dropped is dropped all the same."""
    policies = {name: "keep" if p == "error" else p for name, p in report.policies.items()}
    return dataclasses.replace(report, policies=policies)


def _with_notes(split: SplitTable, notes: Mapping[str, Sequence[str]]) -> SplitTable:
    more = [note for name in split.table["dataset"].unique() for note in notes.get(name, ())]
    return dataclasses.replace(split, notes=(*split.notes, *dict.fromkeys(more)))


def _make_split(suite: Suite, name: str, manifests: Mapping[str, Manifest]) -> SplitTable:
    item = suite.file.splits[name]
    if item.train is not None:
        exclude = manifests[item.exclude] if item.exclude else None
        train, test = manifests[item.train], manifests[str(item.test)]
        return cross(
            name,
            train,
            test,
            exclude,
            group=item.group,
            val=item.val,
            seed=item.seed,
            without_lesion=item.without_lesion,
        )
    data = str(item.data)
    if item.file is not None:
        path = suite.expand_path(item.file, ("splits", name, "file"))
        return given(name, {data: manifests[data]}, path)
    if item.published:
        return published(name, manifests[data], suite.file.data[data].options)
    if item.siblings is not None:
        return sibling_split(
            name,
            manifests[data],
            siblings=item.siblings,
            test=float(item.test or 0),
            val=item.val,
            seed=item.seed,
        )
    if item.folds == "source":
        return by_source(
            name,
            manifests[data],
            group=item.group,
            val=item.val,
            seed=item.seed,
            without_lesion=item.without_lesion,
        )
    return grouped(
        name,
        manifests[data],
        group=item.group,
        test=float(item.test or 0.0),
        val=item.val,
        folds=item.folds or 1,
        seed=item.seed,
        without_lesion=item.without_lesion,
        oversample_first=item.oversample_first,
    )


def _further_splits(
    suite: Suite, splits: Mapping[str, SplitTable], manifests: Mapping[str, Manifest]
) -> dict[str, SplitTable]:
    found = {}
    names = classifiers(suite.rows)
    for item in suite.file.evaluate:
        asked = evaluated_rows(suite.file, names, item)
        for row in suite.rows:
            if item.on and row.name in asked:
                name = f"{row.settings.split}@{item.on}"
                base = splits[str(row.settings.split)]
                further = further_split(name, base, manifests[item.on])
                learnt = [manifests[data] for data in sorted(base.table["dataset"].unique())]
                told = [n for data in learnt for n in resampling_notes(data, manifests[item.on])]
                found[name] = dataclasses.replace(further, notes=(*further.notes, *told))
    return found


def _further_policy(suite: Suite, name: str) -> str:
    split = suite.file.splits[name.partition("@")[0]]
    policy = split.leakage or suite.file.leakage
    return "error" if policy == "drop" else policy
