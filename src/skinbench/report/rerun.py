"""The command that makes one row of a run again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from skinbench.records import Row

_VALUED = frozenset(
    {"--out", "--store", "--address", "--workers", "--baseline", "--set", "--profile", "--only"}
)
_KEPT = frozenset({"--set", "--profile"})
"""What decides numbers; the others say where and how fast."""


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """A command, or why there is none."""

    command: str = ""
    note: str = ""


def rerun(command: str, row: Row, rows: Sequence[Row], folder: str) -> Rerun:
    """The command of a run, for one of its rows.

    Args:
        command: as the run was typed (run.json).
        row: the row to make again.
        rows: all rows of the run.
        folder: name of the new run folder under reports/, so that the old report stays.
    """
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if words[:2] != ["skinbench", "run"]:
        return Rerun(note="The run folder names no `skinbench run` that made it.")
    said = _suite_and_settings(words[2:])
    if said is None:
        return Rerun(note="The run folder names no suite that it was made from.")
    wanted, note = _asked_for(row, rows)
    if not wanted:
        return Rerun(note=note)
    line = ["skinbench", "run", *said, "--only", wanted, "--out", f"reports/{folder}"]
    return Rerun(command=shlex.join(line), note=note)


def _suite_and_settings(words: Sequence[str]) -> list[str] | None:
    """The suite and the options that change what is run."""
    suite, kept = "", []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if name in _VALUED:
            value = value if equals else next(rest, "")
            kept += [name, value] if name in _KEPT else []
        elif not word.startswith("-"):
            suite = suite or word
    return [suite, *kept] if suite else None


def _asked_for(row: Row, rows: Sequence[Row]) -> tuple[str, str]:
    """What `--only` has to name, and what a reader must know about it."""
    if row.kind == "plain":
        beside = next((r.name for r in rows if r.kind == "fit" and r.split == row.split), "")
        if not beside:
            return "", "This baseline comes with every row of its split; the run has no other."
        return beside, f"The baseline comes with every row of split {row.split}; here with one."
    if row.of:
        return row.of, f"This row judges what {row.of} predicts."
    if row.kind == "derived":
        return row.name, "Its members are made, or taken from the store, first."
    return row.name, "What it is built on (other rows' weights or maps) is made first."
