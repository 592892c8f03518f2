"""A page for each cell: one row on one test set under one condition."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from skinbench.records import Row
from skinbench.report import cell_curves, cell_tables, field_effects, numbers, operating, tables
from skinbench.report.cells import Place, slug
from skinbench.report.compared import ComparedCells
from skinbench.report.content import Content
from skinbench.report.figures import Drawing
from skinbench.report.judged import Judged, read_judged, salted_judged
from skinbench.report.model_card import ModelCard, model_card
from skinbench.report.rerun import Rerun, rerun
from skinbench.report.tables import Entry, Scores, Table, filled
from skinbench.score.calibration import focus_class
from skinbench.store import RunFolder

MOST_CONDITIONS = 200
"""Altered test sets beyond so many have no page; their numbers stand under Where it fails."""
HEADLINE = ("balanced_accuracy", "accuracy", "macro_auroc")
OF_FOCUS = ("recall", "specificity", "auroc")


@dataclass(frozen=True, kw_only=True)
class CellPage:
    """Everything about a cell."""

    slug: str
    row: str
    dataset: str
    place: str
    """Test set and condition."""
    facts: tuple[tuple[str, str], ...]
    """(what, value): model, input, technique, split, classes, seeds and folds."""
    stamp: str
    """Leak stamp; empty for a clean split."""
    reduced: str
    notes: tuple[str, ...]
    headline: tuple[tuple[str, Entry], ...]
    """(metric, its score)."""
    classes: Table | None
    further: Table | None
    weighted: Table | None
    """Scores with every class weighing the same."""
    weighted_slug: str
    """Its address in the leaderboard's own table of such scores."""
    confusions: tuple[tuple[Drawing, Table], ...]
    focus: str
    """Class code; empty where the label space has no malignant class."""
    curves: Drawing | None
    no_curves: str
    points: Table | None
    """Operating points of the focus class."""
    reliability: Drawing | None
    training: Drawing | None
    training_at: str
    """Slug of the page that has the training curves, where it is another one."""
    no_training: str
    effects: Table | None
    """What metadata moves."""
    no_effects: str
    subgroups: Table | None
    hardest: Table | None
    fits: Table | None
    environment: str
    rerun: Rerun
    card: ModelCard | None
    """None for a baseline without a network, and under a condition, where the card of the
    unaltered test set holds."""

    @property
    def title(self) -> str:
        """`p1/multimodal on ham, blur@3`."""
        return f"{self.row} on {self.place}"

    @property
    def summary(self) -> str:
        """The first score over all classes, on a line."""
        found = [f"{name} {entry.text} {entry.detail}" for name, entry in self.headline]
        return next((text.strip() for text in found if text.startswith("balanced")), "")

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every drawing of the page."""
        own = (*(d for d, _ in self.confusions), self.curves, self.reliability, self.training)
        return tuple(drawing for drawing in own if drawing is not None)


def places(content: Content, scores: Scores) -> list[Place]:
    """Cells that have scores, in the suite's order; rows without one stand under Not run."""
    found = []
    for row in content.rows:
        if row.name in content.scorecard.smoke:
            continue
        for dataset, condition in scores.places(row.name):
            place = Place(row=row, dataset=dataset, condition=condition)
            scored = any(score.n for score in scores.of(place.where))
            if scored and condition != cell_tables.WEIGHTED:
                found.append(place)
    altered = [place for place in found if place.condition != "none"]
    if len(altered) > MOST_CONDITIONS:
        found = [place for place in found if place.condition == "none"]
    return found


@dataclass(frozen=True, kw_only=True)
class CellPart:
    """All cells of a run."""

    pages: tuple[CellPage, ...]
    compared: Mapping[str, Any]
    """For the page's script: see `ComparedCells.data`."""


