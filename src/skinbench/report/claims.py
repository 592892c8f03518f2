"""The section on claims: a paper at a time, what it says, what was measured, and what differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from skinbench.records import ClaimResult, Scorecard
from skinbench.report import numbers
from skinbench.report.tables import Column, Entry, Table, words

VERDICT_TONES = {
    "reproduced": "good",
    "lower": "bad",
    "higher": "warn",
    "impossible": "bad",
    "contradictory": "bad",
}
_ORDER = (
    "reproduced", "higher", "lower", "cannot tell", "not comparable", "not run", "impossible",
    "contradictory",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PaperPart:
    """One paper's claims."""

    title: str
    citation: str
    summary: str
    claims: Table
    notes: tuple[str, ...]


def paper_parts(scorecard: Scorecard) -> tuple[PaperPart, ...]:
    """The papers in the order of their rows; rows of no paper come under a heading of their own."""
    found = []
    for index, key in enumerate(dict.fromkeys(claim.paper for claim in scorecard.claims)):
        claims = [claim for claim in scorecard.claims if claim.paper == key]
        facts = scorecard.papers.get(key)
        several = len({claim.paper for claim in scorecard.claims}) > 1
        name = facts.title if facts else key or ("Rows of no paper" if several else "")
        found.append(
            PaperPart(
                title=numbers.one_line(name),
                citation=numbers.one_line(facts.citation) if facts else "",
                summary=summary(claims),
                claims=_claims_table(claims, f"claims-{index}"),
                notes=tuple(numbers.one_line(text) for text in facts.notes) if facts else (),
            )
        )
    return tuple(found)


def summary(claims: Sequence[ClaimResult]) -> str:
    """`12 claims: 3 reproduced, 9 not comparable`."""
    found = Counter[str](claim.verdict for claim in claims)
    said = ", ".join(f"{found[verdict]:,} {verdict}" for verdict in _ORDER if found[verdict])
    return f"{numbers.counted(len(claims), 'claim')}: {said}"


def short_lines(scorecard: Scorecard) -> tuple[str, ...]:
    """A line a paper, for below a leaderboard."""
    return tuple(
        numbers.one_line(
            f"Claims{f' of {key}' if key else ''}: "
            f"{summary([claim for claim in scorecard.claims if claim.paper == key])}."
        )
        for key in dict.fromkeys(claim.paper for claim in scorecard.claims)
    )


def _claims_table(claims: Sequence[ClaimResult], name: str) -> Table:
    """One line a claim; letters beside the verdicts stand for what the row does otherwise."""
    letters, remarks = _letters(claims), _shared_remarks(claims)
    # One remark on every claim stands below the table alone.
    single = len({claim.reason for claim in claims}) > 1
    rows = tuple(
        (
            words(claim.row),
            words(numbers.metric_title(claim.metric, claim.class_)),
            Entry(
                text=numbers.one_line(claim.printed or numbers.number(claim.claimed)),
                sort=claim.claimed,
            ),
            words(claim.source),
            Entry(
                text=numbers.number(claim.measured),
                detail=numbers.bounds(claim.measured_low, claim.measured_high),
                sort=claim.measured,
            ),
            Entry(
                text=numbers.signed(claim.difference),
                detail=numbers.bounds(claim.low, claim.high),
                sort=claim.difference,
            ),
            _verdict(claim, letters.get(claim.differences, "")),
            *([words(remarks.get(claim.reason, claim.reason))] if single else []),
        )
        for claim in claims
    )
    return Table(
        name=name,
        caption="Published numbers and measured ones",
        columns=(
            Column(title="row"),
            Column(title="metric"),
            Column(title="claimed", numeric=True),
            Column(title="source"),
            Column(title="measured", numeric=True),
            Column(title="measured \u2212 claimed", numeric=True),
            Column(title="verdict"),
            *([Column(title="remark")] if single else []),
        ),
        rows=rows,
        notes=tuple(
            numbers.one_line(note)
            for note in (
                *(
                    f"Remark {number}: {text}." if single else f"Every claim: {text}."
                    for text, number in remarks.items()
                ),
                *(f"Protocol ({letter}): {'; '.join(texts)}." for texts, letter in letters.items()),
            )
        ),
    )


def _shared_remarks(claims: Sequence[ClaimResult]) -> dict[str, str]:
    """`(1)` for each remark that several claims have: it is said once, below the table."""
    found = Counter(claim.reason for claim in claims if claim.reason)
    shared = [text for text, times in found.items() if times > 2 or len(found) == 1]
    return {text: f"({number})" for number, text in enumerate(shared, start=1)}


def _letters(claims: Sequence[ClaimResult]) -> dict[tuple[str, ...], str]:
    """A letter for each set of differences, in the order of the rows: a to z, then aa."""
    sets = dict.fromkeys(claim.differences for claim in claims if claim.differences)
    return {texts: _letter(index) for index, texts in enumerate(sets)}


def _letter(index: int) -> str:
    more, last = divmod(index, 26)
    return (_letter(more - 1) if more else "") + chr(ord("a") + last)


def _verdict(claim: ClaimResult, letter: str) -> Entry:
    """The verdict; where arithmetic speaks first, what the measurement alone would say."""
    asides = (
        [f"measured alone: {claim.beside}"] if claim.beside not in (None, claim.verdict) else []
    )
    asides += [f"protocol {letter}"] if letter else []
    return Entry(
        text=claim.verdict,
        tone=VERDICT_TONES.get(claim.verdict, ""),
        why="; ".join(asides),
    )
