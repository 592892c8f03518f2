"""Records of the leaderboard, and their layout as tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from skinbench.records import Score, Standing
from skinbench.records.run_history import RowHistory
from skinbench.report import numbers, standings
from skinbench.report.history import history_table
from skinbench.report.tables import (
    OUTCOME_TONES,
    Column,
    Entry,
    Table,
    integer,
    measure,
    remarks,
    words,
)

SCHEMA_VERSION = 1
MARKS = "†‡§¶#"
Status = Literal["done", "failed", "blocked", "partial", "missing"]


@dataclass(frozen=True, kw_only=True)
class BoardColumn:
    """A metric of the leaderboard."""

    metric: str
    class_: str | None = None

    @property
    def key(self) -> str:
        """`accuracy`, or `recall:mel`."""
        return f"{self.metric}:{self.class_}" if self.class_ else self.metric

    @property
    def title(self) -> str:
        """Name for a reader."""
        return numbers.metric_title(self.metric, self.class_)


@dataclass(frozen=True, kw_only=True)
class BoardRow:
    """One row of one run on one test set."""

    run: str
    """Name of the run folder."""
    row: str
    kind: str
    model: str
    input: str
    technique: str
    split: str
    status: Status
    """`partial`: some cells gave no predictions; `missing`: nothing was scored."""
    reason: str = ""
    stamp: str = ""
    """Leak stamp of the split; empty for a clean one."""
    reduced: str = ""
    """Why the row was run on less than the suite names; empty where it was not."""
    notes: tuple[str, ...] = ()
    """How labels were joined where the row learnt other classes than it is judged in."""
    unbeaten: tuple[str, ...] = ()
    """Baselines without a network that the row does not beat on the same images."""
    n: int | None
    """Images scored."""
    n_positive: int | None
    """Images of the focus class."""
    scores: Mapping[str, Score | None]
    """Column key to score."""
    standings: Mapping[str, Standing] = field(default_factory=dict)
    """Column key to what was found against the table's reference, where rows were compared."""


@dataclass(frozen=True, kw_only=True)
class TestSet:
    """Rows that were judged on the same images, under the same condition and classes."""

    __test__ = False  # no pytest class

    dataset: str
    dataset_digest: str
    split: str
    split_digest: str
    condition: str
    classes: tuple[str, ...]
    focus: str | None
    """Class whose recall and specificity are shown: mel, else the first malignant one."""
    level: float
    """Coverage of the intervals."""
    columns: tuple[BoardColumn, ...]
    rows: tuple[BoardRow, ...]
    comparisons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the signs beside the scores mean, a line for each run and way of comparing, with the
    keys of the columns that it is about."""
    ranked_by: str = ""
    """Column key that ranks are shown of: the one that a reader sorts by."""

    @property
    def title(self) -> str:
        """`ham, split by_lesion`."""
        parts = [self.dataset or "unknown data", f"split {self.split}"]
        if self.condition != "none":
            parts.append(f"condition {self.condition}")
        return numbers.one_line(", ".join(parts))


@dataclass(frozen=True, kw_only=True)
class SmokeRow:
    """A row outside the tables."""

    run: str
    row: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """All rows of one or several runs, by test set."""

    schema: int = SCHEMA_VERSION
    runs: tuple[str, ...]
    sort: str | None
    """Metric that a reader asked to sort by; None: the suites' order."""
    tables: tuple[TestSet, ...]
    notes: tuple[str, ...] = ()
    smoke: tuple[SmokeRow, ...] = ()
    """Rows that were run on too little to stand in a table."""
    history: tuple[RowHistory, ...] = ()
    """Rows that several runs judged on one test set, where that was looked at."""


def sort_columns(sort: str | None) -> tuple[BoardColumn, ...]:
    """What a reader sorts by, first; recall brings the specificity of its class, and reverse."""
    if sort is None:
        return ()
    metric, _, class_ = sort.partition(":")
    asked = BoardColumn(metric=metric, class_=class_ or None)
    other = {"recall": "specificity", "specificity": "recall"}.get(metric)
    if other is None or not class_:
        return (asked,)
    return (asked, BoardColumn(metric=other, class_=class_))


