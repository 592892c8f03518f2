"""`skinbench score` as tables: overall, by class, the focus class, points, prevalence, official."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

from skinbench import registry
from skinbench.records import Confusion, Score, Scorecard
from skinbench.records.official import ForeignScores, OfficialScores
from skinbench.records.operating import AtPrevalence, Estimate, OperatingPoint
from skinbench.report import numbers, operating
from skinbench.report.markdown import escape
from skinbench.report.markdown import table as markdown_table
from skinbench.report.over import OF_CLASSES, over
from skinbench.report.tables import Column, Entry, Table, integer, measure, remarks, words
from skinbench.score.calibration import focus_class

OVERALL = (
    "balanced_accuracy", "accuracy", "macro_auroc", "macro_f1", "matthews", "cohen_kappa",
    "top_2_accuracy", "top_3_accuracy", "log_loss", "brier", "top_label_error",
)  # fmt: skip
BY_CLASS = ("recall", "specificity", "precision", "auroc")
_BESIDE = 3
"""Columns that fit beside each other on a terminal."""
_OFFICIAL = ("sensitivity", "specificity", "ppv", "auc", "auc_sens_80", "ap")


def head(found: ForeignScores) -> str:
    """`model.csv: 2,003 test images of 1,500 lesion groups, 1,002 val images`."""
    counts = f"{numbers.counted(found.images, 'test image')} of "
    counts += numbers.counted(found.groups, "lesion group")
    if found.val_images:
        counts += f", {numbers.counted(found.val_images, 'val image')}"
    return numbers.one_line(f"{found.predictions}: {counts}")


def intervals(found: ForeignScores) -> str:
    """What the brackets are."""
    card = found.scorecard
    what = {"lesion": "lesion group"}.get(found.group, found.group)
    replicates = numbers.count(card.replicates)
    return f"Intervals: {numbers.level(card.level)}, {replicates} resamples by {what}."


def elsewhere(found: ForeignScores) -> str:
    """Where these predictions fail, in a line; the rest is in the JSON."""
    spots = found.scorecard.weak_spots
    views = (
        [c for c in spots.consistency if c.class_ is None and c.value is not None] if spots else []
    )
    said = "Gaps of subgroups, the worst group and views of one lesion are in --json (weak_spots)"
    if views:
        share = numbers.estimate(views[0].value, views[0].low, views[0].high)
        lesions = numbers.counted(views[0].lesions, "lesion")
        said += f"; views disagree on {share} of {lesions} with several"
    return f"{said}."


def foreign_markdown(found: ForeignScores) -> str:
    """The same as a Markdown page."""
    parts = [f"# {escape(head(found))}", "> Research software, not a medical device."]
    for table in foreign_tables(found):
        parts += [f"## {escape(table.caption)}", str(markdown_table(table))]
    parts += [
        intervals(found),
        escape(elsewhere(found)),
        *(f"- {escape(note)}" for note in found.notes),
    ]
    return "\n\n".join(parts) + "\n"


def foreign_tables(found: ForeignScores) -> list[Table]:
    """Every table that has something in it."""
    card = found.scorecard
    classes = list(dict.fromkeys(s.class_ for s in card.scores if s.class_))
    tables = [_overall(card.scores), _by_class(card.scores, classes)]
    focus = focus_class(classes)
    if focus is not None:
        tables.append(_focus(card, focus))
    tables += [_calibration(card), _called_benign(card.scores)]
    tables += [*_points(card.operating), *_prevalences(card.prevalence)]
    tables.append(_slices(card.scores, focus))
    if found.official is not None:
        tables.append(official_table(found.official))
    return [table for table in tables if table.rows]


def _called_benign(scores: Sequence[Score]) -> Table:
    """Which malignant class is called benign."""
    found = [s for s in scores if s.metric == "called_benign" and s.slice is None]
    return Table(
        name="benign",
        caption="Malignant, but decided for a benign class",
        columns=(
            Column(title="class"), Column(title="share", numeric=True),
            Column(title="images", numeric=True),
        ),
        rows=tuple((words(s.class_), measure(s), integer(s.n_positive)) for s in found),
        notes=tuple(remarks(found)),
    )  # fmt: skip


def _points(points: Sequence[OperatingPoint]) -> list[Table]:
    """Operating points side by side, a few a table."""
    tables = []
    for start in range(0, len(points), _BESIDE):
        some = points[start : start + _BESIDE]
        found = [{item.metric: item for item in point.scores} for point in some]
        change = [{item.metric: item for item in point.changes} for point in some]
        rows = [(words("threshold"), *map(_threshold, some))]
        for metric in ("recall", "specificity", "precision", "accuracy"):
            entries = [
                _beside(f.get(metric), c.get(metric)) for f, c in zip(found, change, strict=True)
            ]
            rows.append((words(metric), *entries))
        flagged = [operating.estimate_entry(point.flagged_per_hit, 2) for point in some]
        rows.append((words("flagged for each hit"), *flagged))
        if any(point.cost for point in some):
            costs = [operating.estimate_entry(p.cost) if p.cost else Entry(text="") for p in some]
            rows.append((words("mean cost of an image"), *costs))
        titles = [f"{point.class_}: {point.policy}" for point in some]
        tables.append(
            Table(
                name=f"points-{start}",
                caption="Operating points, chosen on val",
                columns=(Column(title=""), *(Column(title=t, numeric=True) for t in titles)),
                rows=tuple(rows),
                notes=("In brackets: the change against deciding for the largest probability.",),
            )
        )
    return tables


def _threshold(point: OperatingPoint) -> Entry:
    if point.reason:
        return Entry(text=numbers.MISSING, why=numbers.one_line(point.reason))
    value = point.thresholds[0].value
    return Entry(text="none reaches it" if (value or 0) > 1 else numbers.number(value))


def _beside(now: Estimate | None, change: Estimate | None) -> Entry:
    entry = operating.estimate_entry(now)
    if change is None or change.value is None:
        return entry
    return Entry(text=f"{entry.text} ({numbers.signed(change.value)})", detail=entry.detail)


def _prevalences(items: Sequence[AtPrevalence]) -> list[Table]:
    """Ways of deciding side by side, a few a table, for each prevalence."""
    tables = []
    places = list(dict.fromkeys((item.class_, item.prevalence) for item in items))
    for class_, prevalence in places:
        rules = [i for i in items if (i.class_, i.prevalence) == (class_, prevalence)]
        for start in range(0, len(rules), _BESIDE):
            some = rules[start : start + _BESIDE]
            found = [{score.metric: score for score in item.scores} for item in some]
            rows = []
            for metric, title in operating.AT_PREVALENCE:
                if not any(metric in scores for scores in found):
                    continue
                digits = 1 if metric == "number_needed_to_biopsy" else 3
                entries = [operating.estimate_entry(scores.get(metric), digits) for scores in found]
                rows.append((words(title), *entries))
            tables.append(
                Table(
                    name=f"prevalence-{class_}-{prevalence:g}-{start}",
                    caption=f"{class_} at a prevalence of {prevalence:g}",
                    columns=(
                        Column(title=""),
                        *(Column(title=item.rule, numeric=True) for item in some),
                    ),
                    rows=tuple(rows),
                    notes=(
                        *operating.prevalence_notes(some),
                        *(numbers.one_line(f"{i.rule}: {i.reason}") for i in some if i.reason),
                    ),
                )
            )
    return tables


def _overall(scores: Sequence[Score]) -> Table:
    found = {s.metric: s for s in scores if s.class_ is None and s.slice is None}
    order = [name for name in OVERALL if name in found]
    order += [name for name in found if name not in OVERALL]
    return _listed("overall", "All classes", [found[name] for name in order])


def _by_class(scores: Sequence[Score], classes: Sequence[str]) -> Table:
    found = {(s.metric, s.class_): s for s in scores if s.slice is None}
    metrics = [name for name in BY_CLASS if any((name, code) in found for code in classes)]
    rows = []
    for code in classes if metrics else ():
        first = found.get((metrics[0], code))
        counts = integer(first.n_positive if first else None)
        entries = [measure(found.get((name, code))) for name in metrics]
        rows.append((words(code), counts, *entries))
    titles = [numbers.short_title(name) for name in metrics]
    return Table(
        name="classes",
        caption="By class, decided by the largest probability",
        columns=(
            Column(title="class"),
            Column(title="images", numeric=True),
            *(Column(title=title, numeric=True) for title in titles),
        ),
        rows=tuple(rows),
        notes=(
            OF_CLASSES,
            *remarks(found.get((m, c)) for m in metrics for c in classes),
        ),
    )


def _focus(card: Scorecard, focus: str) -> Table:
    found = [
        s
        for s in card.scores
        if s.class_ == focus and s.slice is None and s.metric not in (*BY_CLASS, "called_benign")
    ]
    confusion = card.confusions[0] if card.confusions else None
    classes = cast("Sequence[str]", card.rows[0]["classes"])
    return _listed("focus", f"More about {focus}", found, (confusion, classes.index(focus)))


def _calibration(card: Scorecard) -> Table:
    """The calibration error beside that of a calibrated model, without the row's name."""
    full = operating.reliability_table(card)
    return replace(full, columns=full.columns[1:], rows=tuple(row[1:] for row in full.rows))


