"""Everything on the report's page, in order, as text, tables and drawings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from skinbench.records import DatasetInfo, EpochRecord, LabelSpace, Row, Scorecard
from skinbench.report import (
    audit_tables,
    board,
    comparisons,
    dataset_ranks,
    explanations,
    facts,
    figures,
    gallery,
    numbers,
    operating,
    segmentation,
    standings,
    tables,
)
from skinbench.report.claims import PaperPart, paper_parts
from skinbench.report.content import Content, RunFacts, SplitFacts
from skinbench.report.figures import Drawing
from skinbench.report.gallery import Gallery
from skinbench.report.leaderboard import Leaderboard
from skinbench.report.reliability import reliability_figure
from skinbench.report.tables import ClassFacts, Scores, Table
from skinbench.report.weak_spots import WeakPart, weak_part
from skinbench.score.calibration import focus_class
from skinbench.store import file_name


@dataclass(frozen=True, kw_only=True)
class BoardPart:
    """One test set: its table and its picture."""

    table: Table
    """For the Markdown."""
    folded: Table
    """For the HTML page."""
    forest: Drawing | None


@dataclass(frozen=True, kw_only=True)
class RowPart:
    """One row on one test set: per-class scores, confusion matrices, curves."""

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


@dataclass(frozen=True, kw_only=True)
class DatasetPart:
    """One dataset: what it is and whose it is."""

    name: str
    info: DatasetInfo
    homepage: str
    """Empty unless it is a web address."""
    facts: str


@dataclass(frozen=True, kw_only=True)
class View:
    """The page."""

    title: str
    lead: str
    """One sentence: what this is."""
    facts: tuple[tuple[str, str], ...]
    """(value, what it is) for the head of the page."""
    reduced: tuple[str, ...]
    """What was run on less than the suite or its papers say, a line each kind."""
    synthetic: tuple[str, ...]
    """Titles of the datasets that a program drew."""
    level: str
    replicates: str
    boards: tuple[BoardPart, ...]
    board_notes: tuple[str, ...]
    outcome: str
    """The gate's verdict; empty where the gate did not run."""
    outcome_tone: str
    decision_rule: str
    gate: Table | None
    comparisons: Table | None
    standings: Table | None
    dataset_ranks: Table | None
    rank_diagrams: tuple[Drawing, ...]
    claims: tuple[PaperPart, ...]
    decisions: tuple[Table, ...]
    """Operating points, prevalence and calibration."""
    segmentation: Table | None
    explanations: Table | None
    weak: WeakPart | None
    failed: Table | None
    tracebacks: tuple[tuple[str, str], ...]
    rows: tuple[RowPart, ...]
    overall: Table
    seen: Table | None
    seeds: Table | None
    slices: Table | None
    data: tuple[DatasetPart, ...]
    data_notes: tuple[str, ...]
    splits: Table | None
    cleaning: Table | None
    audit: Table | None
    recognition: Table | None
    looked_for: tuple[str, ...]
    not_looked_for: tuple[str, ...]
    audited: bool
    gallery: Gallery
    exclusions: Table | None
    fits: Table | None
    stages: Table | None
    environment: Table
    run: RunFacts
    run_notes: tuple[str, ...]
    digests: tuple[tuple[str, str], ...]
    suite_text: str

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """Every drawing of the page."""
        found = [part.forest for part in self.boards]
        for row in self.rows:
            found += [*(drawing for drawing, _ in row.confusions), row.curves, row.reliability]
        found += self.rank_diagrams
        if self.weak is not None:
            found += self.weak.matrices
        return tuple(drawing for drawing in found if drawing is not None)


