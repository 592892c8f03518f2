"""A verdict for machines and for pull requests: JUnit XML and Markdown, the same every time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree

from skinbench.records import CheckResult, Verdict
from skinbench.score.ends import end

_CONTROL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~@])")
WORSE, FEW = "worse within the margin", "few for this margin"
"""What the reason of a passed check may say, which nobody should overlook."""
_MARKS = "†‡§¶#"
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


def to_be_said(check: CheckResult) -> bool:
    """Whether the check's reason must be printed: it did not pass, or hardly."""
    return check.outcome != "passed" or WORSE in check.reason or FEW in check.reason


def leak_signs(stamps: Iterable[str]) -> dict[str, str]:
    """A sign for each sentence of a split whose leaks were kept, as reports have them."""
    known = dict.fromkeys(stamps)
    return {
        stamp: _MARKS[index % len(_MARKS)] * (index // len(_MARKS) + 1)
        for index, stamp in enumerate(known)
    }


def leak_marks(verdict: Verdict) -> dict[str, str]:
    """The signs of a verdict's rows, by sentence."""
    return leak_signs(check.stamp for check in verdict.checks if check.stamp)


def leak_lines(verdict: Verdict) -> list[str]:
    """The sentences, each after its sign."""
    return [f"{sign} {stamp}" for stamp, sign in leak_marks(verdict).items()]


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
    said = [f"verdict: {verdict.outcome}", *_files(verdict), *leak_lines(verdict), *verdict.notes]
    output.text = _clean("\n".join(said))
    ElementTree.indent(suite, " ")
    body = ElementTree.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _case(check: CheckResult, verdict: Verdict) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname=_clean(check.row), name=_clean(check_title(check))
    )
    said = [check.reason] if check.outcome == "passed" and to_be_said(check) else []
    if stamp := check.stamp:
        said.append(f"{leak_marks(verdict)[stamp]} {stamp}")
    if check.outcome == "passed":
        _add_output(case, said)
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
    _add_output(case, said)
    return case


def _add_output(case: ElementTree.Element, lines: list[str]) -> None:
    if lines:
        ElementTree.SubElement(case, "system-out").text = _clean("\n".join(lines))


def _files(verdict: Verdict) -> list[str]:
    return [files_line(verdict)] if verdict.files else []


def files_line(verdict: Verdict) -> str:
    """Which predictions were judged, and against what."""
    new, old = verdict.files
    return f"{new} beside the baseline {old}"


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
            *(_line(check, leak_marks(verdict)) for check in verdict.checks),
            "",
        ]
    lines += [f"- {_escape(text)}" for text in (*_files(verdict), *leak_lines(verdict))]
    lines += [f"- {_escape(note)}" for note in verdict.notes]
    return "\n".join(lines).rstrip("\n") + "\n"


def _line(check: CheckResult, marks: Mapping[str, str]) -> str:
    difference = _number(check.difference, "+.3f")
    if check.low is not None and check.high is not None:
        difference += f" \\({' to '.join(printed_bounds(check))}\\)"
    title = _escape(check_title(check)) + ("" if check.required else " \\(not required\\)")
    cells = [
        _escape(f"{check.row} {marks.get(check.stamp, '')}"),
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
