"""What stands below a leaderboard: about its data, its order, and rows outside its tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from skinbench import registry
from skinbench.records import Scorecard
from skinbench.report import board, numbers
from skinbench.report.board import SmokeRow, TestSet
from skinbench.report.claims import short_lines
from skinbench.store import RunFolder, read_json


def board_notes(
    folders: Sequence[RunFolder],
    cards: Iterable[Scorecard],
    smoke: Sequence[SmokeRow],
    tables: Sequence[TestSet],
    sort: str | None,
) -> tuple[str, ...]:
    """Every note, a line each.

    Args:
        folders: of the runs.
        cards: their scorecards.
        smoke: rows outside the tables.
        tables: what is shown.
        sort: what a reader asked to sort by.
    """
    return (
        *_drawn(folders),
        *_approximate(folders),
        *_smoke_notes(smoke),
        *(line for card in cards for line in short_lines(card)),
        *_notes(tables, sort),
    )


def _smoke_notes(smoke: Sequence[SmokeRow]) -> tuple[str, ...]:
    """Rows outside the tables, by reason."""
    reasons: dict[str, list[str]] = {}
    for item in smoke:
        reasons.setdefault(item.reason, []).append(item.row)
    return tuple(
        numbers.one_line(f"Smoke, outside the tables: {', '.join(rows)} ({reason}).")
        for reason, rows in reasons.items()
    )


def _drawn(folders: Sequence[RunFolder]) -> tuple[str, ...]:
    """Says so where the images of a run were drawn by a program."""
    titles = {
        str(facts["info"]["title"])
        for folder in folders
        for path in sorted(folder.manifests.glob("*.json"))
        if (facts := read_json(path))["info"]["synthetic"]
    }
    return tuple(f"{title}: drawn by a program, not patients." for title in sorted(titles))


def _approximate(folders: Sequence[RunFolder]) -> tuple[str, ...]:
    """Labels that are not quite the class that they are judged as, from the manifests."""
    said = {
        numbers.one_line(f"{path.stem}: {finding['message']}"): None
        for folder in folders
        for path in sorted(folder.manifests.glob("*.json"))
        for finding in read_json(path).get("findings", ())
        if finding["kind"] == "approximate_label"
    }
    return tuple(said)


def _notes(tables: Sequence[TestSet], sort: str | None) -> tuple[str, ...]:
    notes = []
    if sort is None:
        notes.append("Rows stand in the order of the suite; none was chosen by these numbers.")
    else:
        column = board.sort_columns(sort)[0]
        title = numbers.metric_title(column.metric, column.class_)
        notes.append(
            f"Sorted by {title} on test at the reader's request. To choose a row by a number "
            f"of this table is to choose on test."
        )
    if len(tables) > 1:
        notes.append(
            "Rows judged on different test images, conditions or classes are in separate "
            "tables: their numbers do not compare."
        )
    return (*notes, *_condition_notes(tables))


def _condition_notes(tables: Sequence[TestSet]) -> list[str]:
    """What conditions mean, of those that say so; a user's own one may not be at hand."""
    names = {table.condition.partition(",")[0].partition("@")[0] for table in tables}
    known = sorted(names & set(registry.conditions.names()))
    return [f"{name}: {note}." for name in known if (note := registry.conditions.get(name).note)]
