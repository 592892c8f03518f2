"""Which rows moved from run to run, and since when; no torch, no Ray."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from skinbench.errors import SkinbenchError
from skinbench.pipeline.comparing import compare_runs
from skinbench.records.run_difference import ScoreChange
from skinbench.records.run_history import Move, MoveVerdict, RowHistory, RunPoint
from skinbench.report.board import BoardRow, Leaderboard, TestSet
from skinbench.report.content import RunFacts, read_run_facts
from skinbench.store import RunFolder

_OVERALL = ("balanced_accuracy",)
_Key = tuple[str, str, str, str | None]
"""Earlier run, row, metric, class; of the change to the next run that has the row."""


def run_history(folders: Sequence[RunFolder], leaderboard: Leaderboard) -> tuple[RowHistory, ...]:
    """Rows that stand in two or more runs of one table, by what they are looked at for.

    Each run is held against the one before it that has the row, image by image; the metrics are
    balanced accuracy, and recall and specificity of the focus class.

    Args:
        folders: the runs.
        leaderboard: of the same runs, in the same order. Rows of different test sets stand in
            different tables of it, so they never follow each other here.
    """
    known = dict(zip(leaderboard.runs, folders, strict=True))
    facts = {name: read_run_facts(folder) for name, folder in known.items()}
    order = sorted(known, key=lambda name: (not facts[name].started, facts[name].started, name))
    found: list[RowHistory] = []
    for table in leaderboard.tables:
        if table.condition == "none":
            found += _of_table(table, order, known, facts)
    return tuple(found)


def _of_table(
    table: TestSet,
    order: Sequence[str],
    known: Mapping[str, RunFolder],
    facts: Mapping[str, RunFacts],
) -> Iterator[RowHistory]:
    lines: dict[str, dict[str, BoardRow]] = {}
    for row in table.rows:
        if row.kind != "plain" and row.n is not None:
            lines.setdefault(row.row, {})[row.run] = row
    lines = {name: runs for name, runs in lines.items() if len(runs) > 1}
    metrics = [*_OVERALL]
    if table.focus:
        metrics += [f"recall:{table.focus}", f"specificity:{table.focus}"]
    changes = _changes(lines, order, known, metrics)
    for name, runs in lines.items():
        ordered = [run for run in order if run in runs]
        for metric in metrics:
            short, _, class_ = metric.partition(":")
            points = tuple(_point(runs[run], facts[run], metric) for run in ordered)
            moves = tuple(
                _move(new, old, changes.get((old, name, short, class_ or None)), table.level)
                for old, new in itertools.pairwise(ordered)
            )
            yield RowHistory(
                row=name,
                dataset=table.dataset,
                split=table.split,
                metric=short,
                class_=class_ or None,
                points=points,
                moves=moves,
            )


def _changes(
    lines: Mapping[str, Mapping[str, BoardRow]],
    order: Sequence[str],
    known: Mapping[str, RunFolder],
    metrics: Sequence[str],
) -> dict[_Key, ScoreChange]:
    """Rows of two runs that follow each other are compared at once: Holm is over them."""
    steps: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for name, runs in lines.items():
        ordered = [run for run in order if run in runs]
        for step in itertools.pairwise(ordered):
            steps.setdefault(step, []).append((name, name))
    found: dict[_Key, ScoreChange] = {}
    for (old, new), pairs in steps.items():
        try:
            compared = compare_runs(known[old], known[new], pairs=pairs, metrics=metrics)
        except SkinbenchError:
            continue  # predictions that are gone: the scores stand beside each other all the same
        for change in compared.scores:
            found[old, change.row, change.metric, change.class_] = change
    return found


def _point(row: BoardRow, facts: RunFacts, metric: str) -> RunPoint:
    score = row.scores.get(metric)
    return RunPoint(
        run=row.run,
        started=facts.started,
        version=facts.version,
        commit=facts.commit,
        value=score.value if score else None,
        low=score.low if score else None,
        high=score.high if score else None,
    )


def _move(new: str, old: str, change: ScoreChange | None, level: float) -> Move:
    if change is None or change.difference is None or not change.paired:
        reason = change.reason if change else "predictions are not there to pair"
        return Move(run=new, before=old, difference=None, verdict="not compared", reason=reason)
    verdict: MoveVerdict = "not separable"
    if change.difference == 0 and change.low == change.high == 0:
        verdict = "unchanged"
    elif change.p_holm is not None and change.p_holm < 1 - level:
        verdict = "higher" if change.difference > 0 else "lower"
    return Move(
        run=new,
        before=old,
        difference=change.difference,
        low=change.low,
        high=change.high,
        p_holm=change.p_holm,
        verdict=verdict,
        reason=change.reason,
    )
