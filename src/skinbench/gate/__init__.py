"""The gate: is this run's melanoma recall, or any other metric, worse than a baseline's?

Pure and closed by default: what is missing, undefined or not comparable never passes.
"""

from skinbench.gate.baseline import (
    make_baseline,
    read_baseline,
    verify_baseline,
    write_baseline,
)
from skinbench.gate.checks import (
    DEFAULT_CHECKS,
    Check,
    default_checks,
    matching_rows,
    validate_checks,
)
from skinbench.gate.judge import judge, may_update
from skinbench.gate.output import verdict_to_junit, verdict_to_markdown
from skinbench.gate.policy import Policy
from skinbench.gate.typed import parse_check
from skinbench.gate.uses import count_in_ledger, ledger_path, read_ledger
from skinbench.records.deciding import DecisionRule, parse_decision

__all__ = [
    "DEFAULT_CHECKS",
    "Check",
    "DecisionRule",
    "Policy",
    "count_in_ledger",
    "default_checks",
    "judge",
    "ledger_path",
    "make_baseline",
    "matching_rows",
    "may_update",
    "parse_check",
    "parse_decision",
    "read_baseline",
    "read_ledger",
    "validate_checks",
    "verdict_to_junit",
    "verdict_to_markdown",
    "verify_baseline",
    "write_baseline",
]
