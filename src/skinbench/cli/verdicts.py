"""A verdict on the terminal: the outcome first, then a line for each check."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from skinbench.gate.conclude import ANCHOR_REASON
from skinbench.gate.output import (
    files_line,
    leak_lines,
    leak_marks,
    printed_bounds,
    to_be_said,
)
from skinbench.records import CheckResult, Verdict

STYLES = {
    "passed": "bold green",
    "regressed": "bold red",
    "inconclusive": "bold yellow",
    "missing": "bold yellow",
    "refused": "bold yellow",
}


def print_verdict(verdict: Verdict, console: Console | None = None) -> None:
    """Print a verdict; fits 80 columns."""
    out = console or Console(highlight=False)
    out.print(
        Text.assemble(
            "gate: ",
            (verdict.outcome, STYLES[verdict.outcome]),
            f" (exit {verdict.exit_code}; decision rule: {verdict.decision_rule})",
        )
    )
    if verdict.files:
        out.print(Text(files_line(verdict)))
    marks = leak_marks(verdict)
    for row, checks in _by_row(verdict.checks).items():
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1))
        table.add_column(style="dim", min_width=24)
        table.add_column(justify="right", min_width=15)
        table.add_column(justify="right", min_width=23)
        table.add_column()
        for check in checks:
            table.add_row(*_line(check))
            if check.margin is not None and check.own_low is not None:
                table.add_row(*_floor(check), "")
        mark = marks.get(checks[0].stamp, "")
        out.print(Text(f"{row} {mark}".rstrip(), style="bold"))
        out.print(table)
    compared = (check for check in verdict.checks if check.margin is not None)
    if any(check.difference is not None for check in compared):
        levels = sorted({check.alpha for check in verdict.checks if check.margin is not None})
        alpha = " or ".join(f"{100 * level:g} %" for level in levels)
        out.print(Text(f"now - baseline, with bounds one-sided at {alpha} each", style="dim"))
    if any(check.own_low is not None for check in verdict.checks):
        text = "floor: the run alone, with its bounds; passed where all of them are beyond it"
        out.print(Text(text, style="dim"))
    for text in leak_lines(verdict):
        out.print(Text(text, style="yellow"))
    reasons = dict.fromkeys(
        check.reason for check in verdict.checks if check.reason and to_be_said(check)
    )
    rule = f"decision rule: {verdict.decision_rule}"
    for text in [*reasons, *(note for note in verdict.notes if note != rule)]:
        out.print(Text(f"- {text}"))


def _by_row(checks: Sequence[CheckResult]) -> dict[str, list[CheckResult]]:
    found: dict[str, list[CheckResult]] = {}
    for check in checks:
        found.setdefault(check.row, []).append(check)
    return found


def _line(check: CheckResult) -> list[str | Text]:
    """What is checked, before and now, the difference with its bounds, the outcome."""
    what = " ".join(filter(None, (check.metric, check.class_, check.slice)))
    if check.reason.startswith(ANCHOR_REASON):
        what += ", first baseline"
    values, difference = "", ""
    if check.baseline is not None and check.candidate is not None:
        values = f"{check.baseline:.3f} -> {check.candidate:.3f}"
    elif check.candidate is not None:
        values = f"{check.candidate:.3f}"
    floor_only = check.margin is None and check.floor is not None
    if floor_only and check.own_low is not None:
        _, values, difference = _floor(check)
    elif check.difference is not None and check.low is not None and check.high is not None:
        difference = f"{check.difference:+.3f} [{', '.join(printed_bounds(check))}]"
    return [f"  {what}", values, difference, Text(check.outcome, style=STYLES[check.outcome])]


def _floor(check: CheckResult) -> list[str]:
    """The run by itself beside its floor."""
    bounds = f"[{check.own_low:.3f}, {check.own_high:.3f}]"
    return ["    its floor", f"{check.candidate:.3f} alone", f"floor {check.floor:g} {bounds}"]
