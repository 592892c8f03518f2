"""Audits in a terminal, 80 columns wide or more."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from skinbench.data.leak_words import pooled, recognised
from skinbench.report import numbers
from skinbench.report.audit_tables import SHARED

if TYPE_CHECKING:
    from skinbench.pipeline.auditing import AuditResult
    from skinbench.records import AuditReport, Overlap, OverlapReport
    from skinbench.suite import Suite

_CLASS = "mel"
_SIDES = (("train", "test"), ("train", "val"), ("val", "test"))


def print_audit(suite: Suite, result: AuditResult) -> None:
    """Datasets, then a table for each split, then pairs to look at and what was not looked for."""
    console = Console(highlight=False)
    done = result.survey
    images = sum(len(item.table) for item in done.manifests.values())
    head = f": {numbers.counted(len(done.splits), 'split')} of {numbers.counted(images, 'image')}"
    console.print(Text.assemble((suite.name, "bold"), head, f", {result.seconds:.1f} s"))
    facts = Table.grid(padding=(0, 2))
    for manifest in done.manifests.values():
        groups = manifest.table["group_id"].nunique()
        counts = f"{len(manifest.table):,} images, {groups:,} lesion groups"
        facts.add_row("data", Text(f"{manifest.name}: {counts}"))
        for finding in manifest.findings:
            facts.add_row("", Text(finding.message, style="yellow"))
    console.print(facts)
    for split in done.splits.values():
        shares = Counter(split.table.loc[split.table["fold"] == 0, "split"])
        parts = ", ".join(f"{name} {shares[name]:,}" for name in ("train", "val", "test"))
        folds = f" x {split.folds} folds, pooled" if split.folds > 1 else ""
        policy = done.audit.policies.get(split.name, "error")
        console.print()
        console.print(
            Text.assemble(
                ("split ", ""),
                (split.name, "bold"),
                f" (by {split.group}): {parts}{folds}; leakage: {policy}",
            )
        )
        examples = console.width >= 100 and not suite.file.private_data
        _print_split(console, done.audit, split.name, examples=examples)
    console.print()
    console.print(_notes(result))


def _print_split(console: Console, report: AuditReport, name: str, *, examples: bool) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("shared", overflow="fold")
    table.add_column("between", overflow="fold")
    for title in ("images", "of", "share", _CLASS):
        table.add_column(title, justify="right", no_wrap=True)
    if examples:
        table.add_column("for example", overflow="fold")
    rows = itertools.product(_SIDES, SHARED, (False, True))
    for (left, right), kind, advisory in rows:
        found = [
            f
            for f in report.findings
            if (f.split, f.left, f.right, f.kind, f.advisory) == (name, left, right, kind, advisory)
        ]
        if not found:
            continue
        count, total, classes = pooled(found)
        part, whole = classes.get(_CLASS, (0, 0))
        pair = f"{found[0].partners[0]}, {found[0].examples[0]}" if found[0].partners else ""
        words = SHARED[kind] + (" (told, not acted on)" if advisory else "")
        share = numbers.share(count, total)
        table.add_row(
            Text(words, style="" if advisory else "red"),
            f"{left}, {right}",
            f"{count:,}",
            f"{total:,}",
            share,
            numbers.share(part, whole),
            *([Text(pair)] if examples else []),
        )
    if table.row_count:
        console.print(table)
    else:
        console.print("  nothing shared", style="green")
    if name in recognised(report):
        console.print(Text(f"  {recognised(report)[name]}"))


def _notes(result: AuditResult) -> Table:
    notes = Table.grid(padding=(0, 2))
    open_ = [item for item in result.candidates if item.decision is None]
    decided = len(result.candidates) - len(open_)
    if result.candidates:
        wrong = sum(item.contradicting for item in result.candidates)
        text = f"{numbers.counted(len(open_), 'pair')} to look at"
        text += f", {decided:,} decided" if decided else ""
        text += f", {wrong:,} with labels that differ" if wrong else ""
        notes.add_row("pairs", Text(f"{text}; --page FILE.html shows them"))
    for item in result.columns:
        if item.suspicious:
            notes.add_row("column", Text(item.message, style="yellow"))
    notes.add_row("looked for", Text(", ".join(result.survey.audit.looked_for)))
    for line in result.survey.audit.not_looked_for:
        notes.add_row("not looked for", Text(line))
    return notes


def print_overlaps(report: OverlapReport, seconds: float) -> None:
    """Datasets, then every two of them, then what repeats within each."""
    console = Console(highlight=False)
    console.print(Text(f"{len(report.datasets)} datasets, {seconds:.1f} s", style="bold"))
    sizes = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("dataset", "images", "lesions", "patients", "labels"):
        sizes.add_column(title, justify="left" if title in ("dataset", "labels") else "right")
    for item in report.datasets:
        counts = (f"{count:,}" for count in (item.images, item.lesions, item.patients))
        sizes.add_row(item.name, *counts, item.label_space)
    console.print(sizes)
    for title, within in (("Shared by two datasets", False), ("Repeated within one", True)):
        cells = [
            item for item in report.overlaps if item.groups and (item.left == item.right) == within
        ]
        if cells:
            console.print()
            console.print(Text(title, style="bold"))
            console.print(_overlap_table(cells, within))
            _print_contradictions(console, cells)
    shared = {(item.left, item.right) for item in report.overlaps if item.groups}
    apart = [
        f"{item.left} and {item.right}"
        for item in report.overlaps
        if item.kind == "image_id" and (item.left, item.right) not in shared
    ]
    console.print()
    notes = Table.grid(padding=(0, 2))
    if apart:
        notes.add_row("nothing shared", Text("; ".join(apart)))
    for item in report.datasets:
        for line in item.cleaning:
            notes.add_row("cleaning", Text(f"{item.name}: {line}"))
    for name, reason in report.not_read.items():
        notes.add_row("not read", Text(f"{name}: {reason}"))
    for line in report.not_looked_for:
        notes.add_row("not looked for", Text(line))
    console.print(notes)


def _overlap_table(cells: list[Overlap], within: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("dataset" if within else "A", overflow="fold")
    if not within:
        table.add_column("B", overflow="fold")
    table.add_column("shared", overflow="fold")
    numbers_of = ("groups", "images") if within else ("groups", "images of A", "images of B")
    for title in (*numbers_of, "labels differ"):
        table.add_column(title, justify="right")
    for item in cells:
        counts = [item.groups, item.left_images, *([] if within else [item.right_images])]
        names = [item.left] if within else [item.left, item.right]
        wrong = Text(f"{item.contradicting:,}", style="red" if item.contradicting else "")
        table.add_row(*names, SHARED[item.kind], *(f"{n:,}" for n in counts), wrong)
    return table


def _print_contradictions(console: Console, cells: list[Overlap]) -> None:
    lines = dict.fromkeys(
        f"labels differ in {item.left if item.left == item.right else f'{item.left}, {item.right}'}"
        f": {text}"
        for item in cells
        for text in item.contradictions[:5]
    )
    for line in list(lines)[:12]:
        console.print(Text(f"  {line}", style="red"))
