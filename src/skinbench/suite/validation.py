"""Pydantic's errors as one line that points into the file."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

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
        raise _first_problem(error, document, key) from error


def _first_problem(error: ValidationError, document: Document, key: Key) -> SuiteError:
    problems = error.errors(include_url=False)
    first = problems[0]
    where = (*key, *(part for part in first["loc"] if part != "[key]"))
    context: dict[str, Any] = dict(first.get("ctx") or {})
    if first["type"] == "unknown_key":
        where = (*where, context["key"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] not in ("unknown_key", "value_error", "missing"):
        shown = repr(first["input"])
        message += f", not {shown if len(shown) <= 60 else shown[:57] + '...'}"
    if first["type"] == "missing":
        message = "is required"
    if len(problems) > 1:
        message += f" (and {len(problems) - 1} more)"
    return document.error(message[0].lower() + message[1:], where)
