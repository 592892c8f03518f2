"""Text and tables as GitHub-flavoured Markdown in which nothing from data has a meaning."""

from __future__ import annotations

import re
from urllib.parse import quote

from markupsafe import Markup

from skinbench.report.numbers import lines, one_line
from skinbench.report.tables import Entry, Table

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_INTERVAL = re.compile(r"\[-?\d+\.\d+, -?\d+\.\d+\]")
"""Our own text: brackets around two numbers make no link."""
_PUNCTUATION = re.compile(r"[\\`*{}\[\]|#!~$]|(?<![^\W_])_|_(?![^\W_])")
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_LIST_MARK = re.compile(r"^([-+=]|\d+[.)])(?=\s|$|[-=])")


def escape(value: object) -> Markup:
    """One line of text as it is: no emphasis, link, picture, mention, cell border or HTML."""
    if hasattr(value, "__html__"):
        return Markup(value)
    text = _PUNCTUATION.sub(lambda match: "\\" + match[0], one_line(value))
    text = "".join(_ENTITIES.get(character, character) for character in text)
    text = _MENTION.sub("@<!-- -->", text)
    text = _LIST_MARK.sub(lambda match: f"{match[1][:-1]}\\{match[1][-1]}", text)
    return Markup(text)


def fenced(value: object, language: str = "") -> Markup:
    """A block of code, fenced by more backticks than the text holds."""
    text = lines(value).rstrip("\n")
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}{language}\n{text}\n{fence}")


def path(value: object) -> Markup:
    """A relative path as the target of a link or picture."""
    return Markup(quote(str(value), safe="/-._~"))


def table(value: Table) -> Markup:
    """A table with its footnotes; numbers are aligned to the right."""
    heads = [f"| {' | '.join(escape(column.title) for column in value.columns)} |"]
    rules = ["---:" if column.numeric else "---" for column in value.columns]
    heads.append(f"| {' | '.join(rules)} |")
    body = [f"| {' | '.join(_entry(entry) for entry in row)} |" for row in value.rows]
    notes = [f"\n{escape(note)}" for note in value.notes]
    return Markup("\n".join([*heads, *body, *notes]))


def _entry(entry: Entry) -> str:
    text = str(escape(entry.text))
    if entry.mark:
        text += f" {escape(entry.mark)}"
    if entry.near:
        text += f" {escape(entry.near)}"
    if entry.detail:
        is_interval = _INTERVAL.fullmatch(entry.detail)
        text += f" {entry.detail if is_interval else escape(entry.detail)}"
    if entry.why:
        text += f" ({escape(entry.why)})"
    return text
