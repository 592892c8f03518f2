"""Tables of operating points, prevalence and calibration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from skinbench.records import Confusion, Score, Scorecard
from skinbench.records.operating import (
    AtPrevalence,
    Calibrated,
    Estimate,
    OperatingPoint,
    Reliability,
)
from skinbench.report import numbers
from skinbench.report.decision_curves import decision_curve_notes
from skinbench.report.over import over
from skinbench.report.tables import FURTHER_METRICS, Column, Entry, Table, measure, words
from skinbench.score.prevalence import ASSUMPTION

AT_PREVALENCE = (
    ("recall", "recall"),
    ("specificity", "specificity"),
    ("positive_predictive_value", "PPV"),
    ("negative_predictive_value", "NPV"),
    ("number_needed_to_biopsy", "needed to biopsy"),
    ("net_benefit", "net benefit"),
)


def decision_tables(card: Scorecard) -> tuple[Table, ...]:
    """Points, prevalences, calibrations before and after, and calibration errors: what is there."""
    made = (points_table, prevalence_table, calibrated_table, reliability_table)
    return tuple(table for table in (make(card) for make in made) if table.rows)


def focus_table(
    name: str, scores: Sequence[Score], focus: str, about: tuple[Confusion | None, int] = (None, 0)
) -> Table:
    """Everything else about the class that matters most, a score a line.

    Args:
        name: of the table.
        scores: of one row on one test set.
        focus: class code.
        about: the confusion of one seed and the place of the class in it, see `over`.
    """
    found = [s for s in scores if s.class_ == focus and s.slice is None]
    found = [s for s in found if s.metric in FURTHER_METRICS - {"called_benign"}]
    return Table(
        name=name,
        caption=f"More about {focus}",
        columns=(
            Column(title="metric"),
            Column(title="score", numeric=True),
            Column(title="images", numeric=True),
        ),
        rows=tuple(
            (words(numbers.metric_title(s.metric)), measure(s), over(s, *about)) for s in found
        ),
    )


def points_table(card: Scorecard) -> Table:
    """A line for each operating point: what it gives, and what it changes against argmax."""
    plain = [point for point in card.operating if point.condition == "none"]
    rows = tuple(_point_row(point) for point in plain)
    columns = ("threshold", "recall", "specificity", "flagged for each hit", "accuracy", "cost")
    return Table(
        name="operating",
        caption="Operating points, chosen on val",
        columns=(
            Column(title="row"),
            Column(title="class and policy"),
            *(Column(title=title, numeric=True) for title in columns),
        ),
        rows=rows,
        notes=(
            "An image is decided for the class from the threshold on, else for the most probable "
            "other class. The signed number is the change against deciding for the largest "
            "probability: what the point buys, and what it costs.",
            *_altered_note(len(card.operating) - len(plain)),
        )
        if rows
        else (),
    )


def _altered_note(left_out: int) -> Iterable[str]:
    if left_out:
        points = numbers.counted(left_out, "further line")
        yield f"Of altered images there are {points}, in scorecard.json."


def _point_row(point: OperatingPoint) -> tuple[Entry, ...]:
    where = _place(point.row, point.dataset, point.condition)
    head = (where, Entry(text=numbers.one_line(f"{point.class_}: {point.policy}")))
    if not point.scores:
        why = Entry(text=numbers.MISSING, why=numbers.one_line(point.reason))
        return (*head, why, *(Entry(text=numbers.MISSING) for _ in range(5)))
    now = {item.metric: item for item in point.scores}
    change = {item.metric: item for item in point.changes}
    return (
        *head,
        _thresholds(point),
        _changed(now["recall"], change["recall"]),
        _changed(now["specificity"], change["specificity"]),
        estimate_entry(point.flagged_per_hit, digits=2),
        _changed(now["accuracy"], change["accuracy"]),
        estimate_entry(point.cost) if point.cost is not None else Entry(text=""),
    )


def _thresholds(point: OperatingPoint) -> Entry:
    """One threshold, or the range over folds and seeds."""
    values = [chosen.value for chosen in point.thresholds if chosen.value is not None]
    low, high = min(values), max(values)
    text = "none reaches it" if low > 1 else numbers.number(low)
    if len(values) > 1 and low != high:
        text = f"{numbers.number(low)} to {numbers.number(high)}"
    positives = min(chosen.n_positive for chosen in point.thresholds)
    return Entry(text=text, why=f"{numbers.counted(positives, 'val image')} of it", sort=low)


def _changed(now: Estimate, change: Estimate) -> Entry:
    entry = estimate_entry(now)
    if change.value is None or entry.sort is None:
        return entry
    return Entry(
        text=entry.text, detail=entry.detail, sort=entry.sort, why=numbers.signed(change.value)
    )


def estimate_entry(item: Estimate | None, digits: int = 3) -> Entry:
    """A number with its interval; an undefined one says why."""
    if item is None:
        return Entry(text=numbers.MISSING)
    if item.value is None:
        return Entry(text=numbers.MISSING, why=numbers.one_line(item.reason) or "undefined")
    return Entry(
        text=numbers.number(item.value, digits),
        detail=numbers.bounds(item.low, item.high, digits),
        sort=item.value,
    )


def _place(row: str, dataset: str, condition: str) -> Entry:
    detail = "" if condition == "none" else f", {condition}"
    return Entry(text=numbers.one_line(row), why=numbers.one_line(f"{dataset}{detail}"))


def prevalence_table(card: Scorecard) -> Table:
    """A line for each stated prevalence and way of deciding."""
    rows = tuple(_prevalence_row(item) for item in card.prevalence)
    risks = {item.threshold_probability for item in card.prevalence} - {None}
    shown = [name for name in AT_PREVALENCE if name[0] != "net_benefit" or risks]
    return Table(
        name="prevalence",
        caption="At a stated prevalence",
        columns=(
            Column(title="row"),
            Column(title="class and prevalence"),
            Column(title="decided by"),
            *(Column(title=title, numeric=True) for _, title in shown),
        ),
        rows=tuple(row[: 3 + len(shown)] for row in rows),
        notes=(*prevalence_notes(card.prevalence), *decision_curve_notes(card.decision_curves)),
    )


def prevalence_notes(items: Sequence[AtPrevalence]) -> tuple[str, ...]:
    """The assumption, what acting on everybody would give, and why an interval is not there."""
    notes = [ASSUMPTION] if items else []
    notes += [
        f"Net benefit at {item.prevalence:g}: acting on nobody 0, acting on everybody "
        f"{numbers.number(score.value)}; a false alarm weighs the odds of a risk of "
        f"{item.threshold_probability:g}."
        for item in items
        for score in item.scores
        if score.metric == "net_benefit_of_all"
    ]
    said: dict[str, list[str]] = {}
    titles = dict(AT_PREVALENCE)
    for item in items:
        for score in item.scores:
            alone = score.value is not None and score.low is None and score.reason
            if alone and score.metric in titles:
                by = f"{titles[score.metric]} ({item.rule}, {item.class_} {item.prevalence:g})"
                said.setdefault(score.reason, []).append(by)
    notes += [numbers.one_line(f"{', '.join(by)}: {reason}") for reason, by in said.items()]
    return tuple(dict.fromkeys(notes))


def _prevalence_row(item: AtPrevalence) -> tuple[Entry, ...]:
    found = {score.metric: score for score in item.scores}
    head = (
        _place(item.row, item.dataset, item.condition),
        Entry(text=f"{item.class_} {item.prevalence:g}", sort=item.prevalence),
        words(item.rule),
    )
    if not found:
        why = Entry(text=numbers.MISSING, why=numbers.one_line(item.reason))
        return (*head, why, *(Entry(text=numbers.MISSING) for _ in AT_PREVALENCE[1:]))
    digits = {"number_needed_to_biopsy": 1}
    return (*head, *(estimate_entry(found.get(n), digits.get(n, 3)) for n, _ in AT_PREVALENCE))


def calibrated_table(card: Scorecard) -> Table:
    """Before and after each calibration, a line a metric."""
    rows = tuple(row for item in card.calibrated for row in _calibrated_rows(item))
    return Table(
        name="calibrated",
        caption="Calibration, before and after",
        columns=(
            Column(title="row"),
            Column(title="metric"),
            Column(title="before", numeric=True),
            Column(title="after", numeric=True),
            Column(title="change", numeric=True),
        ),
        rows=rows,
        notes=("Fitted on val, judged on test; the change is paired, image by image.",)
        if rows
        else (),
    )


def _calibrated_rows(item: Calibrated) -> Iterable[tuple[Entry, ...]]:
    changes = {(score.metric, score.class_): score for score in item.changes}
    for before, after in zip(item.before, item.after, strict=True):
        change = changes[before.metric, before.class_]
        yield (
            Entry(
                text=numbers.one_line(item.row),
                why=numbers.one_line(f"{item.method} of {item.of}, {item.dataset}"),
            ),
            words(numbers.metric_title(before.metric, before.class_)),
            estimate_entry(before),
            estimate_entry(after),
            Entry(
                text=numbers.signed(change.value),
                detail=numbers.ends(change.low, change.high),
                sort=change.value,
            ),
        )


def reliability_table(card: Scorecard) -> Table:
    """Each row's top-label error beside what a calibrated model would show."""
    plain = [item for item in card.reliability if item.condition == "none"]
    rows = tuple(_reliability_row(item) for item in plain)
    return Table(
        name="reliability",
        caption="Calibration error beside that of a calibrated model",
        columns=(
            Column(title="row"),
            Column(title="of"),
            Column(title="error", numeric=True),
            Column(title="a calibrated model: mean", numeric=True),
            Column(title="95 of 100 below", numeric=True),
            Column(title="says"),
        ),
        rows=rows,
        notes=(
            "Mean distance between probability and share over 15 bins of equal mass. A calibrated "
            "model's is not 0 on so many images: its outcomes were drawn from its own "
            "probabilities, image by image.",
            *_altered_note(len(card.reliability) - len(plain)),
        )
        if rows
        else (),
    )


def _reliability_row(item: Reliability) -> tuple[Entry, ...]:
    of = "decided class" if item.class_ is None else item.class_
    head = (
        Entry(
            text=numbers.one_line(item.row),
            why=numbers.one_line(f"{item.dataset}, seed {item.seed}"),
        ),
        words(of),
    )
    if item.error is None or item.expected_high is None:
        missing = Entry(text=numbers.MISSING, why=numbers.one_line(item.reason))
        return (*head, missing, Entry(text=""), Entry(text=""), Entry(text=""))
    above = item.error > item.expected_high
    return (
        *head,
        Entry(text=numbers.number(item.error), sort=item.error),
        Entry(text=numbers.number(item.expected), sort=item.expected),
        Entry(text=numbers.number(item.expected_high), sort=item.expected_high),
        Entry(text="not calibrated" if above else "no sign of it", tone="warn" if above else ""),
    )
