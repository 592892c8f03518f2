"""Which rows are separable: signs in the leaderboard, and the table of standings."""

from __future__ import annotations

from skinbench.records import Family, Scorecard, Standing
from skinbench.report import numbers
from skinbench.report.tables import Column, Entry, Table, words

NEAR = "≈"
REFERENCE = "◆"
_TO = "\u2013"
_TONES = {"better": "good", "worse": "bad"}


def find_standings(
    scorecard: Scorecard, row: str, split: str, place: tuple[str, str]
) -> dict[str, tuple[Family, Standing]]:
    """Metric (`accuracy`, `recall:mel`) to a row's standing on one test set."""
    found = {}
    for family in scorecard.families:
        if (family.split, family.dataset, family.condition) != (split, *place):
            continue
        for standing in family.standings:
            if standing.row == row:
                found[column_key(family)] = (family, standing)
    return found


def column_key(family: Family) -> str:
    """`accuracy`, `recall:mel`."""
    return f"{family.metric}:{family.class_}" if family.class_ else family.metric


def sign(standing: Standing | None) -> str:
    """What stands beside a score: the reference itself, or a row that is not separable from it."""
    if standing is None:
        return ""
    return {"reference": REFERENCE, "not separable": NEAR}.get(standing.verdict, "")


def rank(standing: Standing | None) -> Entry:
    """`2` to `4`: the ranks that are not excluded."""
    if standing is None or standing.rank_low is None or standing.rank_high is None:
        return Entry(text=numbers.MISSING)
    low, high = standing.rank_low, standing.rank_high
    return Entry(text=str(low) if low == high else f"{low}{_TO}{high}", sort=low + high / 1000)


def family_note(family: Family, level: float, run: str = "") -> str:
    """What the signs of one table mean, in a line; the same for every metric of it."""
    size = f"{1 - level:.2g}"
    about = f"{run}: " if run else ""
    if not family.reference:
        how = family.chosen[family.chosen.find("(") :] if "(" in family.chosen else ""
        return numbers.one_line(
            f"{about}{NEAR} may be the best of its column: not separable from it by multiple "
            f"comparison with the best, paired by lesion, at {size} {how}"
        )
    return numbers.one_line(
        f"{about}{REFERENCE} {family.reference} ({family.chosen}), {NEAR} not separable from it: "
        f"paired tests by lesion, Holm over the {numbers.counted(family.compared, 'row')} of each "
        f"column, at {size}; without a sign: separable, or not compared."
    )


def standings_table(scorecard: Scorecard) -> Table:
    """Every row of every table against its reference, by each metric."""
    rows = []
    for family in scorecard.families:
        where = [family.dataset, f"split {family.split}"]
        where += [family.condition] if family.condition != "none" else []
        for item in family.standings:
            if item.row in scorecard.smoke:
                continue
            rows.append(
                (
                    words(item.row),
                    words(", ".join(where)),
                    words(numbers.metric_title(family.metric, family.class_)),
                    Entry(text=numbers.number(item.value), sort=item.value),
                    rank(item),
                    Entry(
                        text=numbers.signed(item.difference),
                        detail=numbers.ends(item.low, item.high),
                        sort=item.difference,
                    ),
                    Entry(text=probability(item.p), sort=item.p),
                    Entry(text=probability(item.p_adjusted), sort=item.p_adjusted),
                    _verdict(item),
                    words(item.reason or item.test),
                )
            )
    level = numbers.level(scorecard.level)
    return Table(
        name="standings",
        caption="Which rows are separable",
        columns=(
            Column(title="row"),
            Column(title="test set"),
            Column(title="metric"),
            Column(title="score", numeric=True),
            Column(title=f"ranks, {level} for all rows together", numeric=True),
            Column(title=f"minus the reference, {level}", numeric=True),
            Column(title="p", numeric=True),
            Column(title="p, corrected", numeric=True),
            Column(title="verdict"),
            Column(title="test"),
        ),
        rows=tuple(rows),
        notes=_notes(scorecard),
    )


def _verdict(item: Standing) -> Entry:
    return Entry(text=item.verdict, tone=_TONES.get(item.verdict, ""))


def _notes(scorecard: Scorecard) -> tuple[str, ...]:
    notes = [
        f"Split {family.split}, {family.dataset}: "
        + (f"reference {family.reference}, {family.chosen}." if family.reference else family.chosen)
        for family in scorecard.families
    ]
    return tuple(numbers.one_line(note) for note in dict.fromkeys(notes))


def probability(value: float | None) -> str:
    """A p-value: `0.034`, `< 0.001`."""
    if value is None:
        return numbers.MISSING
    return "< 0.001" if value < 0.001 else numbers.number(value)