def _listed(
    name: str,
    caption: str,
    scores: Iterable[Score],
    about: tuple[Confusion | None, int] = (None, 0),
) -> Table:
    """A score a line."""
    given = list(scores)
    rows = tuple((words(_title(s.metric)), measure(s), over(s, *about)) for s in given)
    return Table(
        name=name,
        caption=caption,
        columns=(
            Column(title="metric"), Column(title="score", numeric=True),
            Column(title="images", numeric=True),
        ),
        rows=rows,
        notes=tuple(remarks(given)),
    )  # fmt: skip


def _title(metric: str) -> str:
    """The metric's own name: it says where a threshold is from."""
    return registry.metrics.get(metric).title or numbers.metric_title(metric)


def _slices(scores: Sequence[Score], focus: str | None) -> Table:
    """Recall and specificity of the focus class, and balanced accuracy, in each subgroup."""
    columns: list[tuple[str, str | None]] = [("balanced_accuracy", None)]
    columns += [("recall", focus), ("specificity", focus)] if focus else []
    found = {(s.slice, s.metric, s.class_): s for s in scores if s.slice is not None}
    names = list(dict.fromkeys(key[0] for key in found))
    rows = []
    for name in names:
        of_slice = [found.get((name, *column)) for column in columns]
        first = next((score for score in of_slice if score is not None), None)
        counts = integer(first.n if first else None)
        rows.append((words(name), counts, *(measure(score) for score in of_slice)))
    titles = [numbers.short_title(*column) for column in columns]
    return Table(
        name="slices",
        caption="Subgroups",
        columns=(
            Column(title="subgroup"),
            Column(title="images", numeric=True),
            *(Column(title=title, numeric=True) for title in titles),
        ),
        rows=tuple(rows),
    )


