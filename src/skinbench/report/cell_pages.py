"""A page for each cell: one row on one test set under one condition."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skinbench.records import EpochRecord, LabelSpace, Row
from skinbench.report import facts, figures, numbers, operating, tables, weak_spots
from skinbench.report.cells import Place, slug
from skinbench.report.compared import ComparedCells
from skinbench.report.confusion_figure import confusion_figure
from skinbench.report.content import Content
from skinbench.report.curve_figures import Decision, Interval, curves_of_class
from skinbench.report.figures import Drawing
from skinbench.report.judged import HardCase, Judged, hardest, read_judged, salted_judged
from skinbench.report.model_card import ModelCard, model_card
from skinbench.report.reliability import reliability_figure
from skinbench.report.rerun import Rerun, rerun
from skinbench.report.tables import ClassFacts, Column, Entry, Scores, Table, filled, words
from skinbench.score.calibration import focus_class
from skinbench.score.curves import seed_curves
from skinbench.store import RunFolder

WEIGHTED = "class-balanced"
"""No condition of the images: the same decisions, scored with every class weighing the same."""
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
            if condition != WEIGHTED and any(score.n for score in scores.of(place.where)):
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


def cell_part(content: Content, scores: Scores) -> CellPart:
    """Every cell of a run, its predictions read once a row.

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
            pages.append(cell_page(content, scores, place, judged))
            compared.add(place, judged)
    return CellPart(pages=tuple(pages), compared=compared.data())


def cell_page(content: Content, scores: Scores, place: Place, judged: Judged) -> CellPage:
    """Lay out one cell.

    Args:
        content: the run.
        scores: of its scorecard.
        place: the cell.
        judged: its row's test images; may be empty.
    """
    row, card = place.row, content.scorecard
    focus = focus_class(row.classes) or ""
    training, at, no_training = _training(content, scores, place)
    curves, no_curves = _curves(content, scores, place, judged, focus)
    return CellPage(
        slug=place.slug,
        row=numbers.one_line(row.name),
        dataset=numbers.one_line(place.dataset),
        place=_place_title(place),
        facts=_facts(content, row),
        stamp=numbers.one_line(card.stamps.get(row.split, "")),
        reduced=numbers.one_line(content.run.reduced.get(row.name, "")),
        notes=tuple(numbers.one_line(note) for note in (*row.notes, *row.differences)),
        headline=tuple(_headline(scores, place, focus)),
        classes=filled(_classes(content, scores, place)),
        further=filled(
            operating.focus_table(f"further-{place.slug}", scores.of(place.where), focus)
        ),
        weighted=filled(_weighted(scores, place, focus)),
        weighted_slug=slug(row.name, place.dataset, WEIGHTED),
        confusions=_confusions(content, place),
        focus=numbers.one_line(focus),
        curves=curves,
        no_curves=no_curves,
        points=filled(_points(content, place)),
        reliability=_reliability(content, place),
        training=training,
        training_at=at,
        no_training=no_training,
        subgroups=filled(_subgroups(content, place)),
        hardest=filled(_hardest(content, place, judged, focus)),
        fits=filled(_fits(content, row)),
        environment=_environment(content),
        rerun=rerun(content.run.command, row, content.rows, place.slug),
        card=model_card(content, scores, place) if _has_card(place) else None,
    )


def _has_card(place: Place) -> bool:
    return place.condition == "none" and place.row.kind != "plain"


def _place_title(place: Place) -> str:
    altered = "" if place.condition == "none" else f", {place.condition}"
    return numbers.one_line(place.dataset + altered)


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


def _classes(content: Content, scores: Scores, place: Place) -> Table:
    known = content.datasets.get(place.dataset)
    space: LabelSpace | None = known.label_space if known else None
    about = ClassFacts(classes=place.row.classes, titles=space.titles if space else {})
    table = tables.class_table(scores, place.where, about)
    caption = f"Per class: {place.row.name} on {_place_title(place)}"
    return dataclasses.replace(table, name=f"classes-{place.slug}", caption=caption)


def _weighted(scores: Scores, place: Place, focus: str) -> Table:
    """The same decisions with every class weighing the same, where the suite asks for it."""
    if place.condition != "none":
        found = []
    else:
        where = (place.row.name, place.dataset, WEIGHTED)
        found = [
            s for s in scores.of(where) if s.slice is None and s.class_ in {None, focus or None}
        ]
        found = [s for s in found if s.metric not in tables.FURTHER_METRICS]
    return Table(
        name=f"weighted-{place.slug}",
        caption="With every class weighing the same",
        columns=(Column(title="metric"), Column(title="score", numeric=True)),
        rows=tuple(
            (words(numbers.metric_title(s.metric, s.class_)), tables.measure(s)) for s in found
        ),
    )


def _confusions(content: Content, place: Place) -> tuple[tuple[Drawing, Table], ...]:
    found = []
    for item in content.scorecard.confusions:
        if (item.row, item.dataset, item.condition) != place.where:
            continue
        name = f"confusion-{place.slug}-{item.seed}"
        drawing = confusion_figure(name, item, place.row.classes)
        counts = tables.confusion_table(item, place.row.classes)
        found.append((drawing, dataclasses.replace(counts, name=name)))
    return tuple(found)


