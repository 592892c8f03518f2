"""Tables of the audit: what splits share, and what recognising alone would score."""

from __future__ import annotations

from collections.abc import Mapping

from skinbench.records import AuditFinding, AuditReport
from skinbench.report import numbers
from skinbench.report.content import SplitFacts
from skinbench.report.tables import Column, Entry, Table, integer, words

SHARED = {
    "image_id": "image ids",
    "lesion_id": "lesions",
    "patient_id": "patients",
    "file": "identical files",
    "pixels": "identical pixels",
    "near_duplicate": "near-duplicates",
    "label": "other labels",
}
"""What a kind of finding is called, the gravest first."""


def fold_entry(name: str, fold: int) -> Entry:
    """A fold by its name, in the order of the folds."""
    return Entry(text=numbers.one_line(name), sort=fold)


def fold_name(split: SplitFacts | None, fold: int) -> str:
    """A fold as its split names it; its number where the split is not known."""
    return split.fold_name(fold) if split else str(fold)


def audit_table(audit: AuditReport, splits: Mapping[str, SplitFacts]) -> Table:
    """What splits share, found before training."""
    rows = tuple(
        (
            words(finding.split),
            fold_entry(fold_name(splits.get(finding.split), finding.fold), finding.fold),
            Entry(text=SHARED.get(finding.kind, finding.kind)),
            words(f"{finding.left} and {finding.right}"),
            integer(finding.count),
            Entry(
                text=numbers.share(finding.count, finding.total),
                sort=finding.count / finding.total if finding.total else None,
            ),
            words(_per_class(finding.per_class)),
            words(_example(finding)),
            Entry(text=_policy(audit, finding)),
        )
        for finding in audit.findings
    )
    return Table(
        name="audit",
        caption="What splits share",
        columns=(
            Column(title="split"),
            Column(title="fold", numeric=True),
            Column(title="shared"),
            Column(title="between"),
            Column(title="images", numeric=True),
            Column(title="share", numeric=True),
            Column(title="per class"),
            Column(title="for example"),
            Column(title="policy"),
        ),
        rows=rows,
    )


def _example(finding: AuditFinding) -> str:
    pairs = zip(finding.partners, finding.examples, strict=False)
    return next((f"{partner}, {image}" for partner, image in pairs), "")


def _policy(audit: AuditReport, finding: AuditFinding) -> str:
    if finding.advisory:
        return "told, not acted on"
    return numbers.one_line(audit.policies.get(finding.split, "")) or numbers.MISSING


def recognition_table(audit: AuditReport, splits: Mapping[str, SplitFacts]) -> Table:
    """What the nearest train thumbnail alone gets right on each split."""
    codes = sorted({code for item in audit.recognition for code in item.per_class})
    rows = tuple(
        (
            words(item.split),
            fold_entry(fold_name(splits.get(item.split), item.fold), item.fold),
            integer(item.total),
            Entry(
                text=numbers.share(item.right, item.total),
                sort=item.right / item.total if item.total else None,
            ),
            *(Entry(text=numbers.share(*item.per_class.get(code, (0, 0)))) for code in codes),
        )
        for item in audit.recognition
    )
    heads = ("fold", "test images", "right", *codes)
    drawn = any(item.drawn for item in audit.recognition)
    return Table(
        name="recognition",
        caption="What recognising images alone would score",
        columns=(Column(title="split"), *(Column(title=head, numeric=True) for head in heads)),
        rows=rows,
        notes=(
            "Share of test images whose nearest train image, by thumbnails of 24x18 pixels, has "
            "their label.",
            *(("Where a fold has more test images than stand here, these were drawn.",) * drawn),
        ),
    )


def _per_class(counts: Mapping[str, tuple[int, int]]) -> str:
    parts = [f"{code} {part} of {whole}" for code, (part, whole) in counts.items() if whole]
    return ", ".join(parts)
