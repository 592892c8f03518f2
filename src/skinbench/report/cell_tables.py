"""Tables of one cell: classes, subgroups, hardest images, what metadata moves, how it was made."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from skinbench.records import Confusion, LabelSpace, Row
from skinbench.report import facts, field_effects, numbers, subgroup_tables, tables
from skinbench.report.cells import Place, slug
from skinbench.report.confusion_figure import confusion_figure
from skinbench.report.content import Content
from skinbench.report.figures import Drawing
from skinbench.report.judged import HardCase, Judged, hardest
from skinbench.report.over import OF_CLASSES
from skinbench.report.tables import ClassFacts, Column, Entry, Scores, Table, words
from skinbench.score.calibration import focus_class

"""(row, dataset, image id) to what metadata did to the image's decision."""
WEIGHTED = "class-balanced"
"""No condition of the images: the same decisions, scored with every class weighing the same."""


def classes(content: Content, scores: Scores, place: Place) -> Table:
    """Every metric of every class."""
    known = content.datasets.get(place.dataset)
    space: LabelSpace | None = known.label_space if known else None
    about = ClassFacts(classes=place.row.classes, titles=space.titles if space else {})
    table = tables.class_table(scores, place.where, about)
    caption = f"Per class: {place.row.name} on {place.title}"
    return dataclasses.replace(
        table, name=f"classes-{place.slug}", caption=caption, notes=(*table.notes, OF_CLASSES)
    )


def weighted(scores: Scores, place: Place, focus: str) -> Table:
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


def confusions(content: Content, place: Place) -> tuple[tuple[Drawing, Table], ...]:
    """A confusion matrix for each seed, as a drawing and as a table."""
    found = []
    for item in content.scorecard.confusions:
        if (item.row, item.dataset, item.condition) != place.where:
            continue
        name = f"confusion-{place.slug}-{item.seed}"
        drawing = confusion_figure(name, item, place.row.classes)
        counts = tables.confusion_table(item, place.row.classes)
        found.append((drawing, dataclasses.replace(counts, name=name)))
    return tuple(found)


def decided_in(content: Content, place: Place, focus: str) -> tuple[Confusion | None, int]:
    """The confusion of the first seed, where there is one seed, and the class's place in it."""
    found = [
        item
        for item in content.scorecard.confusions
        if (item.row, item.dataset, item.condition) == place.where
    ]
    where = place.row.classes.index(focus) if focus in place.row.classes else 0
    return (found[0] if len(found) == 1 else None), where


def subgroups(content: Content, place: Place) -> Table:
    """A line for each subgroup of this cell; those of the suite's weak spots, else the slices."""
    spots, level = content.scorecard.weak_spots, numbers.level(content.scorecard.level)
    name = f"subgroups-{place.slug}"
    mine = (place.row.name, place.dataset)
    if spots is not None and place.condition == "none":
        found = [g for g in spots.groups if (g.row, g.dataset) == mine]
        within = [g for g in found if g.slice != subgroup_tables.BY_CLASS]
        table = subgroup_tables.group_table(within, level)
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


def effects(content: Content, place: Place) -> Table:
    """What metadata moves, a bar for each field."""
    mine = [
        item
        for item in content.scorecard.field_effects
        if (item.row, item.dataset, "none") == place.where
    ]
    level = numbers.level(content.scorecard.level)
    return field_effects.effects_table(f"effects-{place.slug}", mine, level)


def hardest_images(
    content: Content, place: Place, judged: Judged, moved: field_effects.Moved
) -> Table:
    """Mistakes of the first seed, and what other models make of these images."""
    seeds = judged.seeds(place.dataset, place.condition)
    found: Sequence[HardCase] = ()
    if seeds:
        found = hardest(seeds[min(seeds)], focus_class(place.row.classes))
    spots = content.scorecard.weak_spots
    known = {
        item.image_id: f"{item.wrong} of {item.models}"
        for item in (spots.hardest if spots else ())
        if (item.dataset, item.split) == (place.dataset, place.row.split)
    }
    said = {
        case.image_id: field_effects.named(moved[key])
        for case in found
        if (key := (place.row.name, place.dataset, case.image_id)) in moved
    }
    if place.condition != "none":
        said = {}
    heads = [Column(title=title) for title in ("image", "true", "decided")]
    heads += [
        Column(title=title, numeric=True) for title in ("p(decided)", "p(true)", "models wrong")
    ]
    heads += [Column(title="metadata moved it")] if said else []
    return Table(
        name=f"hardest-{place.slug}",
        caption=f"Hardest images: {place.row.name} on {place.title}",
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
                *([words(said.get(case.image_id, numbers.MISSING))] if said else []),
            )
            for case in found
        ),
    )


def row_fits(content: Content, row: Row) -> Table:
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


def environment(content: Content) -> str:
    """Packages and machine on one line."""
    run = content.run
    env, packages = run.environment, run.environment.packages
    said = [f"skinbench {run.version}" if run.version else "", f"Python {env.python}"]
    said += [f"{name} {packages[name]}" for name in ("torch", "timm", "numpy") if name in packages]
    said += [env.platform, numbers.counted(env.cores, "core") if env.cores else ""]
    gpus = [str(g.get("name", g)) if isinstance(g, dict) else str(g) for g in env.gpus]
    said.append(", ".join(gpus) or "no GPU")
    return numbers.one_line(", ".join(part for part in said if part.strip()))
