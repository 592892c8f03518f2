"""A verdict on the terminal: the outcome first, then a line for each check."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

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
    if verdict.checks:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("row", "check"):
            table.add_column(title, overflow="fold")
        for title in ("base", "now", "difference"):
            table.add_column(title, justify="right", no_wrap=True)
        table.add_column("outcome")
        for check in verdict.checks:
            table.add_row(*_line(check))
        out.print(table)
    reasons = dict.fromkeys(
        check.reason for check in verdict.checks if check.reason and check.outcome != "passed"
    )
    for text in [*reasons, *verdict.notes]:
        out.print(Text(f"- {text}"))


def _line(check: CheckResult) -> list[str | Text]:
    what = " ".join(filter(None, (check.metric, check.class_, check.slice)))
    difference = "-"
    if check.difference is not None and check.low is not None and check.high is not None:
        difference = f"{check.difference:+.3f} [{check.low:+.3f}, {check.high:+.3f}]"
    return [
        check.row,
        what,
        "-" if check.baseline is None else f"{check.baseline:.3f}",
        "-" if check.candidate is None else f"{check.candidate:.3f}",
        difference,
        Text(check.outcome, style=STYLES[check.outcome]),
    ]