def with_rows(
    table: TestSet, rows: tuple[BoardRow, ...], columns: tuple[BoardColumn, ...] | None = None
) -> TestSet:
    """The test set with other rows, and other columns where given."""
    return dataclasses.replace(table, rows=rows, columns=columns or table.columns)


def joined(left: TestSet, right: TestSet) -> TestSet:
    """Rows of two runs on one test set."""
    both = with_rows(left, (*left.rows, *right.rows))
    return dataclasses.replace(both, comparisons={**left.comparisons, **right.comparisons})


def narrowed(table: TestSet, columns: Sequence[BoardColumn]) -> TestSet:
    """The test set with the scores of these columns alone, and what is said of them."""
    keys = {column.key for column in columns}
    rows = tuple(
        dataclasses.replace(
            row,
            scores={key: score for key, score in row.scores.items() if key in keys},
            standings={key: item for key, item in row.standings.items() if key in keys},
        )
        for row in table.rows
    )
    said = {note: about for note, about in table.comparisons.items() if keys & set(about)}
    return dataclasses.replace(table, rows=rows, columns=tuple(columns), comparisons=said)


@dataclass(frozen=True, kw_only=True)
class BoardView:
    """What the templates of the leaderboard lay out."""

    title: str
    tables: tuple[Table, ...]
    history: Table | None
    """Which row moved, where several runs have it."""
    notes: tuple[str, ...]


def view(leaderboard: Leaderboard) -> BoardView:
    """Tables of the leaderboard page."""
    several = len(leaderboard.runs) > 1
    title = "Leaderboard" + ("" if several else f": {leaderboard.runs[0]}")
    return BoardView(
        title=numbers.one_line(title),
        tables=tuple(
            board_table(table, index, runs=several)
            for index, table in enumerate(leaderboard.tables, 1)
        ),
        history=history_part(leaderboard),
        notes=leaderboard.notes,
    )


def history_part(leaderboard: Leaderboard) -> Table | None:
    """The table of moves; None where no row stands in several runs."""
    if not leaderboard.history:
        return None
    level = max(table.level for table in leaderboard.tables)
    return history_table(leaderboard.history, level)


def marks(table: TestSet) -> dict[str, str]:
    """Leak stamp to the sign of its footnote."""
    stamps = dict.fromkeys(row.stamp for row in table.rows if row.stamp)
    return {
        stamp: MARKS[index % len(MARKS)] * (index // len(MARKS) + 1)
        for index, stamp in enumerate(stamps)
    }


def board_table(table: TestSet, index: int, *, runs: bool) -> Table:
    """One test set as a table.

    Args:
        table: the test set.
        index: 1-based place among the tables of the page.
        runs: name the run of every row.
    """
    signs = marks(table)
    with_status = any(row.status != "done" for row in table.rows)
    lines = []
    for row in table.rows:
        mark = signs.get(row.stamp, "")
        measures = [measured(row, column) for column in table.columns]
        lines.append(
            (
                *(_name_entries(row, runs=runs)),
                *(
                    dataclasses.replace(m, mark=mark if m.sort is not None else "")
                    for m in measures
                ),
                *([rank_entry(row, table)] if table.ranked_by else []),
                integer(row.n),
                *([integer(row.n_positive)] if table.focus else []),
                *([status_entry(row)] if with_status else []),
            )
        )
    columns = [
        Column(title="row"),
        *([Column(title="run")] if runs else []),
        Column(title="model · input · technique"),
        *(Column(title=column.title, numeric=True) for column in table.columns),
        *([Column(title="ranks", numeric=True)] if table.ranked_by else []),
        Column(title="n", numeric=True),
        *([Column(title=f"n {table.focus}", numeric=True)] if table.focus else []),
        *([Column(title="status")] if with_status else []),
    ]
    return Table(
        name=f"leaderboard-{index}",
        caption=table.title,
        columns=tuple(columns),
        rows=tuple(lines),
        notes=footnotes(table),
    )


def _name_entries(row: BoardRow, *, runs: bool) -> list[Entry]:
    name = Entry(text=numbers.one_line(row.row), why=unbeaten_text(row))
    return [name, *([words(row.run)] if runs else []), words(made_of(row))]


def unbeaten_text(row: BoardRow) -> str:
    """The mark of a row that does not beat the baselines."""
    return numbers.one_line(f"does not beat {', '.join(row.unbeaten)}") if row.unbeaten else ""


def measured(row: BoardRow, column: BoardColumn) -> Entry:
    """A score of a row; where the whole row has none, its status says why, once."""
    entry = measure(row.scores.get(column.key))
    if row.n is None and entry.sort is None:
        return dataclasses.replace(entry, why="")
    return dataclasses.replace(entry, near=standings.sign(row.standings.get(column.key)))


def rank_entry(row: BoardRow, table: TestSet) -> Entry:
    """Ranks of a row, by the metric that a reader sorts by."""
    return standings.rank(row.standings.get(table.ranked_by))


def status_entry(row: BoardRow) -> Entry:
    """`done`, or what went wrong and why."""
    text = numbers.one_line(f"{row.status}: {row.reason}" if row.reason else row.status)
    return Entry(text=text, tone=OUTCOME_TONES.get(row.status, "warn"))


def made_of(row: BoardRow) -> str:
    """Model, input and technique in a few words."""
    if row.kind == "plain":
        return f"{row.model} (no network)"
    if row.kind == "derived":
        return f"{row.model} (derived)"
    return " · ".join(part for part in (row.model, row.input, row.technique) if part)


def _named(rows: Sequence[str]) -> str:
    """Rows by name where they are few, else the first and how many there are."""
    names = list(dict.fromkeys(rows))  # a row of several runs is one name
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} others"


