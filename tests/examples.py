"""How many drawn examples a property is tried on: all in `make test`, a quarter in `make check`."""

from __future__ import annotations

import os


def examples(whole: int) -> int:
    """`whole`, or a quarter of it where SKINBENCH_QUICK_TESTS is set; never under five."""
    return max(5, whole // 4) if os.environ.get("SKINBENCH_QUICK_TESTS") else whole
