"""Checks as they are typed: `recall:mel margin=0.05 slice=sex=female`."""

from __future__ import annotations

import shlex

from pydantic import ValidationError

from skinbench.errors import UsageError, one_line
from skinbench.gate.checks import Check
from skinbench.suite.schema import Check as StatedCheck

MARGIN = 0.05
"""Of a check that names neither margin nor floor."""
_NUMBERS = ("margin", "floor", "alpha")
_SWITCH = {"true": True, "false": False}


def parse_check(text: str) -> Check:
    """A metric, its class after a colon, then what a check of a suite may say, as KEY=VALUE.

    Quotes hold a value with spaces together: `recall:mel slice="site=lower extremity"`.

    Raises:
        UsageError: a key that there is not, or a value that cannot be.
    """
    try:
        first, *words = shlex.split(text)
    except ValueError:
        raise _wrong(text, "expected METRIC:CLASS KEY=VALUE ...") from None
    metric, _, class_ = first.partition(":")
    stated: dict[str, object] = {"metric": metric, "class": class_ or None}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not value or key in stated:
            raise _wrong(text, f"'{word}' is not KEY=VALUE, each key once")
        stated[key] = _value(key, value)
    try:
        found = Check(**StatedCheck.model_validate(stated).model_dump())
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise _wrong(text, f"{where}: {problem['msg']}" if where else problem["msg"]) from None
    if found.margin is None and found.floor is None:
        return parse_check(f"{text} margin={MARGIN}")
    return found


def _value(key: str, text: str) -> object:
    if key in _NUMBERS:
        try:
            return float(text)
        except ValueError:
            return text
    return _SWITCH.get(text, text) if key == "required" else text


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(one_line(f"--check {text}: {why}; e.g. --check 'recall:mel margin=0.05'"))
