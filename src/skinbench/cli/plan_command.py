"""`skinbench plan`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinbench.cli.options import Place, json_option, print_json, store_option, suite_options
from skinbench.errors import counted, one_line
from skinbench.store import open_store

if TYPE_CHECKING:
    from rich.table import Table

    from skinbench.pipeline import Prepared
    from skinbench.records import CleaningFinding, Plan, Row, SearchResult, SearchTask
    from skinbench.store import Store

_NAMED = 5
"""Images that a line about cleaning names."""


@click.command()
@suite_options
@click.option("--estimate", "estimated", is_flag=True, help="Also time, storage and scaling.")
@click.option("--nodes", type=click.IntRange(1), help="With --estimate: on so many nodes.")
@click.option("--cpus", type=click.IntRange(1), default=4, show_default=True, help="Of a node.")
@click.option("--gpus", type=click.IntRange(0), default=0, show_default=True, help="Of a node.")
@click.option("--price", type=click.FloatRange(0), help="Of a node and hour, for the cost.")
@store_option
@json_option
def command(
    suite: str,
    sets: tuple[str, ...],
    profile: tuple[str, ...],
    only: tuple[str, ...],
    estimated: bool,
    nodes: int | None,
    cpus: int,
    gpus: int,
    price: float | None,
    store: Place | None,
    as_json: bool,
) -> None:
    """Show what a suite amounts to, before anything is computed.

    Reads and cleans the data, splits and audits it, and lists the cells, what each needs, what
    is excluded and why, and what is done already. Needs neither torch nor Ray.

    --estimate says how long what is left would take on 1, 8, 64 and 512 workers and what limits
    it, from fits that the store has measured and a simulation of the schedule.

    JSON: {plan: Plan, done: [fit id], audit: AuditReport, leaks: {split: text},
    searches: [{row, fold, digest, budget, chosen: {setting: value} or null}],
    estimate: Estimate or null}.
    """
    from skinbench.data.audit import leaks
    from skinbench.pipeline import Options, prepare
    from skinbench.suite import load_suite

    loaded = load_suite(suite, sets=sets, profile=profile, only=only)
    opened = open_store(store)
    options = Options(folder=Path("reports") / loaded.name, store=opened)
    prepared = prepare(loaded, options, enforce_leaks=False)
    done = sorted(name for name in prepared.plan.fits if opened.has("fits", name))
    found = leaks(prepared.audit)
    expected = None
    if estimated:
        from skinbench.pipeline.estimating import Nodes, estimate

        asked = nodes and Nodes(count=nodes, cpus=cpus, gpus=gpus, price=price)
        expected = estimate(prepared, opened, options.folder, asked or None)
    if as_json:
        searches = [_search(task, result) for task, result in prepared.planned.searches]
        print_json(
            {
                "plan": prepared.plan,
                "done": done,
                "audit": prepared.audit,
                "leaks": found,
                "searches": searches,
                "estimate": expected,
            }
        )
        return
    _print_plan(prepared, set(done), found, opened)
    if expected is not None:
        from skinbench.cli.estimates import print_estimate

        print_estimate(expected)


def _search(task: SearchTask, result: SearchResult | None) -> dict[str, object]:
    return {
        "row": task.row,
        "fold": task.fold,
        "digest": task.digest,
        "budget": task.budget,
        "chosen": None if result is None else result.trials[result.chosen].values,
    }


def _print_plan(prepared: Prepared, done: set[str], leaks: dict[str, str], store: Store) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, plan = Console(highlight=False), prepared.plan
    console.print(Text.assemble((plan.suite, "bold"), f": {_counts(prepared, done)}"))
    facts = Table.grid(padding=(0, 2))
    for label, text, style in _facts(prepared, leaks):
        facts.add_row(label, Text(text, style=style))
    console.print(facts)
    console.print()
    console.print(_rows_table(prepared, done, wide=console.width >= 120))
    console.print()
    notes = Table.grid(padding=(0, 2))
    for exclusion in plan.exclusions:
        notes.add_row("excluded", Text(f"{exclusion.row}: {exclusion.reason}"))
    notes.add_row("to make", _work(prepared, done, store))
    for task in prepared.planned.unsearched:
        notes.add_row("to search", Text(f"{task.row}: {task.budget}"))
    unused = [name for name in prepared.suite.file.splits if name not in prepared.splits]
    if unused:
        notes.add_row("not used", Text(f"no row has split {', '.join(unused)}"))
    for text in prepared.audit.not_looked_for:
        notes.add_row("not checked", Text(text))
    console.print(notes)


def _facts(prepared: Prepared, leaks: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Label, text and style of a line for each dataset and split, with what is amiss."""
    from skinbench.data.leak_words import recognised

    memory = recognised(prepared.audit)
    for manifest in prepared.manifests.values():
        groups = counted(manifest.table["group_id"].nunique(), "lesion group")
        images = counted(len(manifest.table), "image")
        yield "data", f"{manifest.name}: {images}, {groups}", ""
        for finding in manifest.findings:
            hidden = manifest.name in prepared.suite.file.private_data
            yield "", finding.message if hidden else _said(finding), "yellow"
    for split in prepared.splits.values():
        shares = Counter(split.table[split.table["fold"] == 0]["split"])
        parts = ", ".join(f"{name} {shares[name]:,}" for name in ("train", "val", "test"))
        folds = f" x {split.folds} folds" if split.folds > 1 else ""
        if split.fold_names:
            folds += f", each without one source: {', '.join(split.fold_names)}"
        yield "split", f"{split.name} (by {split.group}): {parts}{folds}", ""
        if split.name in leaks:
            policy = prepared.audit.policies.get(split.name, "error")
            what = "drop, before which: " if policy == "drop" else f"{policy}: "
            yield "", f"leakage: {what}{leaks[split.name]}", "yellow" if policy == "drop" else "red"
        if split.name in memory:
            yield "", memory[split.name], ""
    joined: dict[str, int] = {}
    for row in prepared.plan.rows:
        for note in row.notes:
            joined[note] = joined.get(note, 0) + 1
    for note, rows in joined.items():
        yield "note", f"{counted(rows, 'row')}: {note}", "yellow"


