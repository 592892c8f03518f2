"""A verdict for machines and for pull requests: JUnit XML and Markdown, the same every time."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from skinbench.records import CheckResult, Verdict
from skinbench.score.ends import end

_CONTROL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~@])")
_WORDS = {
    "passed": "passed",
    "regressed": "**regressed**",
    "inconclusive": "inconclusive",
    "missing": "**missing**",
}


def check_title(check: CheckResult) -> str:
    """E.g. `recall of mel, sex=female`, and what decides where that is the check's own."""
    name = check.metric + (f" of {check.class_}" if check.class_ else "")
    name += f", {check.slice}" if check.slice else ""
    return name + (f", by {check.decision}" if check.decision else "")


def check_lines(check: CheckResult) -> tuple[float, ...]:
    """Differences that the outcome follows from: 0, and a loss of the margin."""
    return (0.0,) if check.margin is None else (0.0, -check.margin, check.margin)


def printed_bounds(check: CheckResult) -> tuple[str, str]:
    """Both bounds of the difference, with digits that show where they lie."""
    lines = check_lines(check)
    low, high = check.low or 0.0, check.high or 0.0
    return end(low, lines, sign=True), end(high, lines, sign=True)


def verdict_to_junit(verdict: Verdict) -> str:
    """JUnit XML: a test case for each check; regressed and inconclusive fail, missing is an error.

    A check that is not required and did not pass is skipped. So is one that is not missing where
    the verdict exits with 0: the policy only warns of what is inconclusive. A verdict without
    checks, or one that failed for all of them together, has a case of its own.
    """
    cases = [_case(check, verdict) for check in verdict.checks]
    bad = any(case.find(kind) is not None for case in cases for kind in ("failure", "error"))
    if verdict.outcome != "passed" and verdict.exit_code != 0 and not bad:
        case = ElementTree.Element("testcase", classname="skinbench.gate", name="verdict")
        ElementTree.SubElement(case, "error", message=f"verdict: {verdict.outcome}")
        cases.append(case)
    suite = ElementTree.Element(
        "testsuite",
        name="skinbench gate",
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
    )
    suite.extend(cases)
    output = ElementTree.SubElement(suite, "system-out")
    output.text = _clean("\n".join([f"verdict: {verdict.outcome}", *verdict.notes]))
    ElementTree.indent(suite, " ")
    body = ElementTree.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _case(check: CheckResult, verdict: Verdict) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname=_clean(check.row), name=_clean(check_title(check))
    )
    if check.outcome == "passed":
        return case
    if not check.required:
        kind = "skipped"
    elif check.outcome == "missing":
        kind = "error"
    elif verdict.exit_code == 0:
        kind = "skipped"
    else:
        kind = "failure"
    word = (
        "refused" if verdict.outcome == "refused" and check.outcome == "missing" else check.outcome
    )
    message = _clean(f"{word}: {check.reason}")
    ElementTree.SubElement(case, kind, message=message)
    return case


def _clean(text: str) -> str:
    """Text without characters that XML cannot hold."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def verdict_to_markdown(verdict: Verdict) -> str:
    """A table of the checks with the verdict above and the notes below; names are escaped."""
    lines = [
        f"**skinbench gate: {verdict.outcome}** (exit code {verdict.exit_code}; decisions by "
        f"{_escape(verdict.decision_rule)})",
        "",
    ]
    if verdict.checks:
        lines += [
            "| row | check | outcome | baseline | candidate | difference | lesion groups | why |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *(_line(check) for check in verdict.checks),
            "",
        ]
    lines += [f"- {_escape(note)}" for note in verdict.notes]
    return "\n".join(lines).rstrip("\n") + "\n"


def _line(check: CheckResult) -> str:
    difference = _number(check.difference, "+.3f")
    if check.low is not None and check.high is not None:
        difference += f" \\({' to '.join(printed_bounds(check))}\\)"
    title = _escape(check_title(check)) + ("" if check.required else " \\(not required\\)")
    cells = [
        _escape(check.row),
        title,
        _WORDS[check.outcome],
        _number(check.baseline, ".3f"),
        _number(check.candidate, ".3f"),
        difference,
        str(check.n_groups),
        _escape(check.reason),
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None, form: str) -> str:
    return "none" if value is None else format(value, form)


def _escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    flat = " ".join(_clean(text).split())
    flat = flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", flat)
