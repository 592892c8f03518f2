"""`skinbench compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinbench.cli.options import RunPath, json_option, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from skinbench.records.run_difference import RowFlips, RunDifference, ScoreChange

_Run = RunPath()


@click.command()
@click.argument("run_a", type=_Run)
@click.argument("run_b", type=_Run)
@click.option("--rows", default="*", show_default=True, metavar="GLOB", help="Of those in both.")
@click.option(
    "--row",
    "pairs",
    multiple=True,
    metavar="A=B",
    help="Hold row A of the first run beside row B of the second; several.",
)
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="METRIC[:CLASS]",
    help="Scores to compare, e.g. recall:mel; several.",
)
@click.option(
    "--images", type=click.IntRange(0), default=5, show_default=True, help="Flipped images a row."
)
@json_option
def command(
    run_a: Path,
    run_b: Path,
    rows: str,
    pairs: tuple[str, ...],
    metrics: tuple[str, ...],
    images: int,
    as_json: bool,
) -> None:
    """Two runs side by side: scores, images that flipped, settings that differ.

    For a person; it judges nothing and exits with 0. Differences are RUN_B less RUN_A, paired by
    lesion where both judged the same images. The gate (`skinbench gate`) is for CI.

    JSON: the RunDifference record, with every image that flipped.
    """
    from skinbench.pipeline.comparing import compare_runs
    from skinbench.pipeline.judging import finished_run
    from skinbench.report.private import names_of

    runs = finished_run(run_a), finished_run(run_b)
    found = compare_runs(
        *runs,
        rows=rows,
        pairs=[_pair(text) for text in pairs],
        metrics=metrics,
    )
    for run in runs:
        if names := names_of(run):
            found = names.record(found)
    if as_json:
        print_json(found)
    else:
        print_difference(found, images)


def _pair(text: str) -> tuple[str, str]:
    """Names on both sides of the sign; row names may hold `=` themselves."""
    old, sign, new = text.partition("=")
    if text.count("=") > 1:
        half = [i for i, c in enumerate(text) if c == "="][text.count("=") // 2]
        old, new = text[:half], text[half + 1 :]
    if not sign or not old or not new:
        raise click.UsageError(f"--row {text}: expected a row of each run, A=B")
    return old, new


def print_difference(found: RunDifference, images: int) -> None:
    """Scores, flips and settings; fits 80 columns."""
    from rich.console import Console
    from rich.text import Text

    from skinbench.gate.output import leak_signs

    out = Console(highlight=False)
    out.print(Text(f"A: {found.old}\nB: {found.new}", style="dim"))
    signs = leak_signs(found.stamps[row] for row in sorted(found.stamps))
    for row in dict.fromkeys(score.row for score in found.scores):
        mine = [score for score in found.scores if score.row == row]
        _print_row(out, mine, found.level, signs.get(found.stamps.get(row, ""), ""))
        for flips in found.flips:
            if flips.row == row:
                _print_flips(out, flips, images)
    for stamp, sign in signs.items():
        out.print(Text(f"{sign} {stamp}", style="yellow"))
    _print_settings(out, found)
    for side, rows in (("A", found.only_old), ("B", found.only_new)):
        if rows:
            out.print(Text(f"only in {side}: {', '.join(rows)}"))
    for note in found.notes:
        out.print(Text(f"- {note}"))


def _print_row(out: Console, scores: list[ScoreChange], level: float, sign: str) -> None:
    from rich.table import Table
    from rich.text import Text

    from skinbench.score.ends import end

    first = scores[0]
    name = first.row if first.row == first.old_row else f"{first.old_row} -> {first.row}"
    out.print(Text(f"{name} {sign}".rstrip(), style="bold"))
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("  metric")
    for title in ("A", "B", f"B - A, {level:.0%} interval", "lesions"):
        table.add_column(title, justify="right")
    for score in scores:
        what = f"  {score.metric}" + (f" {score.class_}" if score.class_ else "")
        change = _signed(score.difference)
        if score.low is not None and score.high is not None:
            change += f" [{end(score.low, sign=True)}, {end(score.high, sign=True)}]"
        table.add_row(what, _plain(score.old), _plain(score.new), change, f"{score.n_groups:,}")
    out.print(table)
    if not all(score.paired for score in scores) and not any(score.reason for score in scores):
        out.print(Text("  not the same test images: the difference is unpaired", style="yellow"))
    for reason in dict.fromkeys(score.reason for score in scores if score.reason):
        out.print(Text(f"  {reason}", style="yellow"))


def _plain(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "none" if value is None else f"{value:+.3f}"


def _print_flips(out: Console, flips: RowFlips, images: int) -> None:
    from rich.table import Table
    from rich.text import Text

    changed = flips.fixed + flips.broken + flips.other
    text = (
        f"  {changed:,} of {flips.images:,} images of {flips.dataset} decided otherwise (seed "
        f"{flips.seed}): {flips.fixed:,} fixed, {flips.broken:,} broken, {flips.other:,} still "
        f"wrong"
    )
    out.print(Text(text))
    if flips.only_old or flips.only_new:
        out.print(Text(f"  only in A: {flips.only_old:,} images, only in B: {flips.only_new:,}"))
    if flips.by_class:
        parts = [f"{code} +{fixed} -{broken}" for code, fixed, broken in flips.by_class]
        out.print(Text(f"  by class: {', '.join(parts)}"))
    if not images or not flips.flips:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for title in ("  image", "label", "A", "B", "p(label) A -> B", ""):
        table.add_column(title)
    for flip in flips.flips[:images]:
        moved = f"{flip.old_probability:.2f} -> {flip.new_probability:.2f}"
        table.add_row(f"  {flip.image_id}", flip.label, flip.old, flip.new, moved, flip.kind)
    out.print(table)


def _print_settings(out: Console, found: RunDifference) -> None:
    from rich.text import Text

    if not found.settings:
        out.print(Text("settings: none differs"))
        return
    out.print(Text("settings that differ (A, then B)", style="bold"))
    for change in found.settings:
        line = f"  {change.place}: {change.key}: {_short(change.old)}, {_short(change.new)}"
        out.print(Text(line), soft_wrap=False)


def _short(value: str) -> str:
    if not value:
        return "none"
    return value if len(value) <= 40 else value[:37] + "..."
