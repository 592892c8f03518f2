"""A table as plain entries, and the tables that lay out scores.

Both formats draw the same `Table`. Values arrive computed; text is made by `numbers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from skinbench.records import CheckResult, Confusion, Score, Scorecard, Verdict
from skinbench.report import numbers

PER_CLASS_ORDER = ("recall", "specificity", "precision", "f1", "auroc", "average_precision")
UNIT_METRICS = frozenset(
    {
        *PER_CLASS_ORDER,
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "weighted_f1",
        "macro_auroc",
        "macro_precision",
        "macro_specificity",
        "weighted_precision",
    }
)
"""Metrics between 0 and 1, whose intervals can be drawn on one scale."""
FURTHER_METRICS = frozenset(
    {
        "auc_sens_80",
        "calibration_error",
        "calibration_intercept",
        "calibration_slope",
        "called_benign",
        "melanoma_called_benign",
        "negative_likelihood_ratio",
        "negative_predictive_value",
        "pauc_80",
        "positive_likelihood_ratio",
        "recall_at_specificity_90",
        "recall_at_specificity_95",
        "specificity_at_recall_90",
        "specificity_at_recall_95",
    }
)
"""Per-class metrics that stand in tables of their own, for the classes that they matter for."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """An interval on the scale from 0 to 1."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One field of a table."""

    text: str
    detail: str = ""
    """Smaller text beneath or after: the interval."""
    why: str = ""
    """Reason of a missing value, or a remark on a present one."""
    mark: str = ""
    """Sign of a footnote."""
    bar: Bar | None = None
    sort: float | None = None
    """Number to sort by, where the text is no number."""
    tone: str = ""
    """`good`, `bad` or `warn` for words that carry a state."""
    near: str = ""
    """Sign of the reference row, or of one that is not separable from it."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column's head."""

    title: str
    numeric: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """Columns, rows of as many entries, and footnotes."""

    name: str
    """Unique on a page: letters, digits and hyphens."""
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...] = ()


def filled(table: Table) -> Table | None:
    """The table, or None where it has no rows."""
    return table if table.rows else None


def words(value: object) -> Entry:
    """A field of text."""
    return Entry(text=numbers.one_line(value))


def integer(value: int | None) -> Entry:
    """A field with a count."""
    return Entry(text=numbers.count(value), sort=value)


def measure(score: Score | None, *, absent: str = "not scored") -> Entry:
    """A score with its interval; undefined and absent ones say why."""
    if score is None:
        return Entry(text=numbers.MISSING, why=absent)
    if score.value is None:
        return Entry(text=numbers.MISSING, why=numbers.one_line(score.reason) or "undefined")
    why = "" if score.sd_seeds is None else f"seed SD {numbers.number(score.sd_seeds)}"
    return Entry(
        text=numbers.number(score.value),
        detail=numbers.bounds(score.low, score.high),
        why=why,
        bar=_bar(score),
        sort=score.value,
    )


def _bar(score: Score) -> Bar | None:
    if score.value is None or score.metric not in UNIT_METRICS:
        return None
    low = score.value if score.low is None else score.low
    high = score.value if score.high is None else score.high
    return Bar(value=_unit(score.value), low=_unit(low), high=_unit(high))


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))


def remarks(scores: Iterable[Score | None]) -> list[str]:
    """What is said about scores that have a value, each once with the scores it is about."""
    said: dict[str, list[str]] = {}
    for score in scores:
        if score is not None and score.value is not None and score.reason:
            title = numbers.metric_title(score.metric, score.class_)
            said.setdefault(score.reason, []).append(title)
    return [numbers.one_line(f"{', '.join(about)}: {text}") for text, about in said.items()]


