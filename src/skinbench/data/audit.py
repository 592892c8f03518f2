"""The cheap audit: what the splits of a split table share, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from skinbench.data.split_tables import bare_id, sorted_rows, split_digest
from skinbench.errors import LeakageError, UsageError
from skinbench.records import AuditFinding, AuditReport, Manifest, SplitTable
from skinbench.records.data import SplitName

Kind = Literal["image_id", "lesion_id", "patient_id", "file"]

_KINDS: tuple[Kind, ...] = ("image_id", "lesion_id", "patient_id", "file")
_COLUMNS = {"image_id": "bare_id", "file": "file_digest"}
_PAIRS: tuple[tuple[SplitName, SplitName], ...] = (
    ("train", "test"),
    ("train", "val"),
    ("val", "test"),
)
_WORDS = {
    "image_id": "are in {left} themselves",
    "lesion_id": "share a lesion with {left}",
    "patient_id": "share a patient with {left}",
    "file": "have an identical file in {left}",
}
_POLICIES = ("error", "drop", "keep")
_EXAMPLES = 20


def audit(
    splits: Mapping[str, SplitTable],
    manifests: Mapping[str, Manifest],
    policies: Mapping[str, str],
) -> AuditReport:
    """Look for images, lesions, patients and files that two splits of a fold share.

    Ids are compared across datasets too; `_downsampled` is no part of an image id. Unknown
    (missing) lesion and patient ids match nothing.

    Args:
        splits: by name.
        manifests: by name, every dataset that a split uses.
        policies: split name to `error`, `drop` or `keep`; `error` where a split is absent.

    Raises:
        UsageError: a policy or split that does not exist.
    """
    for name, policy in policies.items():
        if policy not in _POLICIES or name not in splits:
            raise UsageError(
                f"leakage of split '{name}': {policy}; known splits: {', '.join(splits)}; "
                f"policies: {', '.join(_POLICIES)}"
            )
    findings: list[AuditFinding] = []
    for name, split in splits.items():
        facts = _facts(split.table, manifests)
        for fold, rows in facts.groupby("fold", sort=True):
            findings += _fold_findings(name, int(str(fold)), rows)
    return AuditReport(
        findings=tuple(findings),
        looked_for=("image ids", "lesion ids", "patient ids", "identical files"),
        not_looked_for=_not_looked_for(splits, manifests),
        policies={name: policies.get(name, "error") for name in splits},
    )


def enforce(
    report: AuditReport, splits: Mapping[str, SplitTable], manifests: Mapping[str, Manifest]
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
    found = {finding.split for finding in report.findings}
    refused = [name for name in splits if name in found and report.policies[name] == "error"]
    if refused:
        facts = "; ".join(f"split '{name}': {_sentence(report, name)}" for name in refused)
        raise LeakageError(f"{facts}; {_way_out(refused, splits)}")
    return {
        name: _dropped(split, manifests)
        if name in found and report.policies[name] == "drop"
        else split
        for name, split in splits.items()
    }


def leaks(report: AuditReport) -> dict[str, str]:
    """What each split with findings shares, in words, whatever its policy; by split name."""
    names = dict.fromkeys(finding.split for finding in report.findings)
    return {name: _sentence(report, name) for name in names}


def stamps(report: AuditReport) -> dict[str, str]:
    """The line to print on every table of a split whose leaks were kept, by split name."""
    return {
        name: f"leaky split: {text}"
        for name, text in leaks(report).items()
        if report.policies[name] == "keep"
    }


# --- finding -----------------------------------------------------------------------------


def _facts(table: pd.DataFrame, manifests: Mapping[str, Manifest]) -> pd.DataFrame:
    """Split rows with the ids to compare, in the order of `table`."""
    used = list(dict.fromkeys(table["dataset"]))
    columns = ["image_id", "label", "lesion_id", "patient_id", "file_digest"]
    known = pd.concat([manifests[name].table[columns].assign(dataset=name) for name in used])
    facts = table.merge(known, on=["dataset", "image_id"], how="left", validate="many_to_one")
    return facts.assign(bare_id=facts["image_id"].map(bare_id))


def _sharing(judged: pd.DataFrame, learnt: pd.DataFrame, kind: Kind) -> npt.NDArray[np.bool_]:
    """Which rows of `judged` have a partner in `learnt` [N]."""
    column = _COLUMNS.get(kind, kind)
    partners = set(learnt[column].dropna())
    return judged[column].isin(partners).to_numpy(dtype=bool)


def _fold_findings(name: str, fold: int, rows: pd.DataFrame) -> Iterable[AuditFinding]:
    parts = {str(split): part for split, part in rows.groupby("split", sort=False)}
    for left, right in _PAIRS:
        if left not in parts or right not in parts:
            continue
        judged = parts[right]
        for kind in _KINDS:
            shared = _sharing(judged, parts[left], kind)
            if shared.any():
                yield AuditFinding(
                    split=name,
                    fold=fold,
                    kind=kind,
                    left=left,
                    right=right,
                    count=int(shared.sum()),
                    total=len(judged),
                    per_class=_per_class(judged, shared),
                    examples=tuple(judged.loc[shared, "image_id"].iloc[:_EXAMPLES]),
                )


def _per_class(judged: pd.DataFrame, shared: npt.NDArray[np.bool_]) -> dict[str, tuple[int, int]]:
    counts = pd.Series(shared).groupby(judged["label"].to_numpy()).agg(["sum", "size"])
    return {str(label): (int(row["sum"]), int(row["size"])) for label, row in counts.iterrows()}


def _not_looked_for(
    splits: Mapping[str, SplitTable], manifests: Mapping[str, Manifest]
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
    return (*reasons, "near-duplicates: audit.near_duplicates is off")


# --- deciding ----------------------------------------------------------------------------


def _dropped(split: SplitTable, manifests: Mapping[str, Manifest]) -> SplitTable:
    facts = _facts(split.table, manifests)
    removed = np.zeros(len(facts), dtype=bool)
    notes = []
    # Val first: what it loses no longer costs train anything.
    for left, rights in (("val", ("test",)), ("train", ("test", "val"))):
        before = removed.copy()
        for fold in range(split.folds):
            here = ((facts["fold"] == fold) & ~removed).to_numpy(dtype=bool)
            learnt = here & (facts["split"] == left).to_numpy(dtype=bool)
            judged = facts[here & facts["split"].isin(rights).to_numpy(dtype=bool)]
            for kind in _KINDS:
                removed |= learnt & _sharing(facts, judged, kind)
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


def _way_out(refused: list[str], splits: Mapping[str, SplitTable]) -> str:
    """What to do; a further test set is judged by fits that exist, so nothing can be dropped."""
    copied = [name for name in refused if _copied(splits[name])]
    if copied:
        return (
            f"`oversample_first` of {', '.join(copied)} does so by design: say `leakage: keep` "
            f"there, or oversample inside train by `technique: oversampling`"
        )
    if any("@" in name for name in refused):
        return (
            "judge on images that train does not have (`exclude` them), or say `leakage: keep`; "
            "two datasets that use the same ids for different images need other ids"
        )
    return "group by lesion or patient, or say `leakage: drop` or `leakage: keep`"


def _copied(split: SplitTable) -> bool:
    """Whether an image is in several splits of a fold, in copies."""
    there = split.table.duplicated(["dataset", "image_id", "fold"], keep=False)
    return bool(there.any() and (split.table["copies"] > 1).any())


def _sentence(report: AuditReport, name: str) -> str:
    """All that a split shares, folds pooled, the gravest first."""
    parts = []
    for left, right in _PAIRS:
        for kind in _KINDS:
            findings = [
                f
                for f in report.findings
                if (f.split, f.left, f.right, f.kind) == (name, left, right, kind)
            ]
            if findings:
                parts.append(_clause(findings, right, _WORDS[kind].format(left=left)))
    return "; ".join(parts)


def _clause(findings: list[AuditFinding], right: str, words: str) -> str:
    count, total = (sum(getattr(f, name) for f in findings) for name in ("count", "total"))
    shares: dict[str, list[int]] = {}
    for finding in findings:
        for code, (shared, size) in finding.per_class.items():
            entry = shares.setdefault(code, [0, 0])
            entry[0] += shared
            entry[1] += size
    shown = ""
    if shares:
        worst = max(sorted(shares), key=lambda code: shares[code][0] / shares[code][1])
        code = "mel" if "mel" in shares else worst
        shown = f" ({100 * shares[code][0] / shares[code][1]:.1f} % of {code})"
    if count < 0.0005 * total:  # would print as 0.0 %
        return f"{count:,} of {total:,} {right} images {words}"
    return f"{100 * count / total:.1f} % of {right} images{shown} {words}"