def _all_or_named(rows: Sequence[str], table: TestSet) -> str:
    return "Every row" if len(rows) == len(table.rows) > 1 else _named(rows)


def _several(rows: Sequence[str]) -> str:
    return f"{_named(rows)} {'was' if len(set(rows)) == 1 else 'were'}"


def _remarks(table: TestSet) -> list[str]:
    """What is said about scores that have a value, each once with the rows it is about."""
    said: dict[str, list[str]] = {}
    for row in table.rows:
        for remark in remarks(row.scores.values()):
            said.setdefault(remark, []).append(row.row)
    return [
        numbers.one_line(f"{_all_or_named(rows, table)}: {remark}") for remark, rows in said.items()
    ]


def footnotes(table: TestSet) -> tuple[str, ...]:
    """What the signs and dashes of a table mean."""
    notes = [f"{sign} {numbers.one_line(stamp)}" for stamp, sign in marks(table).items()]
    reduced: dict[str, list[str]] = {}
    for row in table.rows:
        if row.reduced:
            reduced.setdefault(row.reduced, []).append(row.row)
    notes += [
        numbers.one_line(f"{_several(rows)} reduced: {reason}") for reason, rows in reduced.items()
    ]
    joined: dict[str, list[str]] = {}
    for row in table.rows:
        for note in row.notes:
            joined.setdefault(note, []).append(row.row)
    notes += [numbers.one_line(f"{_named(rows)}: {note}") for note, rows in joined.items()]
    notes += _remarks(table)
    notes += table.comparisons
    if table.ranked_by:
        notes.append(
            "Ranks are those that paired comparisons of all pairs of rows do not exclude, "
            "together at the level of the intervals."
        )
    lost: dict[str, list[str]] = {}
    for row in table.rows:
        lost.setdefault(unbeaten_text(row), []).append(row.row)
    notes += [
        numbers.one_line(
            f"{_named(rows)}: {text} (balanced accuracy on the same images: the interval of the "
            f"difference is not above 0)"
        )
        for text, rows in lost.items()
        if text
    ]
    deviations = any(
        score is not None and score.sd_seeds is not None
        for row in table.rows
        for score in row.scores.values()
    )
    if deviations:
        notes.append(
            "Values of rows with several seeds are means over seeds; seed SD is their standard "
            "deviation."
        )
    if any(row.n is None for row in table.rows):
        notes.append(f"{numbers.MISSING} is a value that does not exist; it is not zero.")
    return tuple(notes)
