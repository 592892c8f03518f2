"""The leaderboard in a terminal, 80 columns wide or more."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from skinbench.report import board, numbers
from skinbench.report.board import BoardColumn, BoardRow, Leaderboard, TestSet
from skinbench.report.history import last_move, said_of

_MEASURE_WIDTH = 17
"""`[0.650, 0.770]` and the space between columns."""
_NAME_WIDTH = 28
_LEAST_NAME_WIDTH = 12
_MADE_OF_WIDTH = 30
_COUNT_WIDTH = 9
_MOST_ALTERED = 3
"""Tables of altered images beyond which a terminal shows none of them."""
_SHORT = {
    "balanced_accuracy": "balanced accuracy",
    "macro_auroc": "macro AUROC",
    "macro_f1": "macro F1",
}


def show(leaderboard: Leaderboard, console: Console) -> None:
    """Print every table with its footnotes."""
    several = len(leaderboard.runs) > 1
    altered = [table for table in leaderboard.tables if table.condition != "none"]
    folded = altered if len(altered) > _MOST_ALTERED else []
    for table in leaderboard.tables:
        if table in folded:
            continue
        console.print()
        console.print(Text(table.title, style="bold"))
        columns, made_of = _choose(table, console.width, leaderboard.sort)
        shown = board.narrowed(table, columns)
        console.print(_rich_table(shown, console.width, made_of=made_of, runs=several))
        for row in table.rows:
            if row.status != "done":
                _note(console, f"{row.row}: {board.status_entry(row).text}", "red")
        for note in board.footnotes(shown):
            _note(console, note, "yellow" if note[:1] in board.MARKS else "dim")
        level = numbers.level(table.level)
        _note(console, f"Intervals: {level}, resampled by lesion group.", "dim")
    if folded:
        text = f"{len(folded)} more tables of altered images (conditions) are in the report"
        _note(console, text, "dim")
    _history(leaderboard, console)
    for note in leaderboard.notes:
        _note(console, note, "dim")


def _note(console: Console, text: str, style: str) -> None:
    console.print(Text(numbers.one_line(text), style=style))


def _rich_table(table: TestSet, width: int, *, made_of: bool, runs: bool) -> RichTable:
    columns = table.columns
    with_n = _fits_counts(width, len(columns), made_of=made_of)
    used = _MEASURE_WIDTH * len(columns) + 3 + (_COUNT_WIDTH if with_n else 0)
    used += _MADE_OF_WIDTH if made_of else 0
    name_width = max(_LEAST_NAME_WIDTH, width - used)
    signs = board.marks(table)
    rich = RichTable(box=SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1))
    rich.add_column("row", no_wrap=True)
    if made_of:
        rich.add_column("model · input · technique", style="dim", no_wrap=True)
    for column in columns:
        rich.add_column(_head(column), justify="right", overflow="fold", min_width=14)
    if with_n:
        rich.add_column("n", justify="right")
    for row in table.rows:
        cells = [_name(row, name_width, runs=runs)]
        if table.ranked_by:
            cells[0].append(f"\nranks {board.rank_entry(row, table).text}", style="dim")
        if made_of:
            cells.append(Text("\n".join(numbers.wrapped(board.made_of(row), _MADE_OF_WIDTH - 2))))
        cells += [_measure(row, column, signs.get(row.stamp, "")) for column in columns]
        if with_n:
            cells.append(Text(numbers.count(row.n)))
        rich.add_row(*cells)
    return rich


def _name(row: BoardRow, width: int, *, runs: bool) -> Text:
    done = row.status == "done"
    text = Text("\n".join(numbers.wrapped(row.row, width)), style="" if done else "red")
    if runs:
        text.append("\n" + "\n".join(numbers.wrapped(row.run, width)), style="dim")
    if not done:
        text.append(f"\n{row.status}", style="bold red")
    return text


def _choose(table: TestSet, width: int, sort: str | None) -> tuple[list[BoardColumn], bool]:
    """Columns that fit: the one sorted by, then the most telling; recall with specificity."""
    sorted_by = board.sort_columns(sort)
    focus = [column for column in table.columns if column.class_ == table.focus and table.focus]
    groups = [list(sorted_by), [column for column in focus if column not in sorted_by]]
    by_key = {column.key: column for column in table.columns}
    order = ["balanced_accuracy", "macro_auroc", "accuracy", "macro_f1"]
    order += [key for key in by_key if key not in order]
    taken = {column.key for group in groups for column in group}
    groups += [[by_key[key]] for key in order if key in by_key and key not in taken]
    fitting = (width - _NAME_WIDTH) // _MEASURE_WIDTH
    if fitting < 3:  # narrower than 80 columns: names give way first
        fitting = max(1, (width - _LEAST_NAME_WIDTH - 3) // _MEASURE_WIDTH)
    chosen: list[BoardColumn] = []
    for group in groups:
        if len(chosen) + len(group) <= fitting:
            chosen += group
    columns = [column for column in table.columns if column in chosen]
    left = width - _NAME_WIDTH - _MEASURE_WIDTH * len(columns)
    return columns, left >= _MADE_OF_WIDTH


def _fits_counts(width: int, columns: int, *, made_of: bool) -> bool:
    left = width - _NAME_WIDTH - _MEASURE_WIDTH * columns - (_MADE_OF_WIDTH if made_of else 0)
    return left >= _COUNT_WIDTH


def _head(column: BoardColumn) -> Text:
    if column.class_:
        return Text(f"{column.class_}\n{column.metric.replace('_', ' ')}", justify="right")
    title = _SHORT.get(column.metric, column.title)
    return Text(title.replace(" ", "\n", 1), justify="right")


def _measure(row: BoardRow, column: BoardColumn, mark: str) -> Text:
    entry = board.measured(row, column)
    text = Text(entry.text, justify="right", style="bold" if entry.sort is not None else "dim")
    if mark and entry.sort is not None:
        text.append(f" {mark}", style="yellow")
    if entry.near:
        text.append(f" {entry.near}", style="not bold dim")
    if entry.detail:
        text.append(f"\n{entry.detail}", style="not bold dim")
    if entry.why:
        text.append(f"\n{entry.why}", style="not bold dim")
    return text


def _history(leaderboard: Leaderboard, console: Console) -> None:
    """Rows that moved, a line each, and how many did not."""
    if not leaderboard.history:
        return
    console.print()
    console.print(Text("Which row moved, and since when", style="bold"))
    still = 0
    for item in leaderboard.history:
        move = last_move(item)
        if move is None or move.verdict not in ("higher", "lower"):
            still += 1
            continue
        since = next(point for point in item.points if point.run == move.run)
        change = numbers.estimate(move.difference, move.low, move.high)
        _note(
            console,
            f"{item.row}, {numbers.short_title(item.metric, item.class_)}: {move.verdict} by "
            f"{change} since {said_of(since)}",
            "green" if move.verdict == "higher" else "red",
        )
    of = f"{len(leaderboard.history):,} (row, metric)"
    _note(console, f"Not separable from the run before: {still:,} of {of}.", "dim")