class Scores:
    """Scores found by what they are about; over seeds where there are several."""

    def __init__(self, scorecard: Scorecard) -> None:
        self._by_key: dict[tuple[object, ...], Score] = {}
        self._by_place: dict[tuple[object, ...], dict[tuple[object, ...], None]] = {}
        self._places: dict[str, dict[tuple[str, str], None]] = {}
        for score in scorecard.scores:
            key = (
                score.row, score.dataset, score.condition, score.metric, score.class_, score.slice,
            )  # fmt: skip
            known = self._by_key.get(key)
            if known is None or _preference(score) < _preference(known):
                self._by_key[key] = score
            self._by_place.setdefault(key[:3], {})[key] = None
            self._places.setdefault(score.row, {})[score.dataset, score.condition] = None

    def find(
        self, where: tuple[str, str, str], metric: str, class_: str | None = None
    ) -> Score | None:
        """The score of (row, dataset, condition), over all images."""
        return self._by_key.get((*where, metric, class_, None))

    def of(self, where: tuple[str, str, str]) -> list[Score]:
        """Every preferred score of (row, dataset, condition), in the scorecard's order."""
        return [self._by_key[key] for key in self._by_place.get(where, ())]

    def places(self, row: str) -> list[tuple[str, str]]:
        """(dataset, condition) of a row's scores, in the scorecard's order."""
        return list(self._places.get(row, ()))


def _preference(score: Score) -> tuple[bool, int]:
    return (score.seed is not None, score.seed or 0)


def class_table(scores: Scores, where: tuple[str, str, str], facts: ClassFacts) -> Table:
    """Every per-class metric of a row, one line a class."""
    found = [
        score
        for score in scores.of(where)
        if score.class_ and score.slice is None and score.metric not in FURTHER_METRICS
    ]
    metrics = _ordered((score.metric for score in found), PER_CLASS_ORDER)
    rows = []
    for code in facts.classes:
        first = scores.find(where, "recall", code)
        rows.append(
            (
                words(facts.title(code)),
                integer(first.n_positive if first else None),
                *(measure(scores.find(where, metric, code)) for metric in metrics),
            )
        )
    titles = [Column(title=numbers.metric_title(metric), numeric=True) for metric in metrics]
    return Table(
        name="classes",
        caption=f"Per class: {where[0]}",
        columns=(Column(title="class"), Column(title="images", numeric=True), *titles),
        rows=tuple(rows),
        notes=tuple(remarks(found)),
    )


@dataclass(frozen=True, kw_only=True)
class ClassFacts:
    """Classes of a label space in order, with full names."""

    classes: tuple[str, ...]
    titles: Mapping[str, str]

    def title(self, code: str) -> str:
        """`mel: melanoma`, or the code alone."""
        full = self.titles.get(code, "")
        return f"{code}: {full}" if full and full != code else code


def overall_table(scores: Scores, wheres: Sequence[tuple[str, str, str]]) -> Table:
    """Every metric over all classes, one line a row."""
    found = [s for where in wheres for s in scores.of(where) if not s.class_ and s.slice is None]
    metrics = _ordered((score.metric for score in found), ("accuracy", "balanced_accuracy"))
    rows = []
    for where in wheres:
        of_row = [scores.find(where, metric) for metric in metrics]
        scored = any(score is not None and score.n for score in of_row)
        # A row without any prediction has one reason, which the leaderboard gives.
        entries = [measure(s) if scored else Entry(text=numbers.MISSING) for s in of_row]
        rows.append((words(where[0]), *entries))
    titles = [Column(title=numbers.metric_title(metric), numeric=True) for metric in metrics]
    return Table(
        name="overall",
        caption="Every metric over all classes",
        columns=(Column(title="row"), *titles),
        rows=tuple(rows),
    )


