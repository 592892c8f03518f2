"""One row on one test set: per-class scores, confusion matrices, curves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from skinbench.records import EpochRecord, LabelSpace, Row
from skinbench.report import figures, numbers, operating, tables
from skinbench.report.cells import slug
from skinbench.report.content import Content
from skinbench.report.figures import Drawing
from skinbench.report.reliability import reliability_figure
from skinbench.report.tables import ClassFacts, Scores, Table
from skinbench.score.calibration import focus_class
from skinbench.store import file_name


@dataclass(frozen=True, kw_only=True)
class CellPart:
    """What the view of a cell shows."""

    slug: str
    """The view is `cell-<slug>`."""
    title: str
    summary: str
    opened: bool
    """Shown unfolded: the first row with a network, so that a reader sees what there is."""
    classes: Table | None
    further: Table | None
    """Of the focus class: what has no column in `classes`."""
    confusions: tuple[tuple[Drawing, Table], ...]
    curves: Drawing | None
    reliability: Drawing | None

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every drawing of the view."""
        found = (*(drawing for drawing, _ in self.confusions), self.curves, self.reliability)
        return tuple(drawing for drawing in found if drawing is not None)


def cell_parts(content: Content, scores: Scores) -> list[CellPart]:
    """Every row on every test set that it has scores of, in the suite's order."""
    parts = list(_each_part(content, scores))
    first = next((part for part in parts if part.curves is not None), parts[0] if parts else None)
    return [replace(part, opened=part is first) for part in parts]


def _each_part(content: Content, scores: Scores) -> Iterable[CellPart]:
    spaces = {name: facts.label_space for name, facts in content.datasets.items()}
    several = {row.name: len(scores.places(row.name)) > 1 for row in content.rows}
    for row in content.rows:
        for index, place in enumerate(scores.places(row.name)):
            where = (row.name, *place)
            if all(score.n == 0 for score in scores.of(where)):
                continue  # the leaderboard and the list of failed cells say why
            detail = f" on {place[0]}" if several[row.name] else ""
            detail += f", {place[1]}" if place[1] != "none" else ""
            title = numbers.one_line(row.name + detail)
            classes = tables.class_table(scores, where, _class_facts(row, spaces, place[0]))
            yield CellPart(
                slug=slug(row.name, *place),
                title=title,
                summary=_summary(scores, where),
                opened=False,
                classes=tables.filled(_renamed(classes, f"classes-{_safe_name(title)}")),
                further=_further(scores, where, row, title),
                confusions=_confusions(content, row, place),
                reliability=_reliability(content, row, place),
                curves=_curves(content, row) if index == 0 else None,
            )


def _further(scores: Scores, where: tuple[str, str, str], row: Row, title: str) -> Table | None:
    focus = focus_class(row.classes)
    if focus is None:
        return None
    return tables.filled(
        operating.focus_table(f"further-{_safe_name(title)}", scores.of(where), focus)
    )


def _reliability(content: Content, row: Row, place: tuple[str, str]) -> Drawing | None:
    items = [
        item
        for item in content.scorecard.reliability
        if (item.row, item.dataset, item.condition) == (row.name, *place)
    ]
    return reliability_figure(_safe_name(f"reliability-{row.name}-{place[0]}"), row.name, items)


def _renamed(table: Table, name: str) -> Table:
    return replace(table, name=name)


def _summary(scores: Scores, where: tuple[str, str, str]) -> str:
    score = scores.find(where, "balanced_accuracy")
    if score is None or score.value is None:
        return ""
    text = numbers.estimate(score.value, score.low, score.high)
    return f"balanced accuracy {text}"


def _class_facts(row: Row, spaces: dict[str, LabelSpace], dataset: str) -> ClassFacts:
    space = spaces.get(dataset)
    return ClassFacts(classes=row.classes, titles=space.titles if space else {})


def _confusions(
    content: Content, row: Row, place: tuple[str, str]
) -> tuple[tuple[Drawing, Table], ...]:
    found = [
        confusion
        for confusion in content.scorecard.confusions
        if (confusion.row, confusion.dataset, confusion.condition) == (row.name, *place)
    ]
    parts = []
    for confusion in found:
        name = _safe_name(f"confusion-{row.name}-{place[0]}-{place[1]}-{confusion.seed}")
        drawing = figures.confusion_figure(name, confusion, row.classes)
        parts.append((drawing, _renamed(tables.confusion_table(confusion, row.classes), name)))
    return tuple(parts)


def _curves(content: Content, row: Row) -> Drawing | None:
    histories: dict[str, tuple[EpochRecord, ...]] = {}
    best = {}
    for cell in content.scorecard.cells:
        record = content.fits.get(cell.fit or "")
        if cell.row == row.name and record is not None and record.history:
            histories[cell.cell] = record.history
            if record.best_epoch is not None:
                best[cell.cell] = record.best_epoch
    if not histories:
        return None
    return figures.curves_figure(_safe_name(f"curves-{row.name}"), row.name, histories, best)


def _safe_name(name: str) -> str:
    """A file name and HTML id that no other name gives, in letters, digits and hyphens."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in file_name(name))
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:6]
    return f"{'-'.join(filter(None, plain.split('-')))[:80]}-{digest}"
