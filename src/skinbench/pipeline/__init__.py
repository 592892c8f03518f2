"""The straight line from a suite to its report: one call per stage, in order."""

from skinbench.pipeline.prepared import Options, Prepared, prepare
from skinbench.pipeline.run import RunResult, render, run_suite

__all__ = ["Options", "Prepared", "RunResult", "prepare", "render", "run_suite"]
