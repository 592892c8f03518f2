"""The stages as functions for notebooks: paths and plain options in, records out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skinbench.pipeline.judging import judge_subject, policy_of, run_subject
from skinbench.pipeline.prepared import Options, Prepared, prepare
from skinbench.pipeline.run import RunResult
from skinbench.pipeline.run import run_suite as _run_suite
from skinbench.pipeline.scoring import score_folder
from skinbench.records import Listener, Scorecard, Verdict, silent
from skinbench.report.board import Leaderboard
from skinbench.report.leaderboard import leaderboard as _leaderboard
from skinbench.store import RunFolder, open_store
from skinbench.suite import Suite, load_suite

__all__ = ["judge_run", "leaderboard", "load_suite", "make_plan", "run_suite", "score_run"]


def make_plan(suite: Suite, *, store: Path | str | None = None) -> Prepared:
    """What a suite amounts to: data read, splits audited, cells laid out; nothing is trained.

    Raises:
        SkinbenchError: the data or the suite do not allow it. A leak is only described.
    """
    opened = open_store(store)
    options = Options(folder=Path("reports") / suite.name, store=opened)
    return prepare(suite, options, enforce_leaks=False)


def run_suite(
    suite: Suite,
    *,
    out: Path | str | None = None,
    store: Path | str | None = None,
    address: str = "local",
    listener: Listener = silent,
) -> RunResult:
    """Run a suite, as `skinbench run` does; run it again to continue.

    Args:
        suite: from `load_suite`.
        out: run folder; `reports/<suite>` where not given.
        store: path or URL of the store; the user's cache where not given.
        address: `local`, or a Ray address.
        listener: is told what happens.
    """
    folder = Path(out) if out else Path("reports") / suite.name
    opened = open_store(store)
    command = f"skinbench run {suite.document.path or suite.name}"
    options = Options(folder=folder, store=opened, address=address, command=command)
    return _run_suite(suite, options, listener)


def score_run(run: Path | str) -> Scorecard:
    """Score the predictions of a run folder again; rewrites its scorecard.json."""
    return score_folder(RunFolder(Path(run)))


def judge_run(run: Path | str, baseline: Path | str, *, salt: str | None = None) -> Verdict:
    """Judge a run against a committed baseline, by the policy of its suite.

    Args:
        run: run folder.
        baseline: the file.
        salt: what its ids were salted with.

    Raises:
        BaselineError: the baseline was altered or cannot be read.
    """
    from skinbench.gate import read_baseline

    folder = RunFolder(Path(run))
    policy = policy_of(folder)
    subject = run_subject(folder, policy.checks)
    return judge_subject(subject, read_baseline(Path(baseline)), policy, salt=salt)


def leaderboard(runs: Path | str | Sequence[Path | str], *, sort: str | None = None) -> Leaderboard:
    """Rows of one or several runs, a table for each test set."""
    named = [runs] if isinstance(runs, (str, Path)) else runs
    return _leaderboard([RunFolder(Path(run)) for run in named], sort=sort)
