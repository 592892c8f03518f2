"""The two Jinja environments. Both escape everything that is not marked as their own."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
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
    from skinbench.report import figures  # matplotlib, which a page in the terminal needs not

    environment = _environment()
    environment.globals.update(
        numbers=numbers, data_script=data_script, drawing_styles=figures.shared_styles()
    )
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


@pass_context
def _link(context: Context, value: object) -> Markup:
    """A path below the run folder as a target, from the folder that the page lies in."""
    return markdown.path(f"{context.get('root', '')}{value}")


@functools.cache
def _markdown_environment() -> Environment:
    environment = _environment()
    environment.finalize = markdown.escape
    environment.globals["numbers"] = numbers
    environment.filters.update(
        table=markdown.table, fenced=markdown.fenced, path=markdown.path, link=_link
    )
    return environment


class _Scripts:
    """The scripts of one page; their digests are all that its policy lets run."""

    HERE = "'sha256-here'"
    """Stands in the page's policy until all scripts are known."""

    def __init__(self) -> None:
        self._digests: dict[str, None] = {}

    def inline(self, name: str) -> Markup:
        """A file of page/ as a script element."""
        text = _script(name)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        self._digests[f"'sha256-{digest}'"] = None
        return Markup("<script>{}</script>").format(Markup(text))

    def allowed(self, page: str) -> str:
        """The page with the digests in its policy, which stands before anything from data."""
        return page.replace(self.HERE, " ".join(self._digests) or "'none'", 1)


@functools.cache
def _script(name: str) -> str:
    text = resources.files("skinbench.report").joinpath("page", *name.split("/")).read_text("utf-8")
    if "</script" in text.lower():
        raise ValueError(f"{name} ends a script element")
    return text


def data_script(name: str, value: object) -> Markup:
    """JSON for the page's scripts, under the id `data-<name>`; nothing in it ends the element."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    for character, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(character, code)
    return Markup('<script type="application/json" id="data-{}">{}</script>').format(
        name, Markup(text)
    )


def html_page(template: str, **values: object) -> str:
    """A template as HTML; values are escaped.

    In the template `script("views.js")` inlines a file of page/, `data_script(name, value)`
    gives scripts their data, and `scripts_here` stands for the policy's list of scripts.
    """
    scripts = _Scripts()
    page = _html_environment().get_template(template)
    text = page.render(script=scripts.inline, scripts_here=Markup(scripts.HERE), **values)
    return scripts.allowed(text)


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