def seed_table(scorecard: Scorecard, metrics: Sequence[tuple[str, str | None]]) -> Table:
    """Every seed by itself, for rows that have several.

    Args:
        scorecard: scores of all rows.
        metrics: (metric, class) of the columns.
    """
    found: dict[tuple[str, str, str], dict[int, dict[tuple[str, str | None], Score]]] = {}
    for score in scorecard.scores:
        if score.seed is not None and score.slice is None:
            where = (score.row, score.dataset, score.condition)
            seeds = found.setdefault(where, {})
            seeds.setdefault(score.seed, {})[score.metric, score.class_] = score
    rows = tuple(
        (
            words(where[0]),
            words(where[1]),
            integer(seed),
            *(measure(scores.get(metric)) for metric in metrics),
        )
        for where, seeds in found.items()
        for seed, scores in seeds.items()
        if len(seeds) > 1
    )
    titles = [Column(title=numbers.metric_title(*metric), numeric=True) for metric in metrics]
    heads = (Column(title="row"), Column(title="data"), Column(title="seed", numeric=True))
    return Table(name="seeds", caption="Every seed by itself", columns=(*heads, *titles), rows=rows)


def slice_table(scorecard: Scorecard) -> Table:
    """Scores within subgroups, where the run has any."""
    rows = tuple(
        (
            words(score.row),
            words(score.slice or ""),
            words(numbers.metric_title(score.metric, score.class_)),
            measure(score),
            integer(score.n),
            integer(score.n_positive),
        )
        for score in scorecard.scores
        if score.slice is not None and score.seed is None
    )
    return Table(
        name="slices",
        caption="Scores within subgroups",
        columns=(
            Column(title="row"),
            Column(title="slice"),
            Column(title="metric"),
            Column(title="score", numeric=True),
            Column(title="n", numeric=True),
            Column(title="positives", numeric=True),
        ),
        rows=rows,
    )


def confusion_table(confusion: Confusion, classes: Sequence[str]) -> Table:
    """Counts by true class (lines) and decided class (columns)."""
    rows = tuple(
        (words(code), *(integer(value) for value in line))
        for code, line in zip(classes, confusion.counts, strict=False)
    )
    return Table(
        name="confusion",
        caption=f"Confusion matrix: {confusion.row} (seed {confusion.seed})",
        columns=(
            Column(title="true \\ decided"),
            *(Column(title=c, numeric=True) for c in classes),
        ),
        rows=rows,
    )


OUTCOME_TONES = {"passed": "good", "regressed": "bad", "done": "good", "failed": "bad"}


def _lines(check: CheckResult) -> tuple[float, ...]:
    """Differences that a check's outcome follows from."""
    return (0.0,) if check.margin is None else (0.0, -check.margin, check.margin)


def verdict_table(verdict: Verdict) -> Table:
    """One line for each check of the gate."""
    rows = tuple(
        (
            words(check.row),
            words(_check_title(check.metric, check.class_, check.slice)),
            Entry(text=check.outcome, tone=OUTCOME_TONES.get(check.outcome, "warn")),
            Entry(text=numbers.number(check.baseline), sort=check.baseline),
            Entry(text=numbers.number(check.candidate), sort=check.candidate),
            Entry(
                text=numbers.signed(check.difference),
                detail=numbers.ends(check.low, check.high, lines=_lines(check)),
                sort=check.difference,
            ),
            Entry(text=numbers.number(check.margin)),
            integer(check.n or None),
            integer(check.n_positive),
            words(check.reason),
        )
        for check in verdict.checks
    )
    titles = ("baseline", "candidate", "difference", "margin", "n", "positives")
    return Table(
        name="gate",
        caption="Checks of the gate",
        columns=(
            Column(title="row"),
            Column(title="metric"),
            Column(title="outcome"),
            *(Column(title=title, numeric=True) for title in titles),
            Column(title="remark"),
        ),
        rows=rows,
        notes=tuple(numbers.one_line(note) for note in verdict.notes),
    )


def _check_title(metric: str, class_: str | None, slice_: str | None) -> str:
    return numbers.metric_title(metric, class_) + (f", {slice_}" if slice_ else "")


def _ordered(names: Iterable[str], first: Sequence[str]) -> list[str]:
    """Names once each: those of `first` in its order, then the others as they come."""
    found = dict.fromkeys(names)
    return [name for name in first if name in found] + [n for n in found if n not in first]