def _said(finding: CleaningFinding) -> str:
    """A finding in words; what is left out is named, the first few."""
    if finding.policy != "quarantine":
        return finding.message
    shown = ", ".join(one_line(item) for item in finding.items[:_NAMED])
    return f"{finding.message}: {shown}" + (", ..." if len(finding.items) > _NAMED else "")


def _rows_table(prepared: Prepared, done: set[str], *, wide: bool) -> Table:
    """A line for each row; what the row is made of only where there is room."""
    from rich.table import Table

    plan = prepared.plan
    table = Table(box=None, pad_edge=False, header_style="bold")
    made_of = ("model", "input", "technique") if wide else ()
    table.add_column("row", overflow="fold", min_width=32)
    for column in (*made_of, "split", "needs"):
        table.add_column(column, overflow="fold")
    for column in ("cells", "done"):
        table.add_column(column, justify="right")
    for row in (*plan.rows, *plan.segmentations):
        fits = [cell.fit for cell in plan.fitted if cell.row == row.name]
        derived = [item for item in plan.derived if item.cell.row == row.name]
        finished = str(sum(fit in done for fit in fits)) if fits else "-"
        parts = [str(getattr(row, column)) for column in made_of]
        cells = str(len(fits) or len(derived))
        table.add_row(row.name, *parts, row.split, _needs_of(plan, row), cells, finished)
    return table


def _needs_of(plan: Plan, row: Row) -> str:
    """What a row stands on, in words."""
    if row.kind == "derived":
        members = {
            name.rpartition("@")[0]
            for d in plan.derived
            if d.cell.row == row.name
            for name in d.members
        }
        return counted(len(members), "row")
    spec = plan.fits[next(str(cell.fit) for cell in plan.fitted if cell.row == row.name)]
    start = next((c.row for c in plan.fitted if c.fit == spec.model.weights.digest), "")
    needs = "features" if spec.stored_features else "pixels"
    if spec.pixels is not None:
        start = next((c.row for c in plan.fitted if c.fit == spec.pixels.fit), start)
    return f"{needs} {spec.train.image_size} px" + (f", {start}" if start else "")


def _counts(prepared: Prepared, done: set[str]) -> str:
    plan = prepared.plan
    cells = len(plan.fitted) + len(plan.derived)
    return (
        f"{counted(len(plan.rows) + len(plan.segmentations), 'row')}, {counted(cells, 'cell')}, "
        f"{counted(len(plan.fits), 'fit')} ({len(done)} done), "
        f"{counted(len(plan.evaluations), 'evaluation')}"
    )


def _work(prepared: Prepared, done: set[str], store: Store) -> str:
    """What is left to do, by kind."""
    plan = prepared.plan
    stores = [node.name for node in plan.nodes if node.kind == "pixels"]
    missing = sum(not store.has("pixels", name.partition(":")[2]) for name in stores)
    fits = f"{len(plan.fits) - len(done)} of {counted(len(plan.fits), 'fit')}"
    return f"{missing} of {counted(len(stores), 'pixel store')}, {fits}"
