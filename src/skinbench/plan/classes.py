"""Classes that a suite names, held against the label spaces of its rows."""

from __future__ import annotations

from collections.abc import Sequence

from skinbench import registry
from skinbench.records import Plan
from skinbench.records.deciding import parse_decision
from skinbench.suite import Suite


def check_classes(suite: Suite, plan: Plan) -> None:
    """Gate checks, decision rules, operating points and claims name classes that the rows have.

    Raises:
        SuiteError: a class that no label space has, with its place in the suite.
    """
    known = sorted({code for row in plan.rows for code in row.classes})
    named: dict[str, list[str | None]] = {"gate": [check.class_ for check in suite.file.gate]}
    named["operating_points"] = [point.class_ for point in suite.file.operating_points]
    named["prevalence"] = [item.class_ for item in suite.file.prevalence]
    for part, classes in named.items():
        for index, asked in enumerate(classes):
            if asked is not None and asked not in known:
                hint = registry.suggest(asked, known)
                message = f"no class '{asked}' in the suite's label spaces; {hint}"
                raise suite.document.error(message, (part, index, "class"))
    _check_rules(suite, known)
    keys = {row.name: row.key for row in suite.rows}
    for row in plan.rows:
        for claim in row.claims:
            code = claim.get("class")
            if code is not None and code not in row.classes:
                hint = registry.suggest(str(code), row.classes)
                key = (*keys.get(row.name, ("derived", row.name)), "claims")
                raise suite.document.error(f"claim for unknown class '{code}'; {hint}", key)


def _check_rules(suite: Suite, known: Sequence[str]) -> None:
    """Decision rules of the gate are about classes of the suite."""
    rules: list[tuple[str, tuple[str | int, ...]]] = [
        (suite.file.gate_policy.decision, ("gate_policy", "decision"))
    ]
    for index, check in enumerate(suite.file.gate):
        if check.decision is not None:
            rules.append((check.decision, ("gate", index, "decision")))
    for text, key in rules:
        rule = parse_decision(text)
        if rule is not None and rule.class_ not in known:
            hint = registry.suggest(rule.class_, known)
            message = f"no class '{rule.class_}' in the suite's label spaces; {hint}"
            raise suite.document.error(message, key)
