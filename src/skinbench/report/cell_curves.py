"""Drawings of one cell: curves with the decisions that tables judge, reliability, training."""

from __future__ import annotations

import dataclasses

from skinbench.records import EpochRecord, Row
from skinbench.report import figures, numbers, operating
from skinbench.report.cells import Place, slug
from skinbench.report.content import Content
from skinbench.report.curve_figures import Decision, Interval, curves_of_class
from skinbench.report.figures import Drawing
from skinbench.report.judged import Judged
from skinbench.report.reliability import reliability_figure
from skinbench.report.tables import Scores, Table
from skinbench.score.curves import seed_curves


def focus_curves(
    content: Content, scores: Scores, place: Place, judged: Judged, focus: str
) -> tuple[Drawing | None, str]:
    """ROC and precision-recall of the focus class, else why there are none."""
    if not focus:
        return None, "No class of this label space is melanoma or malignant."
    images = judged.seeds(place.dataset, place.condition)
    if not images:
        return None, "The run folder has no predictions of this cell."
    index = place.row.classes.index(focus)
    found = [seed_curves(part, index) for part in images.values()]
    curves = [item for item in found if item is not None]
    if len(curves) < len(found):
        return None, f"The test set has no image of {focus}, or no other."
    first = next(iter(images.values()))
    weights = first.scored_weights()
    share = float(weights[first.labels == index].sum() / weights.sum())
    decisions = _decisions(content, scores, place, focus)
    about = (place.row.name, focus)
    return curves_of_class(f"roc-{place.slug}", about, curves, decisions, share), ""


def _decisions(content: Content, scores: Scores, place: Place, focus: str) -> list[Decision]:
    """The argmax decision, and the first operating point of the class."""
    found = []
    plain = [scores.find(place.where, name, focus) for name in ("recall", "specificity")]
    precision = scores.find(place.where, "precision", focus)
    recall, specificity = (_interval(item) for item in plain)
    if recall is not None and specificity is not None:
        found.append(
            Decision(
                name="argmax",
                recall=recall,
                specificity=specificity,
                precision=_interval(precision),
            )
        )
    for point in content.scorecard.operating:
        where = (point.row, point.dataset, point.condition)
        if where != place.where or point.class_ != focus:
            continue
        of = {item.metric: _interval(item) for item in point.scores if item.class_ == focus}
        recall, specificity = of.get("recall"), of.get("specificity")
        if recall is not None and specificity is not None:
            found.append(
                Decision(
                    name=numbers.one_line(point.policy),
                    recall=recall,
                    specificity=specificity,
                    precision=of.get("precision"),
                )
            )
            break
    return found


def _interval(item: object) -> Interval | None:
    value = getattr(item, "value", None)
    if value is None:
        return None
    return Interval(value=value, low=getattr(item, "low", None), high=getattr(item, "high", None))


def points(content: Content, place: Place) -> Table:
    """Thresholds that val chose for this cell, and what they give on test."""
    card = dataclasses.replace(
        content.scorecard,
        operating=tuple(
            item
            for item in content.scorecard.operating
            if (item.row, item.dataset, item.condition) == place.where
        ),
    )
    return dataclasses.replace(operating.points_table(card), name=f"points-{place.slug}")


def reliability(content: Content, place: Place) -> Drawing | None:
    """How often it came true, against how likely it was called."""
    items = [
        item
        for item in content.scorecard.reliability
        if (item.row, item.dataset, item.condition) == place.where
    ]
    return reliability_figure(f"reliability-{place.slug}", place.row.name, items)


def training(content: Content, scores: Scores, place: Place) -> tuple[Drawing | None, str, str]:
    """Training curves on the row's first page; elsewhere the slug of that page, or a reason."""
    row = place.row
    histories: dict[str, tuple[EpochRecord, ...]] = {}
    best = {}
    for cell in content.scorecard.cells:
        record = content.fits.get(cell.fit or "")
        if cell.row == row.name and record is not None and record.history:
            histories[cell.cell] = record.history
            if record.best_epoch is not None:
                best[cell.cell] = record.best_epoch
    if not histories:
        return None, "", _untrained(row)
    first = scores.places(row.name)[0]
    if first != (place.dataset, place.condition):
        return None, slug(row.name, *first), ""
    drawing = figures.curves_figure(f"curves-{place.slug}", row.name, histories, best)
    return drawing, "", ""


def _untrained(row: Row) -> str:
    if row.kind == "plain":
        return "A baseline without a network: nothing is trained by epochs."
    if row.kind == "derived":
        return "Made of other rows' predictions: see their training."
    return "The run folder has no epochs of this row's fits."