def build_view(content: Content, leaderboard: Leaderboard) -> View:
    """Lay out a run."""
    scorecard, run = _without_smoke(content.scorecard), content.run
    scores = Scores(scorecard)
    places = [(r.name, *place) for r in content.rows for place in scores.places(r.name)]
    verdict, audit = content.verdict, content.audit
    exclusions = content.plan.exclusions if content.plan else ()
    return View(
        title=numbers.one_line(content.title),
        lead=_lead(content),
        facts=_head_facts(content, leaderboard),
        reduced=facts.reduced_lines(run.reduced, len(content.rows)),
        synthetic=tuple(
            numbers.one_line(d.info.title) for d in content.datasets.values() if d.info.synthetic
        ),
        level=numbers.level(scorecard.level),
        replicates=numbers.count(scorecard.replicates),
        boards=_boards(leaderboard),
        board_notes=leaderboard.notes,
        outcome=verdict.outcome if verdict else "",
        outcome_tone=tables.OUTCOME_TONES.get(verdict.outcome, "warn") if verdict else "",
        decision_rule=numbers.one_line(verdict.decision_rule) if verdict else "",
        gate=tables.verdict_table(verdict) if verdict else None,
        comparisons=_filled(
            comparisons.comparisons_table(scorecard.comparisons, scorecard.level, run.reduced)
        ),
        standings=_filled(standings.standings_table(scorecard)),
        dataset_ranks=_filled(dataset_ranks.dataset_ranks_table(scorecard.dataset_ranks)),
        rank_diagrams=_rank_diagrams(scorecard),
        claims=paper_parts(scorecard),
        decisions=operating.decision_tables(scorecard),
        segmentation=_filled(segmentation.segmentation_table(scorecard)),
        explanations=_filled(explanations.explanations_table(scorecard)),
        weak=weak_part(content.scorecard),
        failed=_filled(facts.cells_table(scorecard.every_cell, _row_splits(content))),
        tracebacks=_tracebacks(content),
        rows=tuple(_row_parts(content, scores)),
        overall=tables.overall_table(scores, places),
        seen=_filled(facts.seen_table(content.seen)),
        seeds=_filled(tables.seed_table(scorecard, _columns(leaderboard))),
        slices=_filled(tables.slice_table(scorecard)),
        data=_datasets(content),
        data_notes=tuple(facts.data_notes(content)),
        splits=_filled(facts.split_table(content.splits, _all_classes(content.rows))),
        cleaning=_filled(facts.cleaning_table(content.datasets)),
        audit=_filled(audit_tables.audit_table(audit, content.splits)) if audit else None,
        recognition=_filled(audit_tables.recognition_table(audit, content.splits))
        if audit
        else None,
        looked_for=_one_lines(audit.looked_for if audit else ()),
        not_looked_for=_one_lines(audit.not_looked_for if audit else ()),
        audited=audit is not None,
        gallery=gallery.build_gallery(content),
        exclusions=_filled(facts.exclusions_table(exclusions, run.reduced, scorecard.smoke)),
        fits=_filled(facts.fits_table(content)),
        stages=_filled(facts.stages_table(run)),
        environment=facts.environment_table(run),
        run=run,
        run_notes=_one_lines(run.notes),
        digests=_digests(content),
        suite_text=numbers.lines(content.suite_text),
    )


def _without_smoke(scorecard: Scorecard) -> Scorecard:
    """The scorecard of the rows that stand in tables."""
    smoke = scorecard.smoke
    return replace(
        scorecard,
        scores=tuple(score for score in scorecard.scores if score.row not in smoke),
        comparisons=tuple(
            item
            for item in scorecard.comparisons
            if item.row not in smoke and item.against not in smoke
        ),
        operating=tuple(item for item in scorecard.operating if item.row not in smoke),
        prevalence=tuple(item for item in scorecard.prevalence if item.row not in smoke),
        reliability=tuple(item for item in scorecard.reliability if item.row not in smoke),
        calibrated=tuple(item for item in scorecard.calibrated if item.row not in smoke),
    )


def _row_splits(content: Content) -> dict[str, SplitFacts]:
    return {r.name: content.splits[r.split] for r in content.rows if r.split in content.splits}


def _filled(table: Table) -> Table | None:
    return table if table.rows else None


