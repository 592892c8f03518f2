"""The gate: is this run's melanoma recall, or any other metric, worse than a baseline's?

Pure and closed by default: what is missing, undefined or not comparable never passes.
"""

from skinbench.gate.baseline import (
    make_baseline,
    read_baseline,
    verify_baseline,
    write_baseline,
)
from skinbench.gate.checks import DEFAULT_CHECKS, Check, matching_rows, validate_checks
from skinbench.gate.judge import judge, may_update
from skinbench.gate.output import verdict_to_junit, verdict_to_markdown

__all__ = [
    "DEFAULT_CHECKS",
    "Check",
    "judge",
    "make_baseline",
    "matching_rows",
    "may_update",
    "read_baseline",
    "validate_checks",
    "verdict_to_junit",
    "verdict_to_markdown",
    "verify_baseline",
    "write_baseline",
]