def official_table(official: OfficialScores) -> Table:
    """The official scorer's numbers, by class and their mean."""
    codes = list(official.per_category[_OFFICIAL[0]])
    rows = [
        (words(code), *(_value(official, metric, code) for metric in _OFFICIAL)) for code in codes
    ]
    mean = tuple(_number(official.macro_average[metric]) for metric in _OFFICIAL)
    overall = numbers.number(official.overall, 6)
    return Table(
        name="official",
        caption=f"ISIC's official scorer on {numbers.counted(official.images, 'test image')}: "
        f"{official.target_metric.replace('_', ' ')} {overall}",
        columns=(
            Column(title="class"),
            *(Column(title=metric, numeric=True) for metric in _OFFICIAL),
        ),
        rows=(*rows, (words("mean"), *mean)),
        notes=(
            "There a class is decided where its own probability is above 0.5.",
            *map(numbers.one_line, official.notes),
        ),
    )


def _value(official: OfficialScores, metric: str, code: str) -> Entry:
    """A value; one that counts as 1.0 over no image beside what it is here."""
    entry = _number(official.per_category[metric][code])
    if code in official.undefined.get(metric, ()):
        return Entry(text=f"{entry.text}, here {numbers.MISSING}", sort=entry.sort, tone="warn")
    return entry


def _number(value: float | None) -> Entry:
    return Entry(text=numbers.number(value), sort=value)
