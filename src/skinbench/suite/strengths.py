"""Short forms of conditions in `evaluate:`: all strengths of one at once."""

from __future__ import annotations

import re
from typing import Any

from skinbench.suite.strict import listed

_RANGE = re.compile(r"(?P<name>[^@]+)@(?P<first>[1-5])-(?P<last>[1-5])")


def each_strength(value: Any) -> Any:
    """`blur@1-5` is short for blur@1 to blur@5; one condition for a list of one.

    Raises:
        ValueError: a range runs backwards.
    """
    items = listed(value)
    if not isinstance(items, list):
        return items
    found: list[Any] = []
    for item in items:
        parts = _RANGE.fullmatch(item) if isinstance(item, str) else None
        if parts is None:
            found.append(item)
            continue
        first, last = int(parts["first"]), int(parts["last"])
        if first > last:
            raise ValueError(f"'{item}': the range runs backwards; write {parts['name']}@1-5")
        found += [f"{parts['name']}@{strength}" for strength in range(first, last + 1)]
    return found
