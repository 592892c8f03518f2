"""Pydantic's errors as one line that points into the file."""

from __future__ import annotations

import difflib
import re
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from skinbench.errors import SuiteError
from skinbench.suite.document import Document, Key

M = TypeVar("M", bound=BaseModel)


def validate(kind: type[M], values: Any, document: Document, key: Key = ()) -> M:
    """Check values against a model.

    Raises:
        SuiteError: the first problem, with its line, and how many others there are.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _first_problem(error, values, document, key) from error


def _first_problem(error: ValidationError, values: Any, document: Document, key: Key) -> SuiteError:
    problems = error.errors(include_url=False)
    places = [_place(item, values) for item in problems]
    where = (*key, *places[0])
    message = _message(problems[0])
    others = len(set(places)) - 1
    if others:
        message += f" (and {others} more)"
    return document.error(message[0].lower() + message[1:], where)


def _place(problem: ErrorDetails, values: Any) -> Key:
    """Where a problem is, as a path into the values: pydantic adds the names of union members."""
    place: list[str | int] = []
    inside = values
    last = len(problem["loc"]) - 1
    for index, part in enumerate(problem["loc"]):
        here = inside if isinstance(inside, dict) else {}
        if isinstance(inside, list):
            here = dict(enumerate(inside))
        if part in here:
            place.append(part)
            inside = here[part]
        elif index == last and problem["type"] == "missing":
            place.append(part)
    if problem["type"] == "unknown_key":
        place.append(problem["ctx"]["key"])
    return tuple(place)


def _message(problem: ErrorDetails) -> str:
    kind, message = problem["type"], problem["msg"].removeprefix("Value error, ")
    if kind == "missing":
        return "is required"
    if kind in ("unknown_key", "value_error"):
        return message
    if kind == "string_pattern_mismatch":
        marks = "_./=,@-" if "/" in problem["ctx"]["pattern"] else "_.=,-"
        message = f"a name is letters, digits and {marks}, and starts with a letter or digit"
    shown = repr(problem["input"])
    message += f", not {shown if len(shown) <= 60 else shown[:57] + '...'}"
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
        near = difflib.get_close_matches(str(problem["input"]), allowed, n=1)
        message += f"; did you mean '{near[0]}'?" if near else ""
    return message
