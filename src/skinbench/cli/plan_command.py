"""`skinbench plan`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinbench.cli.options import json_option, open_store, print_json, store_option, suite_options

if TYPE_CHECKING:
    from rich.table import Table

    from skinbench.pipeline import Prepared
    from skinbench.store import Store


@click.command()
@suite_options
@store_option
@json_option
def command(
    suite: str,
    sets: tuple[str, ...],
    profile: str | None,
    only: tuple[str, ...],
    store: Path | None,
    as_json: bool,
) -> None:
    """Show what a suite amounts to, before anything is computed.

    Reads and cleans the data, splits and audits it, and lists the cells, what each needs, what
    is excluded and why, and what is done already. Needs neither torch nor Ray.

    JSON: {plan: Plan, done: [fit id], audit: AuditReport, leaks: [text]}.
    """
    from skinbench.data.audit import stamps
    from skinbench.pipeline import Options, prepare
    from skinbench.suite import load_suite

    loaded = load_suite(suite, sets=sets, profile=profile, only=only)
    opened = open_store(store)
    options = Options(folder=Path("reports") / loaded.name, store=opened)
    prepared = prepare(loaded, options, enforce_leaks=False)
    done = sorted(name for name in prepared.plan.fits if opened.has("fits", name))
    found = stamps(prepared.audit)
    if as_json:
        print_json({"plan": prepared.plan, "done": done, "audit": prepared.audit, "leaks": found})
        return
    _print_plan(prepared, set(done), found, opened)


def _print_plan(prepared: Prepared, done: set[str], leaks: dict[str, str], store: Store) -> None:
    from rich.console import Console

    console, plan = Console(highlight=False), prepared.plan
    console.print(f"[bold]{plan.suite}[/bold]: {_counts(prepared, done)}")
    for manifest in prepared.manifests.values():
        groups = manifest.table["group_id"].nunique()
        images = len(manifest.table)
        console.print(f"data   {manifest.name}: {images:,} images, {groups:,} lesion groups")
        for finding in manifest.findings:
            console.print(f"       {finding.message}", style="yellow")
    for split in prepared.splits.values():
        shares = Counter(split.table[split.table["fold"] == 0]["split"])
        parts = ", ".join(f"{name} {shares[name]:,}" for name in ("train", "val", "test"))
        folds = f" x {split.folds} folds" if split.folds > 1 else ""
        console.print(f"split  {split.name} (by {split.group}): {parts}{folds}")
        if split.name in leaks:
            policy = prepared.audit.policies.get(split.name, "error")
            console.print(f"       [red]{leaks[split.name]}; leakage: {policy}[/red]")
    console.print(_rows_table(prepared, done, wide=console.width >= 120))
    for exclusion in plan.exclusions:
        console.print(f"excluded  {exclusion.row}: {exclusion.reason}")
    missing = [n for n in plan.nodes if n.kind == "pixels" and not store.has(*_object(n.name))]
    console.print(f"needs  {_needs(prepared)}; pixel stores to build: {len(missing)}")
    for text in prepared.audit.not_looked_for:
        console.print(f"not looked for: {text}")


def _rows_table(prepared: Prepared, done: set[str], *, wide: bool) -> Table:
    """A line for each row; what the row is made of only where there is room."""
    from rich.table import Table

    plan = prepared.plan
    table = Table(box=None, pad_edge=False, header_style="bold")
    made_of = ("model", "input", "technique") if wide else ()
    table.add_column("row", overflow="fold", min_width=32)
    for column in (*made_of, "split"):
        table.add_column(column, overflow="fold")
    for column in ("cells", "done"):
        table.add_column(column, justify="right")
    for row in plan.rows:
        fits = [cell.fit for cell in plan.cells if cell.row == row.name]
        derived = [item for item in plan.derived if item.cell.row == row.name]
        finished = str(sum(fit in done for fit in fits)) if fits else "-"
        parts = [str(getattr(row, column)) for column in made_of]
        table.add_row(row.name, *parts, row.split, str(len(fits) or len(derived)), finished)
    return table


def _object(node: str) -> tuple[str, str]:
    kind, _, name = node.partition(":")
    return kind, name


def _counts(prepared: Prepared, done: set[str]) -> str:
    plan = prepared.plan
    cells = len(plan.cells) + len(plan.derived)
    return (
        f"{len(plan.rows)} rows, {cells} cells, {len(plan.fits)} fits ({len(done)} done), "
        f"{len(plan.evaluations)} evaluations"
    )


def _needs(prepared: Prepared) -> str:
    kinds = Counter(node.kind for node in prepared.plan.nodes)
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items())
