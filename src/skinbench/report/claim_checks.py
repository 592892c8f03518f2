"""What arithmetic says about published numbers, as a table and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skinbench.records import ClaimCheck
from skinbench.report import numbers, pages
from skinbench.report.tables import Column, Entry, Table, words

TONES = {"impossible": "bad", "contradictory": "warn", "consistent": "good"}


def checks_table(checks: Sequence[ClaimCheck]) -> Table:
    """One line a claim."""
    rows = tuple(
        (
            words(check.row),
            words(numbers.short_title(check.metric, check.class_)),
            words(check.printed),
            words(check.source),
            Entry(text=check.verdict, tone=TONES[check.verdict]),
            words(check.reason),
        )
        for check in checks
    )
    titles = ("row", "metric", "in print", "source", "verdict", "why")
    return Table(
        name="claim-checks",
        caption="Published numbers, by arithmetic alone",
        columns=tuple(Column(title=title) for title in titles),
        rows=rows,
    )


def summary(rows: int, counts: Mapping[str, int]) -> str:
    """`12 claims of 3 rows: 2 impossible, 4 contradictory, 6 consistent`."""
    claims = numbers.counted(sum(counts.values()), "claim")
    said = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items())
    return f"{claims} of {numbers.counted(rows, 'row')}: {said}"


def to_markdown(file: str, rows: int, counts: Mapping[str, int], table: Table) -> str:
    """A page of its own."""
    said = summary(rows, counts)
    return pages.markdown_page("claims.md.j2", file=file, summary=said, table=table)
