"""The leaderboard of the page: every column to choose from, rows with what filters ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from skinbench.records import ClaimResult, Comparison, Score
from skinbench.report import board, numbers, standings, tables
from skinbench.report.axes import Axis, axis_of
from skinbench.report.board import BoardRow, Leaderboard, TestSet
from skinbench.report.claims import VERDICT_TONES
from skinbench.report.page_columns import GROUP_TITLES, Group, PageColumn, columns_of
from skinbench.report.row_facts import Cost, RunDetail
from skinbench.report.tables import Bar, Entry

_NAMED = 2
"""So many baselines that a row does not beat are counted in it, not named."""


@dataclass(frozen=True, kw_only=True)
class ClaimMark:
    """A published number beside the measured one."""

    text: str
    """`claimed 0.81`."""
    verdict: str
    tone: str
    value: float
    at: float | None
    """Where the column's axis has it, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class PageCell:
    """One field."""

    entry: Entry
    bar: Bar | None = None
    """The interval along the column's axis."""
    beyond: Literal["", "under", "over"] = ""
    """Where a baseline's value lies, if not on the axis."""
    rank: str = ""
    """`rank 2-4`: those that are not excluded."""
    unbeaten: bool = False
    """The best of its column, or not separable from it."""
    claims: tuple[ClaimMark, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PageRow:
    """One row of a table."""

    name: str
    address: str
    """Of the cell's view; empty where there is none."""
    made: str
    state: str
    tone: str
    facets: Mapping[str, str]
    """What filters ask about: dataset, split, model, input, technique, run."""
    cells: tuple[PageCell, ...]
    leaky: bool = False


@dataclass(frozen=True, kw_only=True)
class PageTable:
    """One test set."""

    name: str
    title: str
    about: str
    """How many images and rows."""
    intervals: str
    """What the intervals of its scores are."""
    leaky: str
    """The leak stamp; empty for a clean split."""
    columns: tuple[PageColumn, ...]
    rows: tuple[PageRow, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BoardPage:
    """The leaderboard of a page."""

    tables: tuple[PageTable, ...]
    runs: tuple[tuple[str, str], ...] = ()
    """(name, address of its report) of each run that has a page elsewhere."""
    groups: Mapping[Group, str] = field(default_factory=lambda: GROUP_TITLES)


def board_page(leaderboard: Leaderboard, runs: Mapping[str, RunDetail]) -> BoardPage:
    """Lay out a leaderboard.

    Args:
        leaderboard: rows by test set.
        runs: by name, what stands beside the scores of each run.
    """
    several = len(leaderboard.runs) > 1  # else its name is that of a folder, which may be moved
    return BoardPage(
        tables=tuple(
            _page_table(table, f"leaderboard-{index}", runs, several)
            for index, table in enumerate(leaderboard.tables, 1)
        ),
        runs=tuple(
            (numbers.one_line(name), detail.page) for name, detail in runs.items() if detail.page
        ),
    )


def _page_table(
    table: TestSet, name: str, runs: Mapping[str, RunDetail], several: bool
) -> PageTable:
    plain = columns_of(table, runs, several)
    lines = tuple(_page_row(row, table, plain, runs[row.run]) for row in table.rows)
    networks = [line for line, row in zip(lines, table.rows, strict=True) if row.kind != "plain"]
    compared = networks or lines  # a majority's 0 would make every axis a long one
    columns = tuple(
        _with_axis(column, [line.cells[index] for line in compared])
        for index, column in enumerate(plain)
    )
    stamps = [numbers.one_line(f"{sign} {stamp}") for stamp, sign in board.marks(table).items()]
    return PageTable(
        name=name,
        title=table.title,
        about=_about(table),
        intervals=f"{numbers.level(table.level)} intervals by lesion group",
        leaky=stamps[0] if stamps else "",
        columns=columns,
        rows=tuple(_placed(line, columns) for line in lines),
        notes=tuple(note for note in board.footnotes(table) if note not in stamps[:1]),
    )


def _with_axis(column: PageColumn, cells: Sequence[PageCell]) -> PageColumn:
    """The column with an axis that holds these intervals, and what was claimed there."""
    bars = [cell.entry.bar for cell in cells if cell.entry.bar is not None]
    claimed = [claim.value for cell in cells for claim in cell.claims if 0 <= claim.value <= 1]
    ends = [value for bar in bars for value in (bar.low, bar.value, bar.high)]
    return dataclasses.replace(column, axis=axis_of([*ends, *claimed]) if ends else None)


def _placed(row: PageRow, columns: Sequence[PageColumn]) -> PageRow:
    """The row with its bars and claims along the axes of their columns."""
    cells = tuple(
        cell if column.axis is None else _along(cell, column.axis)
        for cell, column in zip(row.cells, columns, strict=True)
    )
    return dataclasses.replace(row, cells=cells)


def _along(cell: PageCell, axis: Axis) -> PageCell:
    bar = cell.entry.bar
    if bar is None:
        return cell
    claims = tuple(
        dataclasses.replace(claim, at=axis.at(claim.value) if 0 <= claim.value <= 1 else None)
        for claim in cell.claims
    )
    return dataclasses.replace(
        cell, bar=axis.scaled(bar), beyond=axis.beyond(bar.value), claims=claims
    )


def _about(table: TestSet) -> str:
    """`12 rows, 280 images, 31 of mel`."""
    said = [numbers.counted(len(table.rows), "row")]
    images = [row.n for row in table.rows if row.n is not None]
    if images:
        said.append(numbers.counted(max(images), "image"))
    positives = {row.n_positive for row in table.rows if row.n_positive is not None}
    if table.focus and len(positives) == 1:
        said.append(f"{numbers.count(positives.pop())} of {table.focus}")
    return numbers.one_line(", ".join(said))


# --- rows --------------------------------------------------------------------------------------


def _page_row(
    row: BoardRow, table: TestSet, columns: Sequence[PageColumn], run: RunDetail
) -> PageRow:
    where = (row.row, table.dataset, table.condition)
    scores = {
        (score.metric if score.class_ is None else f"{score.metric}:{score.class_}"): score
        for score in run.scores.of(where)
        if score.slice is None
    }
    several = any(column.key == "run" for column in columns)
    mark = board.marks(table).get(row.stamp, "")
    status = board.status_entry(row)
    undone = row.status != "done"
    state = status.text if undone else _unbeaten(row)
    return PageRow(
        name=numbers.one_line(row.row),
        leaky=bool(row.stamp),
        address=f"{run.page}#cell-{run.slugs[where]}" if where in run.slugs else "",
        made=numbers.one_line(board.made_of(row)),
        state=state,
        tone=status.tone if undone else "warn" if state else "",
        facets={
            "dataset": numbers.one_line(table.dataset),
            "split": numbers.one_line(table.split),
            "model": numbers.one_line(row.model),
            "input": numbers.one_line(row.input),
            "technique": numbers.one_line(row.technique),
            **({"run": numbers.one_line(row.run)} if several else {}),
        },
        cells=tuple(_cell(column, row, scores, (where, mark, run)) for column in columns),
    )


def _unbeaten(row: BoardRow) -> str:
    """The mark of a row that does not beat the baselines; a note of the table names several."""
    few = len(row.unbeaten) < _NAMED
    return board.unbeaten_text(row) if few else f"does not beat {len(row.unbeaten)} baselines"


_Context = tuple[tuple[str, str, str], str, RunDetail]


def _cell(
    column: PageColumn, row: BoardRow, scores: Mapping[str, Score], context: _Context
) -> PageCell:
    run = context[2]
    if column.group in ("score", "more"):
        return _score_cell(row, scores.get(column.key), column.key, context)
    if column.group == "gap":
        return PageCell(entry=_gap(row, run.gaps.get((row.row, column.key.removeprefix("gap:")))))
    if column.group == "cost":
        return PageCell(entry=_cost(column.key, run.costs.get(row.row) or Cost()))
    if column.group == "count":
        return PageCell(entry=tables.integer(row.n if column.key == "n" else row.n_positive))
    return PageCell(entry=tables.words(getattr(row, column.key)))


def _score_cell(row: BoardRow, score: Score | None, key: str, context: _Context) -> PageCell:
    where, mark, run = context
    entry = tables.measure(score)
    if row.n is None:
        return PageCell(entry=dataclasses.replace(entry, why=""))
    standing = row.standings.get(key)
    sign = standings.sign(standing)
    ranks = standings.rank(standing).text
    return PageCell(
        entry=dataclasses.replace(entry, near=sign, mark=mark if entry.sort is not None else ""),
        rank=f"rank {ranks}" if ranks != numbers.MISSING else "",
        unbeaten=bool(sign) and entry.sort is not None,
        claims=tuple(dict.fromkeys(_claim(claim) for claim in run.claims.get((where, key), ()))),
    )


def _claim(claim: ClaimResult) -> ClaimMark:
    return ClaimMark(
        text=numbers.one_line(f"claimed {claim.printed or numbers.number(claim.claimed)}"),
        verdict=claim.verdict,
        tone=VERDICT_TONES.get(claim.verdict, ""),
        value=claim.claimed,
        at=None,
    )


def _gap(row: BoardRow, item: Comparison | None) -> Entry:
    if item is None:
        why = "not compared with a clean split" if row.stamp else "a clean split"
        return Entry(text=numbers.MISSING, why=why)
    return Entry(
        text=numbers.signed(item.difference),
        detail=numbers.bounds(item.low, item.high),
        sort=item.difference,
    )


def _rate(value: float | None) -> Entry:
    """Images a second, in three digits at least."""
    if value is None:
        return Entry(text=numbers.MISSING)
    return Entry(text=f"{value:,.{0 if value >= 100 else 1}f}", sort=value)


def _cost(key: str, cost: Cost) -> Entry:
    if key == "seconds":
        return Entry(text=numbers.duration(cost.seconds), sort=cost.seconds)
    if key == "size":
        return Entry(text=numbers.bytes_(cost.bytes_), sort=cost.bytes_)
    if key in ("speed", "pace"):
        return _rate(cost.images_per_second if key == "speed" else cost.pace)
    value = cost.parameters if key == "parameters" else cost.trainable
    return Entry(text=numbers.magnitude(value), sort=value)
