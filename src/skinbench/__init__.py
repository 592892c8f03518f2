"""skinbench: benchmarks of skin-lesion classifiers that can be trusted. Not a medical device.

The stages for notebooks, as narrow as the commands; each loads what it needs when called:

    suite = skinbench.load_suite("suites/quickstart.yaml")
    prepared = skinbench.make_plan(suite)
    result = skinbench.run_suite(suite)
    card = skinbench.score_run("reports/quickstart")
    verdict = skinbench.judge_run("reports/quickstart", "baseline.json")
    board = skinbench.leaderboard(["reports/quickstart"])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from skinbench.pipeline.notebook import (
        judge_run,
        leaderboard,
        load_suite,
        make_plan,
        run_suite,
        score_run,
    )

__all__ = [
    "__version__",
    "judge_run",
    "leaderboard",
    "load_suite",
    "make_plan",
    "run_suite",
    "score_run",
]


def __getattr__(name: str) -> Any:
    """Load the stages on first use, so that `import skinbench` costs nothing."""
    if name in __all__:
        return getattr(importlib.import_module("skinbench.pipeline.notebook"), name)
    raise AttributeError(f"module 'skinbench' has no attribute '{name}'")


def __dir__() -> list[str]:
    """What notebooks complete: the stages."""
    return __all__
