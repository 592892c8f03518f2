"""The audit: what the splits of a split table share, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.leak_words import leaks, refusal, stamps
from skinbench.data.sharing import (
    KINDS,
    LOOKED_FOR,
    KnownPairs,
    contradictions,
    image_facts,
    incomparable,
    partners_of,
    sharing,
)
from skinbench.data.split_tables import sorted_rows, split_digest
from skinbench.errors import LeakageError, UsageError
from skinbench.records import AuditFinding, AuditReport, FindingKind, Manifest, SplitTable
from skinbench.records.data import SplitName

__all__ = ["KnownPairs", "audit", "enforce", "leaks", "refusal", "stamps"]

_PAIRS: tuple[tuple[SplitName, SplitName], ...] = (
    ("train", "test"),
    ("train", "val"),
    ("val", "test"),
)
_POLICIES = ("error", "drop", "keep")
_EXAMPLES = 20


def audit(
    splits: Mapping[str, SplitTable],
    manifests: Mapping[str, Manifest],
    policies: Mapping[str, str],
    known: KnownPairs | None = None,
) -> AuditReport:
    """Look for everything that two splits of a fold share.

    That is image ids, lesions, patients, files, pixels, near-duplicates where they are known, and
    labels that contradict each other. All are compared across datasets too; `_downsampled` is no
    part of an image id. Unknown (missing) lesion and patient ids match nothing.

    Args:
        splits: by name.
        manifests: by name, every dataset that a split uses.
        policies: split name to `error`, `drop` or `keep`; `error` where a split is absent.
        known: near-duplicates that were found or decided on.

    Raises:
        UsageError: a policy or split that does not exist.
    """
    for name, policy in policies.items():
        if policy not in _POLICIES or name not in splits:
            raise UsageError(
                f"leakage of split '{name}': {policy}; known splits: {', '.join(splits)}; "
                f"policies: {', '.join(_POLICIES)}"
            )
    known = known or KnownPairs()
    findings: list[AuditFinding] = []
    for name, split in splits.items():
        used = _used(split, manifests)
        for fold, rows in _facts(split, used, known).groupby("fold", sort=True):
            findings += _fold_findings(name, int(str(fold)), rows, used)
        if known.advisory():
            hints = _facts(split, used, known, advisory=True)
            for fold, rows in hints.groupby("fold", sort=True):
                findings += _hints(name, int(str(fold)), rows)
    found = known.found
    return AuditReport(
        findings=tuple(findings),
        looked_for=(*LOOKED_FOR, *(found.looked_for if found else ())),
        not_looked_for=_not_looked_for(splits, manifests, known),
        policies={name: policies.get(name, "error") for name in splits},
    )


def enforce(
    report: AuditReport,
    splits: Mapping[str, SplitTable],
    manifests: Mapping[str, Manifest],
    known: KnownPairs | None = None,
) -> dict[str, SplitTable]:
    """Do what each split's policy says about the findings.

    `drop` removes from the split learnt or chosen on: train rows that share with val or test,
    val rows that share with test. Test is never touched. `keep` changes nothing.

    Returns:
        Every split by name; a changed one has a new digest, and notes of what was removed.

    Raises:
        LeakageError: splits with findings whose policy is `error`, all in one message; or
            nothing is left of a train part.
    """
    refused = refusal(report, splits)
    if refused:
        raise LeakageError(refused)
    found = leaks(report)
    return {
        name: _dropped(split, _used(split, manifests), known or KnownPairs())
        if name in found and report.policies[name] == "drop"
        else split
        for name, split in splits.items()
    }


# --- finding -----------------------------------------------------------------------------


def _used(split: SplitTable, manifests: Mapping[str, Manifest]) -> dict[str, Manifest]:
    return {name: manifests[name] for name in dict.fromkeys(split.table["dataset"])}


def _facts(
    split: SplitTable, manifests: Mapping[str, Manifest], known: KnownPairs, advisory: bool = False
) -> pd.DataFrame:
    """Split rows with all that they can share, in the order of the split's table."""
    facts = image_facts(manifests, known, advisory=advisory)
    return split.table.merge(facts, on=["dataset", "image_id"], how="left", validate="many_to_one")


def _parts(
    rows: pd.DataFrame,
) -> Iterable[tuple[SplitName, SplitName, pd.DataFrame, pd.DataFrame]]:
    """Names and rows of each two parts of a fold: what is learnt from, and what is judged."""
    parts = {str(split): part for split, part in rows.groupby("split", sort=False)}
    for left, right in _PAIRS:
        if left in parts and right in parts:
            yield left, right, parts[left], parts[right]


