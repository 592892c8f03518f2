"""The leaderboard over one or several runs: one table for each test set, never a mixed one.

Nothing is chosen on test: rows stand in the order of their suites, and are sorted by a metric
only where a reader asks for it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from skinbench import registry, store
from skinbench.errors import StoreError, UnknownNameError, UsageError, counted
from skinbench.records import LabelSpace, Plan, Row, Score, Scorecard
from skinbench.report import board, pages, standings, terminal
from skinbench.report.against_plain import unbeaten
from skinbench.report.board import BoardColumn, BoardRow, Leaderboard, SmokeRow, Status, TestSet
from skinbench.report.board_notes import board_notes
from skinbench.report.board_page import board_page
from skinbench.report.cells import slug
from skinbench.report.content import read_fits, read_label_spaces, read_paces, read_run_facts
from skinbench.report.row_facts import RunDetail, run_detail
from skinbench.report.tables import Scores
from skinbench.score.balance import balanced_name
from skinbench.store import RunFolder, from_plain, read_record

if TYPE_CHECKING:
    from rich.console import Console

OVERALL_COLUMNS = ("balanced_accuracy", "accuracy", "macro_f1", "macro_auroc")
FOCUS_CLASS = "mel"


def leaderboard(folders: Sequence[RunFolder], *, sort: str | None = None) -> Leaderboard:
    """Rows of all runs, by test set.

    Args:
        folders: run folders, each with a scorecard.json.
        sort: a metric, e.g. `balanced_accuracy` or `recall:mel`; None keeps the suites' order.

    Raises:
        StoreError: a folder has no scorecard.
        UsageError: no row has a score called `sort`, or a folder is named twice.
    """
    names = _run_names(folders)
    cards = {name: _scorecard(item) for name, item in zip(names, folders, strict=True)}
    tables: dict[tuple[object, ...], TestSet] = {}
    for (name, card), folder in zip(cards.items(), folders, strict=True):
        for key, table in _tables_of_run(name, folder, card, sort, named=len(names) > 1):
            known = tables.get(key)
            tables[key] = table if known is None else board.joined(known, table)
    found = list(tables.values())
    smoke = tuple(
        SmokeRow(run=name, row=row, reason=reason)
        for name, card in cards.items()
        for row, reason in card.smoke.items()
    )
    if sort is not None:
        found = _sorted_tables(found, sort)
    return Leaderboard(
        runs=tuple(names),
        sort=sort,
        tables=tuple(found),
        notes=board_notes(folders, cards.values(), smoke, found, sort),
        smoke=smoke,
    )


def _run_names(folders: Sequence[RunFolder]) -> list[str]:
    paths = [folder.root.resolve() for folder in folders]
    for path in paths:
        if paths.count(path) > 1:
            raise UsageError(f"{path} is named twice; name each run folder once")
    short = [path.name for path in paths]
    return [
        f"{path.parent.name}/{path.name}" if short.count(path.name) > 1 else path.name
        for path in paths
    ]


def _scorecard(folder: RunFolder) -> Scorecard:
    if not folder.scorecard.exists():
        raise StoreError(
            f"{folder.root} has no scorecard.json; run the suite into it first, "
            f"or name the folder of a finished run"
        )
    return read_record(folder.scorecard, Scorecard)


def _tables_of_run(
    run: str, folder: RunFolder, scorecard: Scorecard, sort: str | None, *, named: bool
) -> list[tuple[tuple[object, ...], TestSet]]:
    plan = read_record(folder.plan, Plan) if folder.plan.exists() else None
    reduced = read_run_facts(folder).reduced
    spaces = read_label_spaces(folder)
    scores = Scores(scorecard)
    rows = from_plain(tuple[Row, ...], list(scorecard.rows))
    places = {row.name: _places(row, rows, scores, plan) for row in rows}
    tables: dict[tuple[object, ...], TestSet] = {}
    for row in rows:
        if row.name in scorecard.smoke:
            continue
        for dataset, condition in places[row.name]:
            fresh = _empty_table(scorecard, row, (dataset, condition), spaces)
            key = _key(fresh)
            table = tables.setdefault(key, fresh)
            where = (row.name, dataset, condition)
            line = _board_row(run, row, where, (scorecard, scores, table, sort, reduced))
            tables[key] = board.with_rows(table, (*table.rows, line))
    about = run if named else ""
    return [(key, _noted(table, scorecard, about)) for key, table in tables.items()]


def _noted(table: TestSet, scorecard: Scorecard, run: str) -> TestSet:
    """The table with what its signs mean, said once for all metrics of a reference."""
    signed = {k for row in table.rows for k, item in row.standings.items() if standings.sign(item)}
    notes: dict[str, list[str]] = {}
    for family in scorecard.families:
        if (
            (family.split, family.condition) == (table.split, table.condition)
            and family.dataset in (table.dataset, "")
            and standings.column_key(family) in signed
        ):
            note = standings.family_note(family, scorecard.level, run)
            notes.setdefault(note, []).append(standings.column_key(family))
    said = {note: tuple(columns) for note, columns in notes.items()}
    return dataclasses.replace(table, comparisons=said)


def _places(
    row: Row, rows: Sequence[Row], scores: Scores, plan: Plan | None
) -> list[tuple[str, str]]:
    """(dataset, condition) that a row is judged on, also where it has no score."""
    own = scores.places(row.name)
    if own:
        return own
    if plan is not None:
        cells = {cell.name for cell in plan.cells if cell.row == row.name}
        cells |= {item.cell.name for item in plan.derived if item.cell.row == row.name}
        planned = [
            (e.dataset, condition)
            for e in plan.evaluations
            if e.cell in cells and not e.only
            for condition in (e.condition, *([balanced_name(e.condition)] if e.balanced else ()))
        ]
        if planned:
            return list(dict.fromkeys(planned))
    beside = [other for other in rows if other.split == row.split and scores.places(other.name)]
    return scores.places(beside[0].name)[:1] if beside else [("", "none")]


def _empty_table(
    scorecard: Scorecard, row: Row, place: tuple[str, str], spaces: Mapping[str, LabelSpace]
) -> TestSet:
    dataset, condition = place
    name = dataset or (next(iter(scorecard.datasets)) if len(scorecard.datasets) == 1 else "")
    space = spaces.get(name)
    focus = focus_class(row.classes, space.malignant if space else ())
    columns = [BoardColumn(metric=metric) for metric in OVERALL_COLUMNS]
    if focus is not None:  # first, so that a narrow screen shows them without scrolling
        pair = [BoardColumn(metric=metric, class_=focus) for metric in ("recall", "specificity")]
        columns = [*pair, *columns]
    return TestSet(
        dataset=name,
        dataset_digest=scorecard.datasets.get(name, ""),
        split=row.split,
        split_digest=scorecard.splits.get(row.split, ""),
        condition=condition,
        classes=row.classes,
        focus=focus,
        level=scorecard.level,
        columns=tuple(columns),
        rows=(),
    )


def focus_class(classes: Sequence[str], malignant: Sequence[str]) -> str | None:
    """`mel`, else the first malignant class, else None."""
    if FOCUS_CLASS in classes:
        return FOCUS_CLASS
    return next((code for code in classes if code in malignant), None)


def _key(table: TestSet) -> tuple[object, ...]:
    """Rows with equal keys were judged on the same images, classes and level."""
    data = table.dataset_digest or table.dataset
    split = table.split_digest or table.split
    return (data, split, table.condition, table.classes, table.level)


_SHOWN_CELLS = 3
_RowContext = tuple[Scorecard, Scores, TestSet, str | None, Mapping[str, str]]


def _board_row(run: str, row: Row, where: tuple[str, str, str], context: _RowContext) -> BoardRow:
    scorecard, scores, table, sort, reduced = context
    columns = [*table.columns, *board.sort_columns(sort)]
    found = {column.key: scores.find(where, column.metric, column.class_) for column in columns}
    counted = [score for score in found.values() if score is not None]
    positives = [s.n_positive for s in counted if s.class_ == table.focus and s.class_ is not None]
    status, reason = _status(scorecard, row.name)
    images = max((score.n for score in counted), default=0)
    return BoardRow(
        run=run,
        row=row.name,
        kind=row.kind,
        model=row.model,
        input=row.input,
        technique=row.technique,
        split=row.split,
        status=status if images or status != "done" else "missing",
        reason=reason or ("" if images else _why_unscored(counted)),
        stamp=scorecard.stamps.get(row.split, ""),
        reduced=reduced.get(row.of or row.name, ""),
        notes=(*row.notes, *_learnt(scorecard, row.name)),
        unbeaten=unbeaten(scorecard).get(where[:2], ()) if where[2] == "none" else (),
        n=images or None,
        n_positive=positives[0] if positives and images else None,
        scores=found,
        standings={
            key: standing
            for key, (_, standing) in standings.find_standings(
                scorecard, row.name, row.split, (where[1], where[2])
            ).items()
        },
    )


def _learnt(scorecard: Scorecard, row: str) -> list[str]:
    """What the cells of a derived row were fitted to on val, the first few."""
    said = [
        cell.learnt if not (cell.fold or cell.seed) else f"{cell.cell}: {cell.learnt}"
        for cell in scorecard.cells
        if cell.row == row and cell.learnt
    ]
    more = len(said) - _SHOWN_CELLS
    return said[:_SHOWN_CELLS] + ([f"and {counted(more, 'cell')} more"] if more > 0 else [])


def _why_unscored(scores: Sequence[Score]) -> str:
    said = next((score.reason for score in scores if score.reason), "")
    return said or "the scorecard has no score of this row"


def _status(scorecard: Scorecard, row: str) -> tuple[Status, str]:
    cells = [cell for cell in scorecard.cells if cell.row == row]
    undone = [cell for cell in cells if cell.status != "done"]
    if not cells:
        return "missing", "no cell of this row was run"
    if not undone:
        return "done", ""
    reason = undone[0].reason or "no reason was recorded"
    if len(undone) == len(cells):
        return undone[0].status, reason
    return "partial", f"{len(undone)} of {len(cells)} cells without predictions: {reason}"


def _sorted_tables(tables: Sequence[TestSet], sort: str) -> list[TestSet]:
    first = board.sort_columns(sort)
    column = first[0]
    if not any(row.scores.get(column.key) for table in tables for row in table.rows):
        known = sorted({c.key for table in tables for c in table.columns})
        raise UsageError(
            f"cannot sort by '{sort}': no row has such a score; {registry.suggest(sort, known)}"
        )
    higher = True
    with contextlib.suppress(UnknownNameError):
        higher = registry.metrics.get(column.metric).higher_is_better

    def rank(row: BoardRow) -> tuple[bool, float]:
        score: Score | None = row.scores.get(column.key)
        if score is None or score.value is None:
            return (True, 0.0)
        return (False, -score.value if higher else score.value)

    found = []
    for table in tables:
        shown = (*first, *(item for item in table.columns if item not in first))
        ordered = board.with_rows(table, tuple(sorted(table.rows, key=rank)), shown)
        ranked = any(column.key in row.standings for row in table.rows)
        found.append(dataclasses.replace(ordered, ranked_by=column.key if ranked else ""))
    return found


# --- the four forms ------------------------------------------------------------------------


def to_plain(leaderboard: Leaderboard) -> Any:
    """The leaderboard as JSON values: the shape of `skinbench report --json`."""
    return store.to_plain(leaderboard)


def to_markdown(leaderboard: Leaderboard) -> str:
    """The leaderboard alone, as a Markdown page."""
    return pages.markdown_page("leaderboard.md.j2", view=board.view(leaderboard))


def to_html(
    leaderboard: Leaderboard, folders: Sequence[RunFolder], place: Path | None = None
) -> str:
    """The leaderboard alone, as one self-contained HTML page.

    Args:
        leaderboard: rows of the runs.
        folders: of its runs, in their order.
        place: file that the page is written to; where it is known, rows lead to the reports of
            their runs.
    """
    runs = {
        name: _detail(folder, place) for name, folder in zip(leaderboard.runs, folders, strict=True)
    }
    return pages.html_page(
        "leaderboard.html.j2",
        view=board.view(leaderboard),
        page=board_page(leaderboard, runs),
    )


def _detail(folder: RunFolder, place: Path | None) -> RunDetail:
    card = _scorecard(folder)
    detail = run_detail(card, read_fits(folder), read_paces(folder))
    if place is None:
        return detail
    path = os.path.relpath(folder.html.resolve(), place.resolve().parent)
    known = [
        (str(row["name"]), *where)
        for row in card.rows
        for where in detail.scores.places(str(row["name"]))
    ]
    slugs = {item: slug(*item) for item in known}
    return dataclasses.replace(detail, slugs=slugs, page=quote(Path(path).as_posix()))


def to_terminal(leaderboard: Leaderboard, console: Console) -> None:
    """Print the leaderboard, with as many columns as the console is wide."""
    terminal.show(leaderboard, console)


__all__ = [
    "Leaderboard",
    "focus_class",
    "leaderboard",
    "to_html",
    "to_markdown",
    "to_plain",
    "to_terminal",
]
