"""The two Jinja environments. Both escape everything that is not marked as their own."""

from __future__ import annotations

import functools

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from skinbench.report import markdown, numbers

_LONG_WORD = 10


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("skinbench.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@functools.cache
def _html_environment() -> Environment:
    environment = _environment()
    environment.globals["numbers"] = numbers
    environment.filters["breakable"] = _breakable
    return environment


def _breakable(value: str) -> Markup:
    """A name whose line may break after `/`, `,`, `_` and the like."""
    words = str(value).split(" ")
    joint = Markup("<wbr>")
    return Markup(" ").join(
        joint.join(numbers.pieces(word)) if len(word) > _LONG_WORD else escape(word)
        for word in words
    )


@functools.cache
def _markdown_environment() -> Environment:
    environment = _environment()
    environment.finalize = markdown.escape
    environment.globals["numbers"] = numbers
    environment.filters.update(table=markdown.table, fenced=markdown.fenced, path=markdown.path)
    return environment


def html_page(template: str, **values: object) -> str:
    """A template as HTML; values are escaped."""
    return _html_environment().get_template(template).render(**values)


def markdown_page(template: str, **values: object) -> str:
    """A template as Markdown; values are escaped, runs of empty lines become one."""
    text = _markdown_environment().get_template(template).render(**values)
    found: list[str] = []
    fence = ""
    for line in text.splitlines():
        stripped = line.strip("`")
        if line.startswith("```"):
            ticks = line[: len(line) - len(line.lstrip("`"))]
            fence = ticks if not fence else ("" if ticks == fence and not stripped else fence)
        if line or fence or (found and found[-1]):
            found.append(line)
    return "\n".join(found).strip("\n") + "\n"
