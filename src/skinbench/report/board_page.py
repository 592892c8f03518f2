"""The leaderboard of the page: every column to choose from, rows with what filters ask for."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from skinbench import registry
from skinbench.errors import UnknownNameError
from skinbench.records import ClaimResult, Comparison, Score
from skinbench.report import board, numbers, standings, tables
from skinbench.report.axes import Axis, axis_of
from skinbench.report.board import BoardColumn, BoardRow, Leaderboard, TestSet
from skinbench.report.claims import VERDICT_TONES
from skinbench.report.row_facts import Cost, RunDetail
from skinbench.report.tables import FURTHER_METRICS, PER_CLASS_ORDER, Bar, Entry

Group = Literal["score", "more", "made", "gap", "count", "cost"]
GROUP_TITLES: Mapping[Group, str] = {
    "score": "Scores",
    "more": "Further scores",
    "gap": "Leak gap",
    "count": "Images",
    "cost": "Cost",
    "made": "Made of",
}
_NAMED = 2
"""So many baselines that a row does not beat are counted in it, not named."""
_MADE = ("model", "input", "technique", "kind")


@dataclass(frozen=True, kw_only=True)
class PageColumn:
    """One column."""

    key: str
    title: str
    group: Group
    shown: bool
    """From the start."""
    first: Literal["ascending", "descending"]
    """What the first press of its head sorts by: the better first, words from A."""
    numeric: bool = True
    unit: str = ""
    """Of the numbers that its fields sort by, where their text has another."""
    axis: Axis | None = None
    """Of its bars, the same for every row; None where nothing is drawn."""


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
    plain = _columns(table, runs, several)
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


# --- columns -----------------------------------------------------------------------------------


def _columns(
    table: TestSet, runs: Mapping[str, RunDetail], several: bool
) -> tuple[PageColumn, ...]:
    shown = {column.key for column in table.columns}
    scored = _scored(table, runs)
    order = [*table.columns, *(column for column in scored if column.key not in shown)]
    found = [_score_column(column, column.key in shown) for column in order]
    found += _gap_columns(table, runs)
    differ = len({row.n for row in table.rows} - {None}) > 1  # else the table's head says it
    found.append(_column("n", "n", "count", shown=differ))
    if table.focus:
        found.append(_column("n_positive", f"n {table.focus}", "count", shown=differ))
    costs = [runs[row.run].costs.get(row.row) for row in table.rows]
    if any(costs):
        found += [
            _column("seconds", "training time", "cost", shown=True, unit="s"),
            *(
                [_column("pace", "images/s", "cost", shown=True, first="descending")]
                if any(cost is not None and cost.pace is not None for cost in costs)
                else []  # a run of an older version
            ),
            _column("parameters", "parameters", "cost", shown=True),
            _column("trainable", "trainable parameters", "cost"),
            _column("size", "size as float32", "cost", unit="bytes"),
            _column("speed", "images/s in training", "cost", first="descending"),
        ]
    words = [*(["run"] if several else []), *_MADE]
    return tuple(found) + tuple(
        _column(word, word, "made", shown=word == "run", numeric=False) for word in words
    )


def _column(
    key: str,
    title: str,
    group: Group,
    *,
    shown: bool = False,
    first: Literal["ascending", "descending"] = "ascending",
    numeric: bool = True,
    unit: str = "",
) -> PageColumn:
    return PageColumn(
        key=key,
        title=numbers.one_line(title),
        group=group,
        shown=shown,
        first=first,
        numeric=numeric,
        unit=unit,
    )


def _scored(table: TestSet, runs: Mapping[str, RunDetail]) -> list[BoardColumn]:
    """Metrics that some row of the table has: over all classes, of the focus class, recall."""
    found: dict[tuple[str, str | None], None] = {}
    for row in table.rows:
        where = (row.row, table.dataset, table.condition)
        for score in runs[row.run].scores.of(where):
            wanted = score.class_ in (None, table.focus) or score.metric == "recall"
            if score.slice is None and score.value is not None and wanted:
                found[score.metric, score.class_] = None
    ordered = sorted(found, key=lambda item: _importance(item, table))
    return [BoardColumn(metric=metric, class_=class_) for metric, class_ in ordered]


def _importance(item: tuple[str, str | None], table: TestSet) -> tuple[int, int]:
    metric, class_ = item
    if class_ is None:
        return (1, 0)
    if class_ != table.focus:
        return (3, table.classes.index(class_) if class_ in table.classes else 0)
    if metric in FURTHER_METRICS:
        return (2, 0)
    return (0, PER_CLASS_ORDER.index(metric) if metric in PER_CLASS_ORDER else 99)


def _score_column(column: BoardColumn, shown: bool) -> PageColumn:
    higher = True
    with contextlib.suppress(UnknownNameError):  # of a user's plug-in that is not loaded here
        higher = registry.metrics.get(column.metric).higher_is_better
    return _column(
        column.key,
        column.title,
        "score" if shown else "more",
        shown=shown,
        first="descending" if higher else "ascending",
    )


def _gap_columns(table: TestSet, runs: Mapping[str, RunDetail]) -> list[PageColumn]:
    rows = [(row.row, runs[row.run].gaps) for row in table.rows]
    found: dict[str, Comparison] = {}
    for name, gaps in rows:
        found.update({key: item for (row, key), item in gaps.items() if row == name})
    best = next((key for key in ("balanced_accuracy", "accuracy") if key in found), "")
    return [
        _column(
            f"gap:{key}",
            f"leak gap, {numbers.short_title(item.metric, item.class_)}",
            "gap",
            shown=key == best,
            first="descending",
        )
        for key, item in found.items()
    ]


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
