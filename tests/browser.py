"""Waiting for a page in a real browser."""

from __future__ import annotations

import time
from typing import Any

PATIENCE = 120.0
"""Seconds."""


def until(page: Any, expression: str, argument: Any = None) -> None:
    """Wait until JavaScript says true; AssertionError after 120 s.

    Playwright's `wait_for_function` polls by `eval`, which the pages' content security policy
    refuses from the second poll on.
    """
    end = time.monotonic() + PATIENCE
    while not page.evaluate(expression, argument):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(20)


def shows(page: Any, view: str) -> None:
    """Wait until the report shows a view: an address is followed a moment after it changed."""
    shown = "[...document.querySelectorAll('section.view')].filter(v => !v.hidden).map(v => v.id)"
    until(page, f"view => `${{{shown}}}` === view", view)


def address(page: Any) -> str:
    """The page's address; Playwright's own `url` hears of a new state a moment later."""
    found: str = page.evaluate("location.href")
    return found