def _fold_findings(
    name: str, fold: int, rows: pd.DataFrame, manifests: Mapping[str, Manifest]
) -> Iterable[AuditFinding]:
    for left, right, learnt, judged in _parts(rows):
        for kind in KINDS:
            shared = sharing(judged, learnt, kind)
            if shared.any():
                partners = partners_of(judged[shared].iloc[:_EXAMPLES], learnt, kind)
                yield _finding((name, fold, kind, left, right), judged, shared, partners)
        other = contradictions(judged, learnt, manifests)
        if other:
            shared = np.isin(np.arange(len(judged)), list(other))
            partners = list(other.values())[:_EXAMPLES]
            yield _finding((name, fold, "label", left, right), judged, shared, partners)


def _hints(name: str, fold: int, rows: pd.DataFrame) -> Iterable[AuditFinding]:
    """Near-duplicates that the store knows of and the suite does not ask for."""
    for left, right, learnt, judged in _parts(rows):
        shared = sharing(judged, learnt, "near_duplicate")
        if shared.any():
            partners = partners_of(judged[shared].iloc[:_EXAMPLES], learnt, "near_duplicate")
            found = _finding((name, fold, "near_duplicate", left, right), judged, shared, partners)
            yield replace(found, advisory=True)


def _finding(
    place: tuple[str, int, FindingKind, SplitName, SplitName],
    judged: pd.DataFrame,
    shared: npt.NDArray[np.bool_],
    partners: list[str],
) -> AuditFinding:
    split, fold, kind, left, right = place
    return AuditFinding(
        split=split,
        fold=fold,
        kind=kind,
        left=left,
        right=right,
        count=int(shared.sum()),
        total=len(judged),
        per_class=_per_class(judged, shared),
        examples=tuple(judged.loc[shared, "image_id"].iloc[:_EXAMPLES]),
        partners=tuple(partners),
    )


def _per_class(judged: pd.DataFrame, shared: npt.NDArray[np.bool_]) -> dict[str, tuple[int, int]]:
    counts = pd.Series(shared).groupby(judged["label"].to_numpy()).agg(["sum", "size"])
    return {str(label): (int(row["sum"]), int(row["size"])) for label, row in counts.iterrows()}


def _not_looked_for(
    splits: Mapping[str, SplitTable], manifests: Mapping[str, Manifest], known: KnownPairs
) -> tuple[str, ...]:
    used = sorted({name for split in splits.values() for name in split.table["dataset"].unique()})
    reasons = []
    for column, word in (("lesion_id", "lesions"), ("patient_id", "patients")):
        for name in used:
            values = manifests[name].table[column]
            unknown = int(values.isna().sum())
            if unknown == len(values):
                reasons.append(f"{word}: {name} has no {column}")
            elif unknown:
                count = f"{unknown:,} of {len(values):,} images"
                reasons.append(f"{word}: {count} of {name} have no {column}")
    reasons += incomparable(manifests[name] for name in used)
    if known.found is None:
        return (*reasons, f"near-duplicates: {known.reason}")
    if not known.asked:
        reasons.append("near-duplicates of an earlier search are told, but no policy acts on them")
    return (*reasons, *known.found.not_looked_for)


# --- deciding ----------------------------------------------------------------------------


def _dropped(split: SplitTable, manifests: Mapping[str, Manifest], known: KnownPairs) -> SplitTable:
    facts = _facts(split, manifests, known)
    removed = np.zeros(len(facts), dtype=bool)
    notes = []
    # Val first: what it loses no longer costs train anything.
    for left, rights in (("val", ("test",)), ("train", ("test", "val"))):
        before = removed.copy()
        for fold in range(split.folds):
            here = ((facts["fold"] == fold) & ~removed).to_numpy(dtype=bool)
            learnt = here & (facts["split"] == left).to_numpy(dtype=bool)
            judged = facts[here & facts["split"].isin(rights).to_numpy(dtype=bool)]
            for kind in KINDS:
                removed |= learnt & sharing(facts, judged, kind)
        count, total = int((removed & ~before).sum()), int((facts["split"] == left).sum())
        if count:
            shared = " or ".join(rights)
            notes.append(
                f"leakage: drop removed {count:,} of {total:,} {left} images "
                f"that share an image, lesion, patient or file with {shared}"
            )
    left_over = facts[~removed]
    for fold in range(split.folds):
        if not ((left_over["fold"] == fold) & (left_over["split"] == "train")).any():
            raise LeakageError(
                f"split '{split.name}': `leakage: drop` leaves no train image in fold {fold}"
            )
    notes += _lost_classes(facts, left_over)
    table = sorted_rows(left_over)
    return replace(split, table=table, digest=split_digest(table), notes=(*split.notes, *notes))


def _lost_classes(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    keys = ["fold", "split", "label"]
    there = before[keys].dropna().drop_duplicates()
    still = set(after[keys].dropna().drop_duplicates().itertuples(index=False, name=None))
    lost = [row for row in there.itertuples(index=False, name=None) if row not in still]
    return [
        f"leakage: drop leaves no {label} image in {split} of fold {fold}"
        for fold, split, label in sorted(lost)
    ]