def cell_part(content: Content, scores: Scores, moved: field_effects.Moved) -> CellPart:
    """Every cell of a run, its predictions read once a row.

    Args:
        content: the run.
        scores: of its scorecard.
        moved: what metadata did to single images.

    Raises:
        PredictionsError: a file of predictions is not what its name says.
    """
    pages: list[CellPage] = []
    folder = RunFolder(content.root)
    compared = ComparedCells(content=content, scores=scores)
    for row, mine in itertools.groupby(places(content, scores), key=lambda place: place.row):
        judged = read_judged(folder, row, content.scorecard.cells)
        if content.private:
            judged = salted_judged(judged, content.private, content.salt)
        for place in mine:
            pages.append(cell_page(content, scores, place, judged, moved))
            compared.add(place, judged)
    return CellPart(pages=tuple(pages), compared=compared.data())


def cell_page(
    content: Content,
    scores: Scores,
    place: Place,
    judged: Judged,
    moved: field_effects.Moved | None = None,
) -> CellPage:
    """Lay out one cell.

    Args:
        content: the run.
        scores: of its scorecard.
        place: the cell.
        judged: its row's test images; may be empty.
        moved: what metadata did to single images, see `field_effects.of_images`.
    """
    row, card = place.row, content.scorecard
    focus = focus_class(row.classes) or ""
    training, at, no_training = cell_curves.training(content, scores, place)
    curves, no_curves = cell_curves.focus_curves(content, scores, place, judged, focus)
    return CellPage(
        slug=place.slug,
        row=numbers.one_line(row.name),
        dataset=numbers.one_line(place.dataset),
        place=place.title,
        facts=_facts(content, row),
        stamp=numbers.one_line(card.stamps.get(row.split, "")),
        reduced=numbers.one_line(content.run.reduced.get(row.name, "")),
        notes=tuple(numbers.one_line(note) for note in (*row.notes, *row.differences)),
        headline=tuple(_headline(scores, place, focus)),
        classes=filled(cell_tables.classes(content, scores, place)),
        further=filled(
            operating.focus_table(
                f"further-{place.slug}",
                scores.of(place.where),
                focus,
                cell_tables.decided_in(content, place, focus),
            )
        ),
        weighted=filled(cell_tables.weighted(scores, place, focus)),
        weighted_slug=slug(row.name, place.dataset, cell_tables.WEIGHTED),
        confusions=cell_tables.confusions(content, place),
        focus=numbers.one_line(focus),
        curves=curves,
        no_curves=no_curves,
        points=filled(cell_curves.points(content, place)),
        reliability=cell_curves.reliability(content, place),
        training=training,
        training_at=at,
        no_training=no_training,
        effects=filled(cell_tables.effects(content, place)),
        no_effects=field_effects.unmeasured(
            row, card.field_effects, {name for one in content.cases.sets for name in one.rows}
        ),
        subgroups=filled(cell_tables.subgroups(content, place)),
        hardest=filled(cell_tables.hardest_images(content, place, judged, moved or {})),
        fits=filled(cell_tables.row_fits(content, row)),
        environment=cell_tables.environment(content),
        rerun=rerun(content.run.command, row, content.rows, place.slug),
        card=model_card(content, scores, place) if _has_card(place) else None,
    )


def _has_card(place: Place) -> bool:
    return place.condition == "none" and place.row.kind != "plain"


def _facts(content: Content, row: Row) -> tuple[tuple[str, str], ...]:
    cells = [cell for cell in content.scorecard.cells if cell.row == row.name]
    seeds, folds = {cell.seed for cell in cells}, {cell.fold for cell in cells}
    said = [
        ("model", row.model),
        ("input", row.input),
        ("technique", row.technique),
        ("split", row.split),
        ("classes", f"{len(row.classes)} ({row.label_space})"),
        (
            "made of",
            f"{numbers.counted(len(folds), 'fold')}, {numbers.counted(len(seeds), 'seed')}",
        ),
    ]
    return tuple((what, numbers.one_line(value)) for what, value in said)


def _headline(scores: Scores, place: Place, focus: str) -> Iterator[tuple[str, Entry]]:
    wanted = [(metric, focus) for metric in OF_FOCUS if focus]
    for metric, class_ in [*wanted, *((metric, None) for metric in HEADLINE)]:
        score = scores.find(place.where, metric, class_)
        if score is not None:
            title = numbers.short_title(metric, class_)
            yield numbers.one_line(title), tables.measure(score)