def _one_lines(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(numbers.one_line(value) for value in values)


def _all_classes(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(code for row in rows for code in row.classes))


def _lead(content: Content) -> str:
    names = dict.fromkeys(facts.info.title or facts.name for facts in content.datasets.values())
    data = f" on {', '.join(names)}" if names else ""
    return numbers.one_line(f"{numbers.counted(len(content.rows), 'row')} compared{data}")


def _columns(leaderboard: Leaderboard) -> list[tuple[str, str | None]]:
    columns = [(c.metric, c.class_) for table in leaderboard.tables for c in table.columns]
    return list(dict.fromkeys(columns))


def _head_facts(content: Content, leaderboard: Leaderboard) -> tuple[tuple[str, str], ...]:
    cells = content.scorecard.every_cell
    done = sum(cell.status == "done" for cell in cells)
    images = [facts.images for facts in content.datasets.values() if facts.images is not None]
    found = [
        (numbers.count(len(content.rows)), "rows"),
        (f"{done:,} of {len(cells):,}", "cells done"),
        (numbers.count(sum(images)) if images else numbers.MISSING, "images"),
    ]
    tested = [row.n for table in leaderboard.tables for row in table.rows if row.n is not None]
    if tested:
        found.append((numbers.count(max(tested)), "test images"))
    found.append((numbers.duration(content.run.seconds), "run time"))
    return tuple(found)


def _boards(leaderboard: Leaderboard) -> tuple[BoardPart, ...]:
    several = len(leaderboard.runs) > 1
    return tuple(
        BoardPart(
            table=board.board_table(table, index, runs=several),
            folded=board.board_table(table, index, runs=several, folded=True),
            forest=figures.forest_figure(f"leaderboard-{index}", table),
        )
        for index, table in enumerate(leaderboard.tables, 1)
    )


def _rank_diagrams(scorecard: Scorecard) -> tuple[Drawing, ...]:
    found = [
        dataset_ranks.critical_difference_figure(f"dataset-ranks-{index}", item)
        for index, item in enumerate(scorecard.dataset_ranks, 1)
    ]
    return tuple(drawing for drawing in found if drawing is not None)


# --- one row ---------------------------------------------------------------------------------


def _row_parts(content: Content, scores: Scores) -> list[RowPart]:
    parts = list(_each_row_part(content, scores))
    first = next((part for part in parts if part.curves is not None), parts[0] if parts else None)
    return [replace(part, opened=part is first) for part in parts]


def _each_row_part(content: Content, scores: Scores) -> Iterable[RowPart]:
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
            yield RowPart(
                title=title,
                summary=_row_summary(scores, where),
                opened=False,
                classes=_filled(_renamed(classes, f"classes-{_safe_name(title)}")),
                further=_further(scores, where, row, title),
                confusions=_confusions(content, row, place),
                reliability=_reliability(content, row, place),
                curves=_curves(content, row) if index == 0 else None,
            )


def _further(scores: Scores, where: tuple[str, str, str], row: Row, title: str) -> Table | None:
    focus = focus_class(row.classes)
    if focus is None:
        return None
    return _filled(operating.focus_table(f"further-{_safe_name(title)}", scores.of(where), focus))


def _reliability(content: Content, row: Row, place: tuple[str, str]) -> Drawing | None:
    items = [
        item
        for item in content.scorecard.reliability
        if (item.row, item.dataset, item.condition) == (row.name, *place)
    ]
    return reliability_figure(_safe_name(f"reliability-{row.name}-{place[0]}"), row.name, items)


def _renamed(table: Table, name: str) -> Table:
    return replace(table, name=name)


def _row_summary(scores: Scores, where: tuple[str, str, str]) -> str:
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


# --- data ------------------------------------------------------------------------------------


def _datasets(content: Content) -> tuple[DatasetPart, ...]:
    parts = []
    for name, item in content.datasets.items():
        counted = [f"adapter {item.adapter}"]
        if item.images is not None:
            counted.append(numbers.counted(item.images, "image"))
        if item.groups is not None:
            counted.append(numbers.counted(item.groups, "lesion group"))
        counted.append(f"{len(item.label_space.classes)} classes ({item.label_space.name})")
        homepage = numbers.one_line(item.info.homepage)
        parts.append(
            DatasetPart(
                name=numbers.one_line(name),
                info=item.info,
                homepage=homepage if homepage.startswith(("https://", "http://")) else "",
                facts=numbers.one_line(", ".join(counted)),
            )
        )
    return tuple(parts)


def _tracebacks(content: Content) -> tuple[tuple[str, str], ...]:
    return tuple(
        (numbers.one_line(record.error or fit_id), numbers.lines(record.traceback))
        for fit_id, record in content.fits.items()
        if record.status == "failed" and record.traceback
    )


def _digests(content: Content) -> tuple[tuple[str, str], ...]:
    found = [(f"data {name}", digest) for name, digest in content.scorecard.datasets.items()]
    found += [(f"split {name}", digest) for name, digest in content.scorecard.splits.items()]
    return tuple((numbers.one_line(name), numbers.one_line(digest)) for name, digest in found)