# --- curves ----------------------------------------------------------------------------------


def _curves(
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


def _points(content: Content, place: Place) -> Table:
    card = dataclasses.replace(
        content.scorecard,
        operating=tuple(
            item
            for item in content.scorecard.operating
            if (item.row, item.dataset, item.condition) == place.where
        ),
    )
    return dataclasses.replace(operating.points_table(card), name=f"points-{place.slug}")


def _reliability(content: Content, place: Place) -> Drawing | None:
    items = [
        item
        for item in content.scorecard.reliability
        if (item.row, item.dataset, item.condition) == place.where
    ]
    return reliability_figure(f"reliability-{place.slug}", place.row.name, items)


def _training(content: Content, scores: Scores, place: Place) -> tuple[Drawing | None, str, str]:
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


# --- where it fails, and how it was made -----------------------------------------------------


def _subgroups(content: Content, place: Place) -> Table:
    """A line for each subgroup of this cell; those of the suite's weak spots, else the slices."""
    spots, level = content.scorecard.weak_spots, numbers.level(content.scorecard.level)
    name = f"subgroups-{place.slug}"
    mine = (place.row.name, place.dataset)
    if spots is not None and place.condition == "none":
        found = [g for g in spots.groups if (g.row, g.dataset) == mine]
        within = [g for g in found if g.slice != weak_spots.BY_CLASS]
        table = weak_spots.group_table(within, level)
        rows = tuple(row[2:] for row in table.rows)
        note = f"Below {numbers.counted(spots.floor, 'lesion group')} a subgroup has no number."
        return dataclasses.replace(
            table, name=name, columns=table.columns[2:], rows=rows, notes=(*table.notes, note)
        )
    sliced = [
        s
        for s in content.scorecard.scores
        if (s.row, s.dataset, s.condition) == place.where and s.slice and s.seed is None
    ]
    card = dataclasses.replace(content.scorecard, scores=tuple(sliced))
    table = tables.slice_table(card)
    rows = tuple(row[1:] for row in table.rows)
    return dataclasses.replace(table, name=name, columns=table.columns[1:], rows=rows)


def _hardest(content: Content, place: Place, judged: Judged, focus: str) -> Table:
    seeds = judged.seeds(place.dataset, place.condition)
    found: Sequence[HardCase] = ()
    if seeds:
        found = hardest(seeds[min(seeds)], focus or None)
    spots = content.scorecard.weak_spots
    known = {
        item.image_id: f"{item.wrong} of {item.models}"
        for item in (spots.hardest if spots else ())
        if (item.dataset, item.split) == (place.dataset, place.row.split)
    }
    heads = [Column(title=title) for title in ("image", "true", "decided")]
    heads += [
        Column(title=title, numeric=True) for title in ("p(decided)", "p(true)", "models wrong")
    ]
    return Table(
        name=f"hardest-{place.slug}",
        caption=f"Hardest images: {place.row.name} on {_place_title(place)}",
        columns=tuple(heads),
        rows=tuple(
            (
                words(case.image_id),
                words(case.label),
                words(case.decided),
                Entry(text=numbers.number(case.probability, 2), sort=case.probability),
                Entry(
                    text=numbers.number(case.probability_of_label, 2),
                    sort=case.probability_of_label,
                ),
                words(known.get(case.image_id, numbers.MISSING)),
            )
            for case in found
        ),
    )


def _fits(content: Content, row: Row) -> Table:
    """How the row's own fits went."""
    cells = tuple(cell for cell in content.scorecard.cells if cell.row == row.name)
    used = {cell.fit for cell in cells}
    mine = dataclasses.replace(
        content,
        scorecard=dataclasses.replace(content.scorecard, cells=cells, segmentation_cells=()),
        fits={name: record for name, record in content.fits.items() if name in used},
    )
    table = facts.fits_table(mine)
    rows = tuple(
        (line[0], words(cell.fit or numbers.MISSING), *line[1:])
        for line, cell in zip(table.rows, [c for c in cells if c.fit in mine.fits], strict=False)
    )
    columns = (table.columns[0], Column(title="fit"), *table.columns[1:])
    name = f"fits-{slug(row.name, '', '')}"
    return dataclasses.replace(table, name=name, columns=columns, rows=rows)


def _environment(content: Content) -> str:
    run = content.run
    env, packages = run.environment, run.environment.packages
    said = [f"skinbench {run.version}" if run.version else "", f"Python {env.python}"]
    said += [f"{name} {packages[name]}" for name in ("torch", "timm", "numpy") if name in packages]
    said += [env.platform, numbers.counted(env.cores, "core") if env.cores else ""]
    gpus = [str(g.get("name", g)) if isinstance(g, dict) else str(g) for g in env.gpus]
    said.append(", ".join(gpus) or "no GPU")
    return numbers.one_line(", ".join(part for part in said if part.strip()))
