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
